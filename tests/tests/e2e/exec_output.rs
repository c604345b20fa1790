//! `torcctl exec`: what becomes of what jobs write, and what is told on stdout.

use std::fs;
use std::path::{Path, PathBuf};

use torc_tests::torc::Torc;

use crate::torc;

const BOTH: &str = "echo out; echo err >&2";

/// Runs [`BOTH`] in a mode, and returns the contents of the files by stream.
fn files(mode: &str) -> (Torc, Vec<(String, String)>) {
    let torc = torc();
    torc.args(["exec", "--stdio", mode, "-c", BOTH]).run().expect(0);
    let rows = torc.database().rows("SELECT stream, path FROM output ORDER BY stream");
    let read = |row: String| {
        let (stream, path) = row.split_once('|').unwrap();
        assert!(PathBuf::from(path).starts_with(torc.path("torc_output")), "{path}");
        (stream.to_owned(), fs::read_to_string(path).unwrap())
    };
    let files = rows.into_iter().map(read).collect();
    (torc, files)
}

fn pair(stream: &str, contents: &str) -> (String, String) {
    (stream.to_owned(), contents.to_owned())
}

#[test]
fn separate_output_goes_to_two_files() {
    let (_torc, files) = files("separate");
    assert_eq!(files, [pair("stderr", "err\n"), pair("stdout", "out\n")]);
}

#[test]
fn combined_output_goes_to_one_file_in_the_order_of_writing() {
    let (_torc, files) = files("combined");
    assert_eq!(files, [pair("stdout", "out\nerr\n")]);
}

#[test]
fn one_stream_can_be_left_out() {
    let (_torc, without_stdout) = files("no-stdout");
    assert_eq!(without_stdout, [pair("stderr", "err\n")]);
    let (_torc, without_stderr) = files("no-stderr");
    assert_eq!(without_stderr, [pair("stdout", "out\n")]);
}

#[test]
fn without_output_nothing_is_kept() {
    let (torc, files) = files("none");
    assert_eq!(files, []);
    assert_eq!(torc_tests::torc::names_in(&torc.path("torc_output")), ["torc.db"]);
}

#[test]
fn output_over_a_mebibyte_goes_to_a_file_with_nothing_lost() {
    let torc = torc();
    let command = "head -c 3000001 /dev/urandom | tee copy; echo small >&2";
    torc.args(["exec", "-c", command]).run().expect(0);
    let copy = fs::read(torc.path("copy")).unwrap();
    assert_eq!(copy.len(), 3_000_001);
    let database = torc.database();
    let sql =
        "SELECT path FROM output WHERE stream = 'stdout' AND bytes = 3000001 AND data IS NULL";
    let spilled = fs::read(database.value(sql)).unwrap();
    assert!(spilled == copy, "the file differs from what was written");
    assert_eq!(database.output("job1", "stderr"), b"small\n");
    let logs = torc.args(["logs", "job1"]).run().expect(0);
    assert!(logs.stdout_bytes == copy, "the log differs from what was written");
    assert_eq!(logs.stderr, "small\n");
}

#[test]
fn output_of_exactly_a_mebibyte_is_kept_and_need_not_be_text() {
    let torc = torc();
    torc.args(["exec", "-c", "head -c 1048576 /dev/urandom | tee copy"]).run().expect(0);
    let copy = fs::read(torc.path("copy")).unwrap();
    assert!(torc.database().output("job1", "stdout") == copy);
}

