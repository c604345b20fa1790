//! Habits of this code base that no compiler lint holds up.

use std::fs;

use torc_tests::source::{Source, sources, workspace};

/// The longest file, in lines.
const MAX_LINES: usize = 500;

/// Where `unsafe` may stand.
const UNSAFE: [&str; 2] = ["daemon/src/sys", "daemon/src/worker"];

fn ours() -> impl Iterator<Item = Source> {
    ["protocol", "daemon", "ctl", "tests"].into_iter().flat_map(sources)
}

fn products() -> impl Iterator<Item = Source> {
    ["protocol/src", "daemon/src", "ctl/src"].into_iter().flat_map(sources)
}

/// Fails with a line for every source of which `is_wrong` says so.
fn none(sources: impl Iterator<Item = Source>, is_wrong: impl Fn(&Source) -> Option<String>) {
    let wrong: Vec<_> = sources
        .filter_map(|source| Some(format!("{}: {}", source.path.display(), is_wrong(&source)?)))
        .collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    none(ours(), |source| {
        let lines = source.text.lines().count();
        (lines > MAX_LINES).then(|| format!("{lines} lines, more than {MAX_LINES}"))
    });
}

#[test]
fn every_file_says_at_its_head_what_it_is_for() {
    none(products(), |source| {
        let is_part_of_another = source.path.ends_with("tests.rs") || source.code.is_empty();
        let has_head = source.text.starts_with("//!");
        (!has_head && !is_part_of_another).then(|| "it begins without `//!`".to_owned())
    });
}

#[test]
fn nothing_is_left_undone_and_no_lint_is_silenced() {
    let words = ["todo", "unimplemented", "dbg", "TODO", "FIXME", "XXX"];
    none(products(), |source| {
        let word = words.iter().find(|word| source.count(word) > 0).map(ToString::to_string);
        let comment = ["TODO", "FIXME", "XXX"].into_iter().find(|word| source.text.contains(word));
        let silenced = source.text.contains("#[allow(") || source.text.contains("#![allow(");
        word.or_else(|| comment.map(str::to_owned))
            .or_else(|| silenced.then(|| "use `#[expect(lint, reason = …)]`".to_owned()))
    });
}

#[test]
fn unsafe_stands_only_where_the_system_is_spoken_to() {
    none(products(), |source| {
        let is_allowed =
            UNSAFE.iter().any(|place| source.path.to_string_lossy().starts_with(place));
        (!is_allowed && source.count("unsafe") > 0).then(|| "`unsafe`".to_owned())
    });
}

#[test]
fn sql_stands_only_in_the_store() {
    let begins_sql = |line: &str| {
        ["SELECT ", "INSERT ", "UPDATE ", "DELETE FROM ", "PRAGMA ", "VACUUM", "CREATE TABLE "]
            .iter()
            .any(|word| line.contains(&format!("\"{word}")))
    };
    none(products(), |source| {
        let is_store = source.path.starts_with("daemon/src/store");
        let is_test = source.code.is_empty();
        let found = source.text.lines().find(|line| begins_sql(line));
        found.filter(|_| !is_store && !is_test).map(str::to_owned)
    });
}

#[test]
fn no_path_of_one_machine_is_named() {
    let root = workspace();
    let places = ["/root", "/home", root.to_str().unwrap()].map(|place| format!("\"{place}/"));
    none(ours(), |source| {
        let found = places.iter().find(|place| source.text.contains(*place));
        found.map(|place| format!("it names {place}"))
    });
}

#[test]
fn every_shared_dependency_says_what_it_is_for() {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap();
    let lines: Vec<_> = section.lines().take_while(|line| !line.starts_with('[')).collect();
    let mut foreign = 0;
    for (number, line) in lines.iter().enumerate() {
        let is_dependency = line.starts_with(|letter: char| letter.is_ascii_alphabetic());
        if is_dependency && !line.contains("path = ") {
            foreign += 1;
            assert!(lines[number - 1].starts_with("# "), "no comment above: {line}");
        }
    }
    assert!(foreign > 10, "the dependencies are not found");
}

#[test]
fn every_dependency_takes_its_version_from_the_workspace() {
    for package in ["protocol", "daemon", "ctl", "tests"] {
        let manifest = fs::read_to_string(workspace().join(package).join("Cargo.toml")).unwrap();
        let mut in_dependencies = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
            } else if in_dependencies && !line.is_empty() && !line.starts_with('#') {
                assert!(line.contains("workspace"), "{package}: {line}");
            }
        }
    }
}
