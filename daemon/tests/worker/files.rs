//! The files that a job reads and writes.

use std::fs;

use torc_protocol::result::{Ending, FileStamp};
use torc_protocol::spec::JobSettings;
use torc_protocol::status::JobStatus;
use torc_protocol::worker::StartExtra;

use crate::harness::{Worker, text};

fn extra(inputs: &[&str], outputs: &[&str]) -> StartExtra {
    let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    StartExtra { inputs: owned(inputs), outputs: owned(outputs), ..StartExtra::default() }
}

fn lengths(stamps: &[Option<FileStamp>]) -> Vec<Option<u64>> {
    stamps.iter().map(|stamp| stamp.map(|stamp| stamp.bytes)).collect()
}

#[test]
fn inputs_are_looked_at_before_the_start_and_outputs_after_the_end() {
    let mut worker = Worker::plain();
    fs::write(worker.directory.path().join("in"), "four").unwrap();
    let line = "cat in > out; echo longer > in; echo x > in2";
    let result = worker.run_extra(line, extra(&["in", "in2"], &["out"]));
    assert_eq!(result.status(), JobStatus::Completed);
    let files = result.files.unwrap();
    assert_eq!(lengths(&files.inputs), [Some(4), None]);
    assert_eq!(lengths(&files.outputs), [Some(4)]);
    let modified = files.outputs[0].unwrap().modified;
    assert!((result.started_at.0 - 1_000_000..=result.finished_at.0).contains(&(modified / 1000)));
}

#[test]
fn paths_begin_at_the_directory_of_the_workflow_and_not_of_the_job() {
    let settings = JobSettings { working_dir: Some("sub".to_owned()), ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    fs::create_dir(worker.directory.path().join("sub")).unwrap();
    let result = worker.run_extra("touch ../a b", extra(&[], &["a", "b", "sub/b"]));
    assert_eq!(result.ending, Ending::Incomplete(vec!["b".to_owned()]));
}

#[test]
fn exit_code_0_without_the_outputs_is_a_failure_that_names_them() {
    let mut worker = Worker::plain();
    let result = worker.run_extra("echo said; touch b", extra(&[], &["a", "b", "c"]));
    assert_eq!(result.ending, Ending::Incomplete(vec!["a".to_owned(), "c".to_owned()]));
    assert_eq!((result.status(), result.return_code()), (JobStatus::Failed, 0));
    assert_eq!(result.reason(), "output files missing: a, c");
    assert_eq!(text(&result.stdout), "said\n");
    let result = worker.run_extra("rm b; exit 3", extra(&[], &["b"]));
    assert_eq!(result.ending, Ending::Exited(3));
    assert_eq!(result.files.unwrap().outputs, [None]);
}

#[test]
fn output_of_a_job_without_its_files_is_kept() {
    let settings = JobSettings { delete_on_success: true, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    assert_eq!(text(&worker.run_extra("echo said", extra(&[], &["a"])).stdout), "said\n");
}

#[test]
fn more_files_than_can_be_reported_do_not_end_the_worker() {
    let mut worker = Worker::plain();
    let result = worker.run_extra("echo said", extra(&vec!["."; 1_000_000], &[]));
    assert_eq!((result.status(), text(&result.stdout)), (JobStatus::Completed, "said\n".into()));
    assert_eq!(result.files, None);
    assert_eq!(worker.run("true").status(), JobStatus::Completed);
}

#[test]
fn a_job_without_files_or_that_was_not_started_has_none() {
    let mut worker = Worker::plain();
    assert_eq!(worker.run("true").files, None);
    assert_eq!(worker.run_extra("true", extra(&[], &[])).files, None);
    assert_eq!(worker.run_extra("no-such-program", extra(&["a"], &["b"])).files, None);
}