#[test]
fn grouped_output_comes_whole_and_in_order_when_asked_for() {
    let torc = torc();
    let command = "echo {i} begins; test {i} = 1 && sleep 0.2; echo {i} ends";
    let outcome = torc
        .args(["exec", "-j", "4", "--print", "grouped", "--keep-order", "--param", "i=1:4"])
        .args(["-c", command])
        .run()
        .expect(0);
    let expected: String = (1..=4).map(|i| format!("{i} begins\n{i} ends\n")).collect();
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn nothing_but_data_is_on_stdout() {
    let torc = torc();
    let outcome = torc.args(["exec", "-c", "echo x"]).run().expect(0);
    assert_eq!(outcome.stdout, "");
    outcome.says("1 job completed");
    let quiet = torc.args(["exec", "--quiet", "-c", "echo x"]).run().expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn the_json_summary_has_the_promised_keys() {
    let torc = torc();
    let outcome = torc
        .args(["exec", "--format", "json", "--name", "sum", "-c", "exit 3", "-c", "true"])
        .run()
        .expect(1);
    let mut summary = outcome.json();
    assert_eq!(summary["workflow_id"], 1);
    assert_eq!(summary["name"], "sum");
    assert_eq!(summary["status"], "failed");
    let jobs = serde_json::json!(
        {"total": 2, "completed": 1, "failed": 1, "canceled": 0, "terminated": 0}
    );
    assert_eq!(summary["jobs"], jobs);
    assert_eq!(summary["failed_jobs"][0]["name"], "job1");
    assert_eq!(summary["failed_jobs"][0]["return_code"], 3);
    assert!(summary["elapsed_s"].as_f64().unwrap() >= 0.0);
    let snapshot = summary["snapshot"].take();
    assert_eq!(snapshot["path"], torc.database_path().to_str().unwrap());
    assert_eq!(snapshot["durable"], true);
    assert_eq!(snapshot["error"], serde_json::Value::Null);
    assert_eq!(snapshot["generation"], torc.database().generation());
    assert_eq!(snapshot["bytes"], fs::metadata(torc.database_path()).unwrap().len());
}

#[test]
fn ndjson_streams_every_event_and_ends_with_the_summary() {
    let torc = torc();
    let outcome =
        torc.args(["exec", "--format", "ndjson", "--param", "i=1:3", "-c", "true"]).run().expect(0);
    let lines = outcome.json_lines();
    let (summary, events) = lines.split_last().unwrap();
    assert_eq!(summary["jobs"]["completed"], 3);
    let count =
        |kind: &str| events.iter().filter(|event| event["event"].get(kind).is_some()).count();
    assert_eq!(count("job_finished"), 3, "{outcome}");
    assert_eq!(count("workflow_finished"), 1, "{outcome}");
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
}

#[test]
fn output_that_cannot_be_written_is_a_failure() {
    let torc = torc();
    let script = |options: &str| {
        let torcctl = torc.torcctl_path();
        let line = format!("{} exec {options} >/dev/full", torcctl.display());
        torc.program(Path::new("/bin/sh")).args(["-c", &line]).run()
    };
    for options in [
        "--format json -c true",
        "--format ndjson -c true",
        "-- echo x",
        "--print grouped -c 'echo x'",
    ] {
        script(options).expect(1).says("No space left on device");
    }
    script("-c true").expect(0);
    assert_eq!(torc.database().value("SELECT count(*) FROM job WHERE status = 'completed'"), "5");
}

#[test]
fn captured_output_makes_no_directory_beside_the_torcd_of_the_user() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    torc.args(["exec", "-c", "echo x"]).run().expect(0);
    assert!(!torc.path("torc_output").exists());
    torc.args(["exec", "--stdio", "combined", "-c", "echo x"]).run().expect(0);
    assert!(torc.path("torc_output").exists());
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_job_whose_output_cannot_be_kept_has_failed() {
    let torc = torc();
    fs::create_dir(torc.path("out")).unwrap();
    torc.write("out/stdio", "no directory");
    let mib = "head -c 2000000 /dev/zero";
    let outcome = torc.args(["exec", "-o", "out", "--db", "x.db", "-c", mib, "-c", "true"]).run();
    outcome.expect(1).says("output lost");
    let database = torc_tests::database::Database::open(torc.path("x.db"));
    let rows = database.rows("SELECT status, return_code FROM attempt ORDER BY job_id");
    assert_eq!(rows, ["failed|0", "completed|0"]);
}
