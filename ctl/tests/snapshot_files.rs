//! `torcctl snapshot list`, `verify` and `recover`, with a script of the shell in place of torcd.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with a torcd that tells of the snapshots which a test puts into files, and notes what
/// it is started with.
struct Place {
    dir: TempDir,
}

/// `list`, `verify` and `remains` print the file of that name. A recovery ends with the code in
/// `code`, and then `remains` prints what is in `afterwards`.
const TORCD: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 9
if [ "$1" = snapshots ]; then
    echo "$*" >> asked
    [ -e "$2" ] && cat "$2"
    exit 0
fi
echo "$*" >> recovered
[ -e afterwards ] && mv afterwards remains
exit "$(cat code)"
"#;

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(place.path("torcd"), TORCD).unwrap();
        fs::set_permissions(place.path("torcd"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(place.path("code"), "0").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Has torcd tell of these.
    fn tells(&self, which: &str, views: &[Value]) {
        let lines: Vec<_> = views.iter().map(|view| format!("{view}\n")).collect();
        fs::write(self.path(which), lines.concat()).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_torcctl"))
            .arg("snapshot")
            .args(arguments)
            .arg("--torcd-bin")
            .arg(self.path("torcd"))
            .current_dir(self.dir.path())
            .env("TZ", "UTC")
            .env_remove("TORC_SOCKET")
            .env("XDG_RUNTIME_DIR", self.path("runtime"))
            .env("TMPDIR", self.dir.path())
            .output()
            .unwrap()
    }

    /// Returns the lines of what torcd noted, with the socket left out.
    fn noted(&self, what: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(what)).unwrap_or_default();
        let lines = text.lines().map(|line| match line.split_once(" --socket ") {
            Some((before, after)) => {
                format!("{before}{}", after.split_once(' ').map_or("", |(_, rest)| rest))
            }
            None => line.to_owned(),
        });
        lines.map(|line| line.replace(self.dir.path().to_str().unwrap(), "DIR")).collect()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn view(path: &str, place: &str) -> Value {
    json!({
        "path": path, "place": place, "target": "/x/torc.db", "problem": null,
        "instance": "i1", "generation": 7, "changes": 12, "taken_at": 1.5, "host": "n1",
        "bytes": 90112, "fate": null,
    })
}

fn left(path: &str, fate: &str) -> Value {
    let mut view = view(path, "memory");
    view["fate"] = fate.into();
    view
}

fn with(mut view: Value, key: &str, value: Value) -> Value {
    view[key] = value;
    view
}

#[test]
fn the_snapshots_of_a_place_are_a_list_like_any_other() {
    let place = Place::new();
    let damaged = with(view("/x/torc.db.1", "older"), "problem", "not a database".into());
    place.tells("list", &[view("/x/torc.db", "target"), damaged, left("/m/torc.db", "newer")]);
    let output = place.run(&["list", "--db", "/x/torc.db"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    insta::assert_snapshot!(text(&output.stdout), @r"
    PATH          PLACE   GENERATION  CHANGES  TAKEN                    SIZE  HOST  PROBLEM         FATE
    /x/torc.db    target           7       12  1970-01-01 00:00:01  88.0 KiB  n1    -               -
    /x/torc.db.1  older            7       12  1970-01-01 00:00:01  88.0 KiB  n1    not a database  -
    /m/torc.db    memory           7       12  1970-01-01 00:00:01  88.0 KiB  n1    -               newer
    ");
    assert_eq!(place.noted("asked"), ["snapshots list --target /x/torc.db"]);
    let output =
        place.run(&["list", "--db", "/x/torc.db", "--columns", "path,fate", "--format", "csv"]);
    let expected = "path,fate\n/x/torc.db,\n/x/torc.db.1,\n/m/torc.db,newer\n";
    assert_eq!(text(&output.stdout), expected);
    let output = place.run(&["list", "--db", "/x/torc.db", "--format", "json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json[0], view("/x/torc.db", "target"));
}

#[test]
fn a_place_is_named_or_has_a_file_or_is_asked_for() {
    let place = Place::new();
    let output = place.run(&["list", "--standalone"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("--db FILE"), "{}", text(&output.stderr));
    fs::create_dir(place.path("torc_output")).unwrap();
    fs::write(place.path("torc_output/torc.db"), "").unwrap();
    let output = place.run(&["list", "--standalone"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.noted("asked"), ["snapshots list --target DIR/torc_output/torc.db"]);
    let output = place.run(&["list", "--db", "none.db"]);
    assert_eq!(output.status.code(), Some(6));
    assert!(text(&output.stderr).contains("none.db"), "{}", text(&output.stderr));
}

#[test]
fn the_newest_and_the_older_ones_are_verified_unless_files_are_named() {
    let place = Place::new();
    let [newest, older] = ["torc.db", "torc.db.1"].map(|name| {
        fs::write(place.path(name), "").unwrap();
        place.path(name).to_str().unwrap().to_owned()
    });
    let found = [view(&newest, "target"), view(&older, "older"), left("/m/torc.db", "newer")];
    place.tells("list", &found);
    place.tells("verify", &found[..2]);
    let output = place.run(&["verify", "--db", &newest]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.noted("asked")[1], "snapshots verify DIR/torc.db DIR/torc.db.1");
    let said = text(&output.stdout);
    let good = ": good, generation 7, 88.0 KiB, taken 1970-01-01 00:00:01\n";
    assert!(said.starts_with(&format!("{newest}{good}{older}")), "{said}");
    let problem = "page 3 is broken".into();
    place.tells("verify", &[with(view(&newest, "named"), "problem", problem)]);
    let output = place.run(&["verify", &newest]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), format!("{newest}: damaged: page 3 is broken\n"));
    let output = place.run(&["verify", &newest, "gone.db"]);
    assert_eq!(output.status.code(), Some(6));
    assert!(text(&output.stderr).contains("gone.db"), "{}", text(&output.stderr));
}

#[test]
fn a_torcd_that_tells_nothing_of_snapshots_is_of_another_release() {
    let place = Place::new();
    fs::write(place.path("list"), "what?\n").unwrap();
    let output = place.run(&["list", "--db", "/x/torc.db"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("of this release"), "{}", text(&output.stderr));
}

#[test]
fn nothing_to_recover_is_no_error() {
    let place = Place::new();
    let output = place.run(&["recover"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("", "nothing to recover\n"));
    let output = place.run(&["recover", "--format", "json"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("[]\n", ""));
}

#[test]
fn a_newer_record_goes_home_and_brings_with_it_what_is_in_it() {
    let place = Place::new();
    let older = with(left("/m/2/torc.db", "newer"), "changes", 3.into());
    place.tells("remains", &[older, left("/m/1/torc.db", "newer")]);
    place.tells("afterwards", &[]);
    place.tells("list", &[with(view("/x/torc.db", "target"), "generation", 8.into())]);
    let output = place.run(&["recover", "--format", "ndjson"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let recovery = "--in-memory --snapshot /x/torc.db --recover --from /m/1/torc.db--log error";
    assert_eq!(place.noted("recovered"), [recovery]);
    let reports: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [first, second] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((&first["path"], &first["outcome"]), (&json!("/m/1/torc.db"), &json!("recovered")));
    assert_eq!((&first["to"], &first["generation"]), (&json!("/x/torc.db"), &json!(8)));
    assert!(first["seconds"].is_f64(), "{first}");
    assert_eq!(
        (&second["path"], &second["outcome"]),
        (&json!("/m/2/torc.db"), &json!("superseded"))
    );
}

#[test]
fn a_record_that_has_diverged_goes_beside_its_place() {
    let place = Place::new();
    place.tells("remains", &[left("/m/torc.db", "diverged")]);
    let output = place.run(&["recover"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let noted = place.noted("recovered");
    let [recovery] = &noted[..] else { panic!("{noted:?}") };
    let (before, after) = recovery.split_once("/x/torc.db.recovered-").unwrap();
    assert_eq!(before, "--in-memory --snapshot ");
    assert!(after.ends_with("Z --recover --from /m/torc.db--log error"), "{after}");
    let said = text(&output.stdout);
    assert!(said.starts_with("recovered /x/torc.db.recovered-"), "{said}");
    assert!(said.ends_with("; /x/torc.db has another record, and is as it was\n"), "{said}");
}

#[test]
fn what_is_at_its_place_already_is_only_told() {
    let place = Place::new();
    place.tells("remains", &[left("/m/torc.db", "superseded")]);
    let output = place.run(&["recover"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "nothing to do: /x/torc.db has all of /m/torc.db\n");
    assert_eq!(place.noted("recovered"), [""; 0]);
}

#[test]
fn a_record_that_cannot_come_home_is_named_with_its_place() {
    for (code, expected) in [("5", 5), ("7", 7), ("2", 5)] {
        let place = Place::new();
        fs::write(place.path("code"), code).unwrap();
        place.tells("remains", &[left("/m/torc.db", "newer")]);
        let output = place.run(&["recover"]);
        assert_eq!(output.status.code(), Some(expected), "{}", text(&output.stderr));
        let said = text(&output.stderr);
        assert!(said.starts_with("error: cannot bring /m/torc.db to /x/torc.db: "), "{said}");
        assert!(said.contains("hint: it stays where it is"), "{said}");
    }
}

#[test]
fn one_failure_is_the_exit_code_of_all() {
    let place = Place::new();
    let damaged = with(left("/m/1/torc.db", "newer"), "problem", "not a database".into());
    let homeless = with(left("/m/2/torc.db", "newer"), "target", Value::Null);
    place.tells("remains", &[damaged, homeless, left("/m/3/torc.db", "superseded")]);
    let output = place.run(&["recover"]);
    assert_eq!(output.status.code(), Some(5));
    let said = text(&output.stderr);
    assert!(said.contains("cannot bring /m/1/torc.db home: not a database"), "{said}");
    assert!(said.contains("bring it elsewhere with `--from /m/2/torc.db --to FILE`"), "{said}");
    assert!(text(&output.stdout).contains("/m/3/torc.db"));
}

#[test]
fn a_record_is_brought_elsewhere_when_there_is_but_one() {
    let place = Place::new();
    let other = with(left("/m/2/torc.db", "newer"), "target", "/y/torc.db".into());
    place.tells("remains", &[left("/m/1/torc.db", "newer"), other]);
    let output = place.run(&["recover", "--to", "rescued.db"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("/m/2/torc.db, which belongs at /y/torc.db"));
    let output = place.run(&["recover", "--db", "/y/torc.db", "--to", "rescued.db"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let recovery = "--in-memory --snapshot DIR/rescued.db --recover --from /m/2/torc.db--log error";
    assert_eq!(place.noted("recovered"), [recovery]);
}

#[test]
fn one_of_several_records_is_named_by_its_file() {
    let place = Place::new();
    place.tells("remains", &[left("/m/1/torc.db", "newer"), left("/m/2/torc.db", "diverged")]);
    let output = place.run(&["recover", "--from", "/m/2/torc.db", "--to", "rescued.db"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let recovery = "--in-memory --snapshot DIR/rescued.db --recover --from /m/2/torc.db--log error";
    assert_eq!(place.noted("recovered"), [recovery]);
    let output = place.run(&["recover", "--from", "/m/3/torc.db"]);
    assert_eq!(output.status.code(), Some(6));
    assert!(text(&output.stderr).contains("no torcd has left a record in /m/3/torc.db"));
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let place = Place::new();
    place.tells("remains", &[left("/m/torc.db", "newer")]);
    let output = place.run(&["recover", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "would recover /x/torc.db (from /m/torc.db)\n");
    assert_eq!(place.noted("recovered"), [""; 0]);
}

#[test]
fn options_for_taking_a_snapshot_do_not_go_with_what_looks_at_them() {
    let output = Place::new().run(&["--wait", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("are for taking a snapshot"));
}
