//! Databases of released schemas: they open, and their unfinished workflows go on.
//!
//! `tests/fixtures/README.md` says what is in them and how they are made.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;
use torc_tests::database::Database;
use torc_tests::torc::Torc;

use crate::torc;

const SCHEMA_1: &str = include_str!("../../../daemon/src/store/schema/0001.sql");

/// What the fixtures are made of: a job that completes, one that fails, one that is to be run again,
/// one that has not started, and one that waits for that.
const NIGHT: &str = r#"
name: night
description: What runs at night
files:
  - {name: table, path: table.csv}
user_data:
  - {name: seeds, data: {first: 1, last: 3}}
jobs:
  - {name: prepare, command: "echo prepared; touch table.csv", output_files: [table]}
  - {name: broken, command: "echo out of ideas >&2; exit 3"}
  - {name: long, command: "test ! -e long.is.new || exec sleep 300"}
  - {name: later, command: echo later, input_user_data: [seeds]}
  - {name: after, command: echo after, depends_on: [later]}
actions:
  - {trigger_type: on_workflow_complete, action_type: run_commands, commands: [echo all is done]}
"#;

/// Takes out of a database what belongs to the machine and the moment where it was made.
const SCRUB: &str = "
    UPDATE workflow SET working_dir = '/', output_dir = '/torc_output',
        submitted_at = 1700000000000000 + id, finished_at = finished_at - submitted_at
            + 1700000000000000;
    UPDATE environment SET entries = CAST('PATH=/usr/bin:/bin' || char(0) AS BLOB);
    UPDATE attempt SET node = 'node1', pid = NULL, started_at = 1700000001000000,
        finished_at = 1700000002000000, wall_us = 1000000, user_us = 2000, system_us = 3000,
        peak_memory = 4194304;
    UPDATE job_file SET modified_ns = 1700000001000000000 WHERE modified_ns IS NOT NULL;
    UPDATE snapshot SET instance = (SELECT value FROM meta WHERE key = 'instance'),
        host = 'node1', boot_id = '00000000-0000-0000-0000-000000000000', pid = 1,
        path = '/home/ada/torc.db', started_at = 1700000003000000,
        finished_at = finished_at - started_at + 1700000003000000;
    PRAGMA journal_mode = DELETE;
    VACUUM;";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// Copies a fixture to where a test may change it.
fn copy(torc: &Torc, name: &str) -> String {
    let copy = torc.write("copy.db", fs::read(fixture(name)).unwrap());
    copy.to_str().unwrap().to_owned()
}

/// Makes a fixture of the present schema.
fn make(path: &Path) {
    let torc = torc();
    torc.write("night.yaml", NIGHT);
    torc.write("long.is.new", "");
    torc.args(["daemon", "start", "--db", "made.db"]).run().expect(0);
    let morning =
        ["exec", "--detach", "--name", "morning", "-c", "echo done", "--stdio", "capture"];
    torc.args(morning).run().expect(0);
    torc.args(["wait"]).run().expect(0);
    let night = ["run", "--detach", "-j", "1", "--stdio", "capture", "night.yaml"];
    torc.args(night).run().expect(0);
    torc_tests::wait::wait_until("the long job runs", || {
        let list = torc.args(["jobs", "list", "--format", "csv"]).run().expect(0).stdout;
        list.lines().any(|line| line.contains("long") && line.contains("running"))
    });
    torc.args(["daemon", "stop", "--running", "again"]).run().expect(0);
    torc.wait_for_silence();
    let made = torc.path("made.db");
    Connection::open(&made).unwrap().execute_batch(SCRUB).unwrap();
    fs::copy(made, path).unwrap();
}

