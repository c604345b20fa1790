use torc_protocol::id::{AttemptNumber, Generation, JobId, WorkflowId};
use torc_protocol::status::JobStatus;
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{SnapshotFailure, SnapshotPhase, SnapshotView};

use super::*;
use crate::signals::EndSignal;

pub(crate) fn snapshot() -> SnapshotView {
    SnapshotView {
        generation: Generation(3),
        changes: 100,
        path: "/w/torc_output/torc.db".to_owned(),
        bytes: 1_258_291,
        sha256: String::new(),
        started_at: Timestamp(0),
        finished_at: Timestamp(0),
        phases: Vec::new(),
    }
}

pub(crate) fn outcome(status: WorkflowStatus) -> Outcome {
    Outcome {
        workflow: WorkflowId(4),
        name: "night".to_owned(),
        status,
        counts: JobCounts { total: 200, completed: 200, ..JobCounts::default() },
        failed: Vec::new(),
        elapsed: Span(12_300_000),
        saved: Saved::Durable(Some(Box::new(snapshot()))),
        record: Some("/w/torc_output/torc.db".to_owned()),
        found_by: Some(String::new()),
        all_shown: true,
        signal: None,
    }
}

pub(crate) fn failed_job(last_lines: &[&str]) -> FailedJob {
    let result = ResultView {
        job_id: JobId(12),
        workflow_id: WorkflowId(4),
        name: "job2".to_owned(),
        command: "gzip -k foo".to_owned(),
        attempt: AttemptNumber(1),
        status: JobStatus::Failed,
        return_code: Some(2),
        reason: "exit code 2".to_owned(),
        node: "n1".to_owned(),
        pid: Some(1),
        started_at: None,
        finished_at: None,
        usage: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        stdout_path: None,
        stderr_path: None,
    };
    FailedJob { result, last_lines: last_lines.iter().map(|line| (*line).to_owned()).collect() }
}

fn full_disk() -> Saved {
    Saved::Failed(SnapshotFailure {
        path: "/full/torc.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: Some(28),
        reason: "No space left on device".to_owned(),
    })
}

#[test]
fn a_run_without_failures_takes_two_lines() {
    let outcome = outcome(WorkflowStatus::Completed);
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, false), @r"
    200 jobs completed in 12.3 s (workflow 4, night)
    snapshot /w/torc_output/torc.db (1.2 MiB, generation 3)
    ");
    assert_eq!(text(&outcome, Palette::PLAIN, true), "");
}

#[test]
fn failed_commands_are_shown_with_their_last_lines() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.counts = JobCounts { total: 200, completed: 193, failed: 7, ..JobCounts::default() };
    outcome.failed = (0..5).map(|_| failed_job(&[])).collect();
    outcome.failed[0] = failed_job(&["gzip: foo: No such file", "or directory"]);
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, false), @r"
    200 jobs: 193 completed, 7 failed in 12.3 s (workflow 4, night)
    job2 failed (exit code 2): gzip -k foo
      | gzip: foo: No such file
      | or directory
    job2 failed (exit code 2): gzip -k foo
    job2 failed (exit code 2): gzip -k foo
    job2 failed (exit code 2): gzip -k foo
    job2 failed (exit code 2): gzip -k foo
    … and 2 more
    snapshot /w/torc_output/torc.db (1.2 MiB, generation 3)
    look further: torcctl results list --failed · torcctl logs job2
    ");
    let quiet = text(&outcome, Palette::PLAIN, true);
    assert!(quiet.starts_with("job2 failed") && quiet.ends_with("… and 2 more\n"), "{quiet}");
}

#[test]
fn a_snapshot_that_is_not_on_disk_is_said_in_quiet_mode_too() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    outcome.saved = full_disk();
    insta::assert_snapshot!(text(&outcome, Palette::PLAIN, true), @r"
    error: the record of this run is not safe in /full/torc.db: step 'write' failed: No space left on device
    hint: what was there before is untouched; make room or name another place with `--db FILE`, and run again
    ");
}

#[test]
fn the_way_to_look_further_names_the_database() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed_job(&[])];
    outcome.found_by = Some(" --db 'my runs.db'".to_owned());
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.ends_with(
        "results list --failed --db 'my runs.db' · torcctl logs job2 --db 'my runs.db'\n"
    ));
}

#[test]
fn a_run_that_is_found_nowhere_is_not_pointed_to() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed_job(&[])];
    outcome.found_by = None;
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(!text.contains("look further"), "{text}");
}

#[test]
fn a_record_that_stayed_in_memory_is_pointed_to() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    let reason = "no room; the database stays in memory, in /dev/shm/torc-1/9 a/torc.db";
    let Saved::Failed(failure) = full_disk() else { unreachable!() };
    outcome.saved = Saved::Failed(SnapshotFailure { reason: reason.to_owned(), ..failure });
    let text = text(&outcome, Palette::PLAIN, true);
    assert!(text.contains("`cp '/dev/shm/torc-1/9 a/torc.db' FILE`"), "{text}");
    assert!(!text.contains("run again"), "{text}");
}

#[test]
fn a_job_that_was_stopped_is_told_with_its_return_code() {
    let mut failed = failed_job(&[]);
    failed.result.status = JobStatus::Terminated;
    failed.result.return_code = Some(152);
    failed.result.reason = "timed out (signal 15)".to_owned();
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed];
    let text = text(&outcome, Palette::PLAIN, false);
    let expected = "job2 terminated (timed out (signal 15), return code 152): gzip -k foo\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn long_commands_are_cut() {
    let mut failed = failed_job(&[]);
    failed.result.command = "ü".repeat(300);
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.failed = vec![failed];
    let text = text(&outcome, Palette::PLAIN, false);
    assert!(text.contains(&format!(": {}…\n", "ü".repeat(COMMAND_WIDTH))), "{text}");
}

#[test]
fn the_exit_code_tells_the_worst() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    assert_eq!(outcome.exit_code(), 0);
    outcome.all_shown = false;
    assert_eq!(outcome.exit_code(), 1);
    outcome.status = WorkflowStatus::Failed;
    assert_eq!(outcome.exit_code(), 1);
    outcome.signal = Some(EndSignal::Terminate);
    assert_eq!(outcome.exit_code(), 143);
    outcome.saved = full_disk();
    assert_eq!(outcome.exit_code(), 5);
}
