//! Where the output of jobs goes, and how it is seen while they run.

use std::fs;

use torc_protocol::result::{LogPart, Output};
use torc_protocol::spec::{CAPTURE_LIMIT, JobSettings, StdioMode};

use crate::harness::{WORKFLOW, Worker, text};

const BOTH: &str = "echo out; echo err >&2; echo more";

fn file(worker: &Worker, extension: &str) -> String {
    format!("{}/stdio/{WORKFLOW}/1.1.{extension}", worker.path())
}

fn in_file(path: &str, bytes: u64) -> Output {
    Output::File { path: path.to_owned(), bytes, error: None }
}

#[test]
fn both_streams_are_captured_apart() {
    let mut worker = Worker::plain();
    let result = worker.run(BOTH);
    assert_eq!(text(&result.stdout), "out\nmore\n");
    assert_eq!(text(&result.stderr), "err\n");
    assert_eq!(worker.run("true").stdout, Output::None);
    assert_eq!(fs::read_dir(worker.directory.path()).unwrap().count(), 0);
}

#[test]
fn more_than_the_limit_goes_to_a_file_byte_for_byte() {
    let mut worker = Worker::plain();
    let result = worker.run("seq 400000; echo err >&2");
    let wanted: String = (1..=400_000).map(|number| format!("{number}\n")).collect();
    assert!(wanted.len() > 2 * CAPTURE_LIMIT);
    let path = file(&worker, "out");
    assert_eq!(result.stdout, in_file(&path, wanted.len() as u64));
    assert!(fs::read(path).unwrap() == wanted.as_bytes());
    assert_eq!(text(&result.stderr), "err\n");
}

#[test]
fn just_the_limit_is_still_captured() {
    let mut worker = Worker::plain();
    let result = worker.run(&format!("head -c {CAPTURE_LIMIT} /dev/zero"));
    assert_eq!(text(&result.stdout).len(), CAPTURE_LIMIT);
}

#[test]
fn separate_files_hold_a_stream_each() {
    let mut worker = Worker::with_stdio(StdioMode::Separate);
    let result = worker.run(BOTH);
    let (out, err) = (file(&worker, "out"), file(&worker, "err"));
    assert_eq!((result.stdout, result.stderr), (in_file(&out, 9), in_file(&err, 4)));
    assert_eq!(fs::read_to_string(out).unwrap(), "out\nmore\n");
    assert_eq!(fs::read_to_string(err).unwrap(), "err\n");
}

#[test]
fn a_combined_file_holds_both_in_the_order_of_writing() {
    let mut worker = Worker::with_stdio(StdioMode::Combined);
    let result = worker.run(BOTH);
    let log = file(&worker, "log");
    assert_eq!((result.stdout, result.stderr), (in_file(&log, 13), Output::None));
    assert_eq!(fs::read_to_string(log).unwrap(), "out\nerr\nmore\n");
}

#[test]
fn one_stream_or_both_can_be_thrown_away() {
    let mut worker = Worker::with_stdio(StdioMode::NoStdout);
    let result = worker.run(BOTH);
    assert_eq!((result.stdout, result.stderr), (Output::None, in_file(&file(&worker, "err"), 4)));
    let mut worker = Worker::with_stdio(StdioMode::None);
    let result = worker.run("readlink /proc/self/fd/1; readlink /proc/self/fd/2 >&2; false");
    assert_eq!((result.stdout, result.stderr), (Output::None, Output::None));
}