#[test]
fn the_fixture_of_schema_1_has_the_schema_that_is_made_today() {
    let path = fixture("schema-1.db");
    if std::env::var_os("UPDATE").is_some() {
        make(&path);
    }
    let objects = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name";
    let expected = tempfile::NamedTempFile::new().unwrap();
    Connection::open(expected.path()).unwrap().execute_batch(SCHEMA_1).unwrap();
    let expected = Database::open(expected.path()).rows(objects);
    let fixture = Database::open(&path);
    fixture.expect_sound();
    assert_eq!(
        fixture.rows(objects),
        expected,
        "schema 1 was changed: databases that users have would not open. Add a step to \
         `daemon/src/store/migrate.rs` instead. (Until it is released: UPDATE=1)"
    );
    assert_eq!(fixture.value("PRAGMA user_version"), "1");
    assert_eq!(fixture.value("PRAGMA application_id"), "1953460835");
}

#[test]
fn the_fixture_of_schema_1_tells_nothing_of_where_it_was_made() {
    let bytes = fs::read(fixture("schema-1.db")).unwrap();
    assert!(bytes.len() < 256 * 1024, "{} bytes", bytes.len());
    let text = String::from_utf8_lossy(&bytes);
    for word in ["/tmp/torc-", "XDG_", "HOME=", env!("CARGO_MANIFEST_DIR")] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn a_database_of_schema_1_is_read() {
    let torc = torc();
    let file = fixture("schema-1.db").to_str().unwrap().to_owned();
    let list = |what: &[&str], fields: &[&str]| {
        let options = ["--db", &file, "--format", "json"];
        let rows = torc.args(what.iter().copied().chain(options)).run().expect(0).json();
        let words = |row: &Value| {
            let words = fields.iter().map(|field| row[field].to_string().replace('"', ""));
            words.collect::<Vec<_>>().join(" ")
        };
        rows.as_array().unwrap().iter().map(words).collect::<Vec<_>>()
    };
    let workflows = list(&["workflows", "list"], &["name", "status"]);
    assert_eq!(workflows, ["morning completed", "night running"]);
    let jobs = list(&["jobs", "list", "night"], &["name", "status", "attempts"]);
    let waiting = ["long ready 1", "later ready 0", "after blocked 0"];
    assert_eq!(jobs, [&["prepare completed 1", "broken failed 1"][..], &waiting].concat());
    let results = list(&["results", "list", "night"], &["name", "status", "return_code"]);
    assert_eq!(results, ["prepare completed 0", "broken failed 3", "long terminated 143"]);
    assert_eq!(list(&["files", "list", "night"], &["name", "path"]), ["table table.csv"]);
    assert_eq!(list(&["user-data", "list", "night"], &["name"]), ["seeds"]);
    let log = torc.args(["logs", "prepare", "--db", &file]).run().expect(0);
    assert_eq!(log.stdout, "prepared\n");
    let log = torc.args(["logs", "broken", "--stderr", "--db", &file]).run().expect(0);
    assert_eq!(log.stdout, "out of ideas\n");
}

#[test]
fn an_unfinished_workflow_of_schema_1_goes_on_on_disk_and_in_memory() {
    for in_memory in [false, true] {
        let torc = torc();
        let file = copy(&torc, "schema-1.db");
        let mut start = vec!["daemon", "start", "--db", &file];
        start.extend(in_memory.then_some("--in-memory"));
        torc.args(start).run().expect(0);
        torc.args(["wait", "night"]).run().expect(1);
        torc.args(["daemon", "stop"]).run().expect(0);
        torc.wait_for_silence();
        let database = Database::open(&file);
        database.expect_sound();
        let jobs = "SELECT job.name, job.status, job.attempts FROM job
            JOIN workflow ON workflow.id = workflow_id WHERE workflow.name = 'night' ORDER BY job.id";
        let expected = [
            "prepare|completed|1",
            "broken|failed|1",
            "long|completed|2",
            "later|completed|1",
            "after|completed|1",
            "on_workflow_complete#1|completed|1",
        ];
        assert_eq!(database.rows(jobs), expected);
        assert_eq!(database.output("after", "stdout"), b"after\n");
        assert_eq!(database.value("SELECT max(generation) > 1 FROM snapshot"), "1");
    }
}
