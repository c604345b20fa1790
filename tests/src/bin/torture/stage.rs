//! The place of a round: directories of its own, and the processes in them.
//!
//! Every torcd and every worker adds a line to the file `pids` as it starts, because the programs
//! that are run are this one under other names (see `main`). So none is overlooked, however short it
//! lives.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use nix::sys::signal::Signal;
use torc_protocol::paths;
use torc_tests::processes;
use torc_tests::torc::names_in;

use crate::plan::Role;

/// Names the file in which processes are noted.
pub(crate) const PIDS_VARIABLE: &str = "TORTURE_PIDS";

/// Where a round takes place.
#[derive(Debug)]
pub(crate) struct Stage {
    root: PathBuf,
    bin: PathBuf,
}

/// A process that was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    /// What it is.
    pub(crate) role: Role,
    /// Its number.
    pub(crate) pid: u32,
    /// When it was started; with the number it names it for good.
    pub(crate) start: u64,
}

impl Stage {
    /// Makes the directories below `root`. The programs are in `bin`.
    pub(crate) fn new(root: PathBuf, bin: PathBuf) -> anyhow::Result<Self> {
        for name in ["", "home", "run", "run/torc", "tmp", "work", "target", "disk", "out"] {
            DirBuilder::new()
                .mode(0o700)
                .create(root.join(name))
                .with_context(|| format!("making {}", root.join(name).display()))?;
        }
        for name in ["evidence", "pids", "log"] {
            File::create(root.join(name))?;
        }
        Ok(Self { root, bin })
    }

    /// Returns a path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Returns where snapshots go.
    pub(crate) fn target(&self) -> PathBuf {
        self.path("target/torc.db")
    }

    /// Returns the socket of a service, or that of the private torcd of a torcctl.
    pub(crate) fn socket(&self, torcctl: Option<u32>) -> PathBuf {
        match torcctl {
            None => self.path("run/torc/torcd.sock"),
            Some(pid) => self.path(&format!("run/torc/exec-{pid}.sock")),
        }
    }

    /// Returns a program that is to be run here. It writes to the log what it writes to stderr.
    pub(crate) fn command(&self, program: &str) -> anyhow::Result<Command> {
        let mut command = Command::new(self.bin.join(program));
        let log = OpenOptions::new().append(true).open(self.path("log"))?;
        command.current_dir(self.path("work")).env_clear().envs(self.environment());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        Ok(command)
    }

    /// Returns the environment of all that runs here.
    pub(crate) fn environment(&self) -> [(&'static str, String); 7] {
        let path = |name: &str| self.path(name).to_string_lossy().into_owned();
        [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            ("HOME", path("home")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("TMPDIR", path("tmp")),
            ("EVIDENCE", path("evidence")),
            ("RUST_BACKTRACE", "1".to_owned()),
            (PIDS_VARIABLE, path("pids")),
        ]
    }

    /// Returns whether the last life has said that it was ended before anything was started.
    pub(crate) fn never_began(&self) -> bool {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let last = log.rsplit("=== life ").next().unwrap_or_default();
        last.contains("nothing was started")
    }

    /// Adds a line to the log.
    pub(crate) fn log(&self, line: &str) {
        let log = OpenOptions::new().append(true).open(self.path("log"));
        // A log that cannot be written is no reason to stop.
        let _ = log.and_then(|mut log| writeln!(log, "=== {line}"));
    }

    /// Returns all processes that were noted, in the order of their starts.
    pub(crate) fn noted(&self) -> Vec<Noted> {
        let text = fs::read_to_string(self.path("pids")).unwrap_or_default();
        text.lines().filter_map(Noted::parse).collect()
    }

    /// Returns the processes of a role that run now, the newest first. Those of torcctl are not
    /// noted.
    pub(crate) fn alive(&self, role: Role) -> Vec<u32> {
        let noted = self.noted().into_iter().rev();
        let alive = noted.filter(|one| processes::start_time(one.pid) == Some(one.start));
        match role {
            Role::Writer => {
                let daemons = alive.filter(|one| one.role == Role::Torcd);
                daemons.flat_map(|daemon| writers(daemon.pid)).collect()
            }
            // What has noted itself has become the guard of the worker, which is its child.
            Role::Worker => {
                let guards = alive.filter(|one| one.role == Role::Worker);
                guards.flat_map(|guard| processes::children(guard.pid)).collect()
            }
            _ => alive.filter(|one| one.role == role).map(|one| one.pid).collect(),
        }
    }

    /// Returns all that runs here: by its home, and snapshot writers, who have none, by their target.
    pub(crate) fn processes(&self) -> Vec<String> {
        let mut all = processes::at_home(&self.path("home"));
        all.extend(processes::with_argument(&self.target()));
        all.into_iter().map(|process| format!("{} {}", process.pid, process.command)).collect()
    }

    /// Kills all that runs here.
    pub(crate) fn kill_all(&self) {
        let mut all = processes::at_home(&self.path("home"));
        all.extend(processes::with_argument(&self.target()));
        for process in all {
            processes::signal(process.pid, Signal::SIGKILL);
        }
    }

    /// Moves what is left in memory beside the rest, for whoever looks into a round that failed.
    pub(crate) fn collect_memory(&self) {
        for (path, names) in self.memory() {
            let kept = self.path("memory").join(path.file_name().unwrap_or_default());
            let _ = fs::create_dir_all(&kept);
            for name in names {
                let _ = fs::copy(path.join(&name), kept.join(&name));
            }
            let _ = fs::remove_dir_all(path);
        }
    }

    /// Returns the directories in memory of the torcds of this round, with the names in them.
    pub(crate) fn memory(&self) -> BTreeMap<PathBuf, Vec<String>> {
        let Some(parent) = paths::memory_dir() else { return BTreeMap::new() };
        let prefixes: Vec<_> =
            self.noted().iter().map(|one| format!("{}-{}-", one.pid, one.start)).collect();
        let is_ours = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
        names_in(&parent)
            .into_iter()
            .filter(|name| is_ours(name))
            .map(|name| (parent.join(&name), names_in(&parent.join(name))))
            .collect()
    }

    /// Removes the directories.
    pub(crate) fn remove(self) -> std::io::Result<()> {
        fs::remove_dir_all(self.root)
    }
}

impl Noted {
    /// Notes this process, if a file for that is named.
    pub(crate) fn this(role: &str) {
        let Some(path) = std::env::var_os(PIDS_VARIABLE) else { return };
        let pid = std::process::id();
        let start = processes::start_time(pid).unwrap_or(0);
        let file = OpenOptions::new().append(true).open(Path::new(&path));
        // Whoever reads it finds out that the line is missing.
        let _ =
            file.and_then(|mut file| file.write_all(format!("{role} {pid} {start}\n").as_bytes()));
    }

    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(' ');
        let role = match fields.next()? {
            "worker" => Role::Worker,
            _ => Role::Torcd,
        };
        Some(Self { role, pid: fields.next()?.parse().ok()?, start: fields.next()?.parse().ok()? })
    }
}

/// Returns the snapshot writers that a torcd has started.
fn writers(torcd: u32) -> Vec<u32> {
    let mut writers = processes::children(torcd);
    writers.retain(|pid| processes::command_of(*pid).contains("snapshot-writer"));
    writers
}