/// Returns the names of the files that are left of a job's output.
fn left(worker: &Worker) -> Vec<String> {
    let directory = worker.directory.path().join("stdio").join(WORKFLOW.to_string());
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn what_a_job_wrote_is_thrown_away_when_it_completes_and_that_is_asked_for() {
    use StdioMode::{Capture, Combined, NoStderr, NoStdout, None, Separate};
    let both = vec!["1.1.err".to_owned(), "1.1.out".to_owned()];
    for (stdio, names) in [
        (Separate, both),
        (Combined, vec!["1.1.log".to_owned()]),
        (NoStdout, vec!["1.1.err".to_owned()]),
        (NoStderr, vec!["1.1.out".to_owned()]),
        (Capture, vec![]),
        (None, vec![]),
    ] {
        let settings = JobSettings { stdio, delete_on_success: true, ..JobSettings::default() };
        let mut worker = Worker::new(1, settings);
        let result = worker.run(BOTH);
        assert_eq!((result.stdout, result.stderr), (Output::None, Output::None), "{stdio:?}");
        assert!(left(&worker).is_empty(), "{stdio:?}");
        let failed = worker.run(&format!("{BOTH}; false"));
        assert_eq!(left(&worker), names, "{stdio:?}");
        assert_eq!(failed.stdout == Output::None, matches!(stdio, NoStdout | None), "{stdio:?}");
    }
}

#[test]
fn a_file_that_captured_output_went_to_is_thrown_away_too() {
    let settings = JobSettings { delete_on_success: true, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    assert_eq!(worker.run("seq 400000").stdout, Output::None);
    assert!(left(&worker).is_empty());
}

#[test]
fn an_output_directory_that_cannot_be_made_does_not_stop_the_job() {
    let mut worker = Worker::with_stdio(StdioMode::Separate);
    fs::write(worker.directory.path().join("stdio"), "in the way").unwrap();
    let result = worker.run("seq 100000; exit 3");
    assert_eq!(result.return_code(), 3);
    let Output::File { bytes: 0, error: Some(error), .. } = result.stdout else { panic!() };
    assert!(error.ends_with("588895 bytes are missing"), "{error}");
}

#[test]
fn output_written_just_before_the_end_is_complete() {
    let mut worker = Worker::plain();
    for _ in 0..50 {
        assert_eq!(text(&worker.run("seq 5000").stdout).len(), 23_893);
    }
}

#[test]
fn a_tail_shows_what_there_is_and_waits_for_more() {
    let mut worker = Worker::plain();
    let gate = worker.directory.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    worker.start_line(1, "echo first; cat gate; echo second");
    worker.wait_for_output(100, 1, "first\n");
    worker.tail(1, 1, 0, false);
    let Some((LogPart::Bytes(stdout), _)) = worker.tailed(1) else { panic!() };
    assert_eq!(stdout, "first\n");
    worker.tail(3, 1, 6, true);
    // Opening it for writing lets the job go on.
    fs::write(gate, "").unwrap();
    let Some((LogPart::Bytes(stdout), _)) = worker.tailed(3) else { panic!() };
    assert_eq!(stdout, "second\n");
    let result = worker.finished(1);
    assert_eq!(text(&result.stdout), "first\nsecond\n");
    worker.tail(2, 1, 0, true);
    assert_eq!(worker.tailed(2), None);
}

#[test]
fn a_tail_that_waits_hears_of_the_end_after_the_result() {
    use torc_protocol::worker::WorkerEvent;
    let mut worker = Worker::plain();
    worker.start_line(1, "sleep 60");
    worker.start_line(2, "true");
    worker.tail(1, 1, 0, true);
    worker.tail(2, 2, 0, true);
    worker.stop(1, torc_protocol::result::StopCause::Canceled, None);
    let mut order = Vec::new();
    while order.len() < 4 {
        match worker.event().unwrap() {
            WorkerEvent::Finished { attempt, .. } => order.push(("finished", attempt.job.0)),
            WorkerEvent::Tailed { id, parts } => {
                assert_eq!(parts, None);
                order.push(("tailed", id));
            }
            _ => {}
        }
    }
    assert_eq!(order, [("finished", 1), ("tailed", 1), ("finished", 2), ("tailed", 2)]);
}

#[test]
fn a_tail_of_a_file_names_it() {
    let mut worker = Worker::with_stdio(StdioMode::Separate);
    worker.start_line(1, "echo first; exec sleep 60");
    worker.tail(1, 1, 0, true);
    let Some((stdout, stderr)) = worker.tailed(1) else { panic!() };
    assert_eq!(stdout, LogPart::File { path: file(&worker, "out"), bytes: 6 });
    assert_eq!(stderr, LogPart::File { path: file(&worker, "err"), bytes: 0 });
}
