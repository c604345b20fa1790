//! Commands that read: from a file, which stays as it is, or from a torcd that runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use torc_tests::torc::{Torc, names_in};

use crate::torc;

/// A directory with two workflows: one of three jobs of which one failed, and one of one.
pub(crate) fn with_history() -> Torc {
    let torc = torc();
    torc.args([
        "exec",
        "-n",
        "first",
        "-c",
        "echo one",
        "-c",
        "echo two >&2; exit 2",
        "-c",
        "true",
    ])
    .run()
    .expect(1);
    torc.args(["exec", "-n", "second", "-c", "echo three"]).run().expect(0);
    torc
}

const READS: [&[&str]; 17] = [
    &["results", "list"],
    &["results", "list", "first", "--format", "json"],
    &["jobs", "list", "1"],
    &["jobs", "get", "job1"],
    &["jobs", "get", "2", "--format", "json"],
    &["workflows", "list"],
    &["workflows", "get", "latest"],
    &["logs", "job1"],
    &["logs", "2", "--stderr"],
    &["results", "list", "--format", "csv"],
    &["results", "list", "--all-attempts"],
    &["workflows", "graph"],
    &["workflows", "graph", "1", "--as", "mermaid"],
    &["files", "list"],
    &["user-data", "list"],
    &["explain", "job1"],
    &["jobs", "list", "--actions"],
];

#[test]
fn reading_a_file_leaves_it_as_it_is_and_makes_no_other() {
    let torc = with_history();
    let before = fs::read(torc.database_path()).unwrap();
    let database = torc.database_path();
    let database = database.to_str().unwrap();
    for read in READS {
        torc.args(read).run().expect(0);
        torc.args(read).args(["--db", database]).dir(torc.root()).run().expect(0);
        assert!(fs::read(database).unwrap() == before, "{read:?} has changed the file");
        assert_eq!(names_in(&torc.path("torc_output")), ["torc.db"], "{read:?}");
        assert_eq!(names_in(&torc.work()), ["torc_output"], "{read:?}");
    }
}

#[test]
fn a_file_in_a_directory_that_cannot_be_written_to_can_be_read() {
    let torc = with_history();
    let dir = torc.path("torc_output");
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o500)).unwrap();
    let outcome = torc.args(["results", "list"]).run().expect(0);
    assert!(outcome.stdout.contains("echo three"), "{outcome}");
    fs::set_permissions(&dir, PermissionsExt::from_mode(0o700)).unwrap();
}
#[test]
fn results_tell_what_each_attempt_gave() {
    let torc = with_history();
    let results =
        torc.args(["results", "list", "first", "--format", "json"]).run().expect(0).json();
    let results = results.as_array().unwrap();
    assert_eq!(results.len(), 3);
    assert_eq!(results[1]["command"], "echo two >&2; exit 2");
    assert_eq!(results[1]["status"], "failed");
    assert_eq!(results[1]["return_code"], 2);
    assert_eq!(results[1]["stderr_bytes"], 4);
    assert_eq!(results[1]["reason"], "exit code 2");
    assert!(results[1]["usage"]["wall"].as_f64().unwrap() > 0.0);
    assert!(results[1]["usage"]["peak_memory"].as_u64().unwrap() > 0);
    assert!(!results[1]["node"].as_str().unwrap().is_empty());
}

#[test]
fn a_job_is_shown_with_its_attempts() {
    let torc = torc();
    torc.args(["exec", "--retries", "1", "-c", "exit 7"]).run().expect(1);
    let detail = torc.args(["jobs", "get", "job1", "--format", "json"]).run().expect(0).json();
    assert_eq!(detail["job"]["attempts"], 2);
    assert_eq!(detail["attempts"].as_array().unwrap().len(), 2);
    assert_eq!(detail["attempts"][1]["return_code"], 7);
    let all = torc.args(["results", "list", "--all-attempts", "--format", "json"]).run().expect(0);
    assert_eq!(all.json().as_array().unwrap().len(), 2);
}

