//! The layers of `docs/architecture.md`: modules import only from below, and a foreign crate is
//! known only where it is confined to.

use std::collections::BTreeSet;
use std::fs;

use torc_tests::source::{Source, sources, workspace};

/// What the modules of a crate may import.
struct Rules {
    /// The directory of its sources.
    dir: &'static str,
    /// Its top modules, top down. A module imports from lower rows only.
    layers: &'static [&'static [&'static str]],
    /// Top modules that are processes of their own: nothing may be imported from or by them but
    /// what `beside` says.
    roots: &'static [&'static str],
    /// What may be imported besides: a module, and a path in another one.
    beside: &'static [(&'static str, &'static str)],
    /// Foreign crates, and the only top modules that may name them.
    confined: &'static [(&'static str, &'static [&'static str])],
    /// Modules that know nothing but the standard library and their own crate.
    std_only: &'static [&'static str],
}

const DAEMON: Rules = Rules {
    dir: "daemon/src",
    layers: &[
        &["cli"],
        &["daemon"],
        &["server", "signals", "notify"],
        &["session"],
        &["handlers"],
        &["snapshot"],
        &["dispatcher"],
        &["engine", "store", "nodes", "event_bus"],
        &["config", "lines", "seats"],
        &["sys"],
    ],
    roots: &["worker", "snapshot_writer"],
    beside: &[
        ("cli", "worker"),
        ("cli", "snapshot_writer"),
        ("snapshot", "snapshot_writer::event"),
        ("snapshot", "snapshot_writer::rotation"),
        ("snapshot_writer", "config"),
        ("snapshot_writer", "store::verify"),
        ("snapshot_writer", "sys"),
    ],
    confined: &[
        ("clap", &["cli"]),
        ("clap_mangen", &["cli"]),
        ("jiff", &["notify", "snapshot"]),
        ("libc", &["worker"]),
        ("nix", &["sys", "worker"]),
        ("rusqlite", &["store"]),
        ("sd_notify", &["notify"]),
        ("sha2", &["snapshot_writer"]),
        ("tracing_subscriber", &["cli"]),
    ],
    std_only: &["engine"],
};

const CTL: Rules = Rules {
    dir: "ctl/src",
    layers: &[
        &["cli", "reference"],
        &["commands"],
        &["completion", "manual", "mistakes"],
        &["context", "spec", "progress"],
        &["client", "standalone", "snapshot_files", "signals", "output"],
        &["degraded", "skew"],
        &["error", "style"],
        &["exit_code", "format", "stderr"],
    ],
    roots: &[],
    beside: &[],
    confined: &[
        (
            "clap",
            &[
                "cli",
                "reference",
                "commands",
                "completion",
                "manual",
                "mistakes",
                "context",
                "format",
            ],
        ),
        ("clap_complete", &["completion"]),
        ("clap_mangen", &["manual"]),
        ("comfy_table", &["output"]),
        ("csv", &["output", "spec"]),
        ("granit_parser", &["spec"]),
        ("indicatif", &["progress"]),
        ("jiff", &["commands", "style"]),
        ("kdl", &["spec"]),
        ("nix", &["commands", "spec"]),
        ("regex", &["spec"]),
    ],
    std_only: &["exit_code"],
};

const PROTOCOL: Rules = Rules {
    dir: "protocol/src",
    layers: &[
        &["connection"],
        &["call"],
        &["request"],
        &["response"],
        &["event", "worker"],
        &["view"],
        &["spec"],
        &["result", "journal", "config"],
        &[
            "id",
            "time",
            "status",
            "resources",
            "hello",
            "codec",
            "paths",
            "json",
            "nearest",
            "unit",
        ],
    ],
    roots: &[],
    beside: &[],
    confined: &[
        ("bincode", &["codec"]),
        ("directories", &["paths"]),
        ("nix", &["config", "paths"]),
        ("strsim", &["nearest"]),
        ("tokio", &["connection", "hello"]),
        ("tokio_util", &["connection", "codec"]),
        ("toml", &["config"]),
    ],
    std_only: &[],
};

const CRATES: [&Rules; 3] = [&DAEMON, &CTL, &PROTOCOL];

/// The sources of every crate of ours, and the crates of ours that each may know.
const OURS: [(&str, &[&str]); 3] =
    [("protocol/src", &[]), ("daemon/src", &["torc_protocol"]), ("ctl/src", &["torc_protocol"])];

impl Rules {
    /// Returns what is wrong with the imports of `sources`.
    fn violations(&self, sources: &[Source]) -> Vec<String> {
        let mut violations = Vec::new();
        for source in sources {
            let Some(top) = source.top() else { continue };
            let path = source.path.display();
            if self.rank(top).is_none() {
                violations.push(format!("{path}: the module {top} is in no layer"));
            }
            for target in source.own_paths() {
                if !self.allows(top, &target) {
                    let target = target.join("::");
                    violations.push(format!("{path}: {top} may not import {target}"));
                }
            }
            for (foreign, allowed) in self.confined {
                if source.names_crate(foreign) && !allowed.contains(&top) {
                    violations.push(format!("{path}: {top} may not know the crate {foreign}"));
                }
            }
        }
        violations
    }

    /// Returns the row of a module, counted from the top; the roots have one of their own.
    fn rank(&self, module: &str) -> Option<usize> {
        let layer = self.layers.iter().position(|layer| layer.contains(&module));
        layer.or_else(|| self.roots.contains(&module).then_some(self.layers.len()))
    }