#[test]
fn every_format_tells_the_same() {
    let torc = with_history();
    let list = ["jobs", "list", "first", "--columns", "id,name,status", "--format"];
    let csv = torc.args(list).args(["csv"]).run().expect(0);
    let expected = "id,name,status\n1,job1,completed\n2,job2,failed\n3,job3,completed\n";
    assert_eq!(csv.stdout, expected);
    let lines = torc.args(list).args(["ndjson"]).run().expect(0).json_lines();
    let array = torc.args(list).args(["json"]).run().expect(0).json();
    assert_eq!(array.as_array(), Some(&lines));
    assert_eq!(lines[1], serde_json::json!({"id": 2, "name": "job2", "status": "failed"}));
    let table = torc.args(list).args(["table"]).run().expect(0);
    assert_eq!(table.stdout.lines().count(), 4, "{table}");
    assert!(!table.stdout.contains('\u{1b}'), "colours in a pipe: {table}");
}

#[test]
fn logs_are_the_bytes_that_the_job_wrote() {
    let torc = torc();
    let command = "printf 'a\\377\\000b'; printf 'c\\377' >&2";
    torc.args(["exec", "-c", command]).run().expect(0);
    let both = torc.args(["logs", "job1"]).run().expect(0);
    assert_eq!(both.stdout_bytes, b"a\xff\0b");
    let errors = torc.args(["logs", "job1", "--stderr"]).run().expect(0);
    assert_eq!(errors.stdout_bytes, b"c\xff");
    assert_eq!(errors.stderr, "");
}

#[test]
fn a_running_torcd_is_asked_rather_than_a_file() {
    let torc = with_history();
    let daemon = torc.daemon(["--in-memory", "--snapshot", "service.db"]);
    torc.args(["exec", "-n", "live", "-c", "echo live"]).run().expect(0);
    let workflows = torc.args(["workflows", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!(workflows.as_array().unwrap().len(), 1);
    assert_eq!(workflows[0]["name"], "live");
    assert_eq!(torc.args(["logs", "job1"]).run().expect(0).stdout, "live\n");
    let file = torc.args(["workflows", "list", "--db", "torc_output/torc.db", "--format", "json"]);
    assert_eq!(file.run().expect(0).json().as_array().unwrap().len(), 2);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_running_job_can_be_followed_and_canceled() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let command = format!("echo first line; {}", crate::SLEEPER);
    let submitted = torc.args(["exec", "--detach", "-c", &command]).run().expect(0);
    assert!(submitted.stdout.contains('1'), "{submitted}");
    torc.contents_of("started");
    assert_eq!(torc.args(["logs", "job1"]).run().expect(0).stdout, "first line\n");
    let follower = torc.args(["logs", "-f", "job1"]).start();
    let jobs = torc.args(["jobs", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!(jobs[0]["status"], "running");
    torc.args(["cancel"]).run().expect(0);
    assert_eq!(follower.wait().expect(0).stdout, "first line\n");
    let jobs = torc.args(["jobs", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!(jobs[0]["status"], "terminated");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn what_does_not_exist_gives_code_6() {
    let torc = with_history();
    for (args, what) in [
        (["jobs", "get", "nope"], "nope"),
        (["jobs", "get", "4711"], "4711"),
        (["logs", "nope", "--stdout"], "nope"),
        (["results", "list", "99"], "99"),
        (["jobs", "list", "nope"], "nope"),
        (["workflows", "get", "nope"], "nope"),
    ] {
        torc.args(args).run().expect_refusal(6, what);
    }
    torc.args(["results", "list", "--db", "missing.db"]).run().expect_refusal(6, "missing.db");
}

#[test]
fn a_column_that_does_not_exist_gives_code_2() {
    let torc = with_history();
    torc.args(["jobs", "list", "--columns", "name,colour"]).run().expect_refusal(2, "colour");
    torc.args(["jobs", "list", "--sort", "colour"]).run().expect_refusal(2, "colour");
    torc.args(["results", "list", "--status", "sad"]).run().expect_refusal(2, "sad");
}

#[test]
fn without_a_torcd_and_without_a_file_it_is_code_3() {
    let torc = torc();
    torc.args(["results", "list"]).run().expect_refusal(3, "torc_output/torc.db");
    torc.args(["status"]).run().expect_refusal(3, "torcd.sock");
    torc.args(["snapshot", "--wait"]).run().expect_refusal(3, "torcd.sock");
    torc.args(["cancel"]).run().expect_refusal(3, "torcd.sock");
}