    fn allows(&self, from: &str, target: &[String]) -> bool {
        let path = target.join("::");
        let is_exception = |(module, allowed): &(&str, &str)| {
            *module == from && (path == *allowed || path.starts_with(&format!("{allowed}::")))
        };
        let is_root = |module: &str| self.roots.contains(&module);
        let to = target[0].as_str();
        from == to
            || self.beside.iter().any(is_exception)
            || (!is_root(from) && !is_root(to) && self.rank(to) > self.rank(from))
    }

    fn exceptions_in_use(&self, sources: &[Source]) -> BTreeSet<(&str, &str)> {
        let mut used = BTreeSet::new();
        for source in sources {
            for target in source.own_paths() {
                let path = format!("{}::", target.join("::"));
                used.extend(self.beside.iter().filter(|(module, allowed)| {
                    source.top() == Some(*module) && path.starts_with(&format!("{allowed}::"))
                }));
            }
        }
        used
    }
}

#[test]
fn modules_import_only_from_below() {
    let violations: Vec<_> =
        CRATES.iter().flat_map(|rules| rules.violations(&sources(rules.dir))).collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn the_tables_name_only_what_there_is() {
    for rules in CRATES {
        let sources = sources(rules.dir);
        let present: BTreeSet<_> = sources.iter().filter_map(Source::top).collect();
        for module in rules.layers.iter().copied().flatten().chain(rules.roots) {
            assert!(present.contains(module), "{} has no module {module}", rules.dir);
        }
        let used = rules.exceptions_in_use(&sources);
        for exception in rules.beside {
            assert!(used.contains(exception), "{}: nobody needs {exception:?}", rules.dir);
        }
        for (foreign, allowed) in rules.confined {
            let users: BTreeSet<_> = sources
                .iter()
                .filter(|source| source.names_crate(foreign))
                .filter_map(Source::top)
                .collect();
            for module in allowed.iter().copied() {
                let message = format!("{}: {module} does not know {foreign} at all", rules.dir);
                assert!(users.contains(module), "{message}");
            }
        }
    }
}

#[test]
fn some_modules_know_only_the_standard_library() {
    for rules in CRATES {
        let package = workspace().join(rules.dir).join("../Cargo.toml");
        let manifest = fs::read_to_string(package).unwrap();
        let foreign = dependencies(&manifest);
        assert!(foreign.len() > 5, "{}: the dependencies are not found", rules.dir);
        let sources = sources(rules.dir);
        let strict = sources
            .iter()
            .filter(|source| source.top().is_some_and(|top| rules.std_only.contains(&top)));
        for source in strict {
            for name in &foreign {
                let path = source.path.display();
                assert!(!source.names_crate(name), "{path} knows the crate {name}");
            }
        }
    }
}

#[test]
fn the_crates_know_only_the_protocol_of_each_other() {
    for (dir, allowed) in OURS {
        for source in sources(dir) {
            for name in ["torc_protocol", "torcd", "torcctl", "torc_tests"] {
                // A binary names the library beside it.
                let library = if dir == "daemon/src" { "torcd" } else { "torcctl" };
                let is_own = name == library && source.path.ends_with("main.rs");
                let is_known = source.names_crate(name) && !is_own && !allowed.contains(&name);
                assert!(!is_known, "{} knows {name}", source.path.display());
            }
        }
    }
}

/// Returns the crates under `[dependencies]`, as code names them.
fn dependencies(manifest: &str) -> Vec<String> {
    let section = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    section
        .lines()
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split(['.', ' ', '=']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .map(|name| name.replace('-', "_"))
        .collect()
}

#[test]
fn a_planted_violation_is_found() {
    let planted = |path: &str, text: &str| {
        let violations = DAEMON.violations(&[Source::new(format!("daemon/src/{path}"), text)]);
        assert!(violations.len() <= 1, "{violations:?}");
        violations.into_iter().next().unwrap_or_default()
    };
    let sound = "use crate::store::writer::Writer;\nuse crate::dispatcher::turn;\n";
    assert_eq!(planted("dispatcher/mod.rs", sound), "");
    let upward = planted("store/home.rs", "use crate::{\n    dispatcher::Input,\n};");
    assert_eq!(upward, "daemon/src/store/home.rs: store may not import dispatcher::Input");
    let inline = planted("store/home.rs", "fn f() { crate::handlers::run() }");
    assert_eq!(inline, "daemon/src/store/home.rs: store may not import handlers::run");
    let sideways = planted("store/home.rs", "use crate::nodes::Node;");
    assert_eq!(sideways, "daemon/src/store/home.rs: store may not import nodes::Node");
    let climbing = planted("store/home.rs", "use super::super::session::Session;");
    assert_eq!(climbing, "daemon/src/store/home.rs: store may not import session::Session");
    let root = planted("dispatcher/mod.rs", "use crate::worker::run;");
    assert_eq!(root, "daemon/src/dispatcher/mod.rs: dispatcher may not import worker::run");
    let narrow = planted("snapshot/load.rs", "use crate::snapshot_writer::image::Image;");
    let expected =
        "daemon/src/snapshot/load.rs: snapshot may not import snapshot_writer::image::Image";
    assert_eq!(narrow, expected);
    let unknown = planted("misc.rs", "");
    assert_eq!(unknown, "daemon/src/misc.rs: the module misc is in no layer");
    let foreign = planted("nodes/mod.rs", "fn f(c: &rusqlite::Connection) {}");
    assert_eq!(foreign, "daemon/src/nodes/mod.rs: nodes may not know the crate rusqlite");
}
