//! Commands against a torcd that says exactly what a test wants it to say.
//!
//! What a real torcd says is tested in the package `torc-tests`; here it is what is hard to provoke
//! there: slow snapshots, failures, logs that grow, very long lists, readers that leave.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

mod script;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use bytes::Bytes;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::{
    JobSelector, ListJobs, Logs, Request, Snapshot, SnapshotWait, WorkflowSelector,
};
use torc_protocol::response::{
    Canceled, ErrorCode, LogChunk, RequestError, Response, SnapshotProgress,
};
use torc_protocol::result::LogPart;
use torc_protocol::status::JobStatus;
use torc_protocol::time::Span;
use torc_protocol::view::{JobView, SnapshotFailure, SnapshotPhase, SnapshotStatusView};

use script::{Script, text};

fn job(id: u64) -> JobView {
    JobView {
        id: JobId(id),
        workflow_id: WorkflowId(3),
        name: format!("job{id}"),
        command: "true".to_owned(),
        status: JobStatus::Completed,
        priority: 0,
        attempts: 1,
        return_code: Some(0),
        cpus: 1,
        memory: None,
        gpus: 0,
        labels: Vec::new(),
    }
}

fn chunk(stdout: LogPart, stderr: LogPart, ended: bool) -> Vec<Response> {
    vec![Response::Logs(LogChunk {
        attempt: AttemptId { job: JobId(7), number: AttemptNumber(2) },
        name: "job7".to_owned(),
        status: if ended { JobStatus::Completed } else { JobStatus::Running },
        stdout,
        stderr,
        ended,
    })]
}

fn bytes(text: &'static str) -> LogPart {
    LogPart::Bytes(Bytes::from_static(text.as_bytes()))
}

#[test]
fn an_empty_list_is_a_sentence_on_stderr_for_people_only() {
    let empty = || Script::new(vec![vec![Response::End]]);
    let (output, _) = empty().run(&["jobs", "list", "3"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "");
    assert_eq!(text(&output.stderr), "no jobs in workflow 3\n");
    let (output, _) = empty().run(&["jobs", "list", "night", "--failed"]);
    assert_eq!(text(&output.stderr), "no jobs in workflow 'night' match the filters\n");
    let (output, _) = empty().run(&["jobs", "list", "--format", "json"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("[]\n", ""));
}

#[test]
fn filters_travel_as_they_were_given() {
    let script = Script::new(vec![vec![Response::End]]);
    let (_, requests) = script.run(&[
        "jobs",
        "list",
        "-w",
        "night",
        "--status",
        "failed,running",
        "--name",
        "a*",
        "--limit",
        "5",
        "--offset",
        "2",
        "--sort",
        "name",
        "--reverse",
    ]);
    let [Request::ListJobs(ListJobs { workflow, status, name, page, .. })] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(*workflow, WorkflowSelector::Name("night".to_owned()));
    assert_eq!(*status, [JobStatus::Failed, JobStatus::Running]);
    assert_eq!(name.as_deref(), Some("a*"));
    assert_eq!((page.limit, page.offset, page.reverse), (Some(5), 2, true));
    assert_eq!(page.sort.as_deref(), Some("name"));
}

#[test]
fn a_refusal_gives_its_message_its_hint_and_its_code() {
    let error = RequestError::new(ErrorCode::NotFound, "there is no workflow 9").hint("look");
    let (output, _) = Script::new(vec![vec![Response::Error(error)]]).run(&["jobs", "list", "9"]);
    assert_eq!(output.status.code(), Some(6));
    assert_eq!(text(&output.stderr), "error: there is no workflow 9\nhint: look\n");
    assert_eq!(text(&output.stdout), "");
}

#[test]
fn an_unknown_column_is_refused_before_anybody_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["jobs", "list", "--columns", "id,nmae", "--socket"])
        .arg(dir.path().join("nobody"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let expected = "error: there is no column 'nmae' in a list of jobs\nhint: the columns are \
        id, workflow_id, name, status, return_code, attempts, priority, cpus, memory, gpus, \
        labels, command\n";
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn a_reader_that_leaves_early_is_not_an_error() {
    let chunk: Vec<JobView> = (1..=1000).map(job).collect();
    let mut answer = vec![Response::Jobs(chunk); 50];
    answer.push(Response::End);
    for format in ["table", "json", "ndjson", "csv"] {
        let script = Script::new(vec![answer.clone()]);
        let mut command = script.command(&["jobs", "list", "--format", format]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{format}");
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), &*stderr), (Some(0), ""), "{format}");
        script.finish();
    }
}

#[test]
fn logs_go_where_the_job_sent_them() {
    let both = || Script::new(vec![chunk(bytes("out\n"), bytes("err\n"), true)]);
    let (output, _) = both().run(&["logs", "7"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out\n", "err\n"));
    let (output, _) = both().run(&["logs", "7", "--stderr"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("err\n", ""));
    let (output, _) = both().run(&["logs", "7", "--stdout"]);
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("out\n", ""));
}

#[test]
fn logs_that_grow_are_followed_in_the_attempt_they_began_with() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "onetwo").unwrap();
    let part = |bytes| LogPart::File { path: file.path().to_str().unwrap().to_owned(), bytes };
    let script = Script::new(vec![
        chunk(part(3), bytes("a"), false),
        chunk(part(6), bytes(""), false),
        chunk(part(6), bytes("b"), true),
    ]);
    let (output, requests) = script.run(&["logs", "job7", "-f"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("onetwo", "ab"));
    let asked: Vec<_> = requests
        .iter()
        .map(|request| match request {
            Request::Logs(Logs {
                job, attempt, stdout_offset, stderr_offset, wait: true, ..
            }) => (job.clone(), attempt.map(|number| number.0), *stdout_offset, *stderr_offset),
            other => panic!("{other:?}"),
        })
        .collect();
    let by_name = JobSelector::Name(WorkflowSelector::Latest, "job7".to_owned());
    let by_id = JobSelector::Id(JobId(7));
    let expected = [(by_name, None, 0, 0), (by_id.clone(), Some(2), 3, 1), (by_id, Some(2), 6, 1)];
    assert_eq!(asked, expected);
}

#[test]
fn logs_of_a_running_job_end_with_what_there_is_unless_followed() {
    let script = Script::new(vec![
        chunk(bytes("so far"), bytes(""), false),
        chunk(bytes(""), bytes(""), false),
    ]);
    let (output, requests) = script.run(&["logs", "7"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "so far");
    assert_eq!(requests.len(), 2);
}

#[test]
fn a_snapshot_that_is_not_on_disk_in_time_is_named_by_its_step() {
    let script = Script::new(vec![vec![
        Response::Snapshot(SnapshotProgress::Queued),
        Response::Snapshot(SnapshotProgress::Phase(SnapshotPhase::Write)),
        Response::Snapshot(SnapshotProgress::TimedOut(SnapshotPhase::Sync)),
        Response::End,
    ]]);
    let (output, requests) = script.run(&["snapshot", "--wait=30", "--path", "here.db"]);
    assert_eq!(output.status.code(), Some(4));
    let expected = "error: the snapshot is not on disk yet, it is at step 'sync'\n\
        hint: it goes on; `torcctl status` shows when it is done\n";
    assert_eq!(text(&output.stderr), expected);
    let [Request::Snapshot(Snapshot { wait, path })] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(*wait, SnapshotWait::AtMost(Span(30_000_000)));
    assert!(path.as_ref().unwrap().starts_with('/'), "{path:?}");
}

#[test]
fn a_snapshot_that_failed_is_told_in_both_ways() {
    let failure = SnapshotFailure {
        path: "/x.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: Some(28),
        reason: "no space left on device".to_owned(),
        kept: None,
    };
    let failed = Response::Snapshot(SnapshotProgress::Failed(failure));
    let script = Script::new(vec![vec![failed, Response::End]]);
    let (output, _) = script.run(&["snapshot", "--wait", "--format", "json"]);
    assert_eq!(output.status.code(), Some(5));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["status"], "failed");
    assert_eq!(json["errno"], 28);
    assert!(text(&output.stderr).contains("/x.db"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("no space left on device"));
}

#[test]
fn failing_snapshots_are_told_once_beside_whatever_was_asked() {
    let failing = SnapshotStatusView {
        changes_since: 5,
        error: Some(SnapshotFailure {
            path: "/x.db".to_owned(),
            phase: SnapshotPhase::Sync,
            errno: Some(5),
            reason: "input/output error".to_owned(),
            kept: None,
        }),
        ..SnapshotStatusView::default()
    };
    let degraded = || Response::Degraded(Box::new(failing.clone()));
    let list = || vec![degraded(), Response::Jobs(vec![job(1)]), degraded(), Response::End];
    let (output, _) = Script::new(vec![list()]).run(&["jobs", "list", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout).lines().count(), 2);
    let expected = "warning: snapshots fail: step 'sync' of /x.db failed: input/output error (os \
        error 5)\nthere is no good one yet; 5 changes since\nhint: make room there, or";
    let said = text(&output.stderr);
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(said.matches("warning").count(), 1, "{said}");
    let canceled = Canceled { workflow_id: WorkflowId(3), canceled: 5, stopping: 2 };
    let script = Script::new(vec![vec![degraded(), Response::Canceled(canceled)]]);
    let (output, _) = script.run(&["cancel", "3", "--quiet"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).starts_with("warning: snapshots fail"), "in quiet mode too");
}

#[test]
fn a_connection_that_breaks_is_not_a_snapshot() {
    let queued = Response::Snapshot(SnapshotProgress::Queued);
    let (output, _) = Script::new(vec![vec![queued]]).run(&["snapshot", "--wait"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("the connection to torcd failed"));
}

#[test]
fn a_cancel_tells_its_counts() {
    let canceled = Canceled { workflow_id: WorkflowId(3), canceled: 5, stopping: 2 };
    let script = Script::new(vec![vec![Response::Canceled(canceled)]]);
    let (output, requests) = script.run(&["cancel", "3", "--job", "a", "--grace", "1.5s"]);
    let expected = "workflow 3: 5 jobs will not start, 2 are being stopped\n";
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), expected));
    let [Request::Cancel(cancel)] = &requests[..] else {
        panic!("{requests:?}");
    };
    assert_eq!(cancel.grace, Some(Span(1_500_000)));
    let workflow = WorkflowSelector::Id(WorkflowId(3));
    assert_eq!(cancel.jobs, [JobSelector::Name(workflow, "a".to_owned())]);
}

#[test]
fn nobody_at_the_socket_is_exit_code_three() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("nobody");
    for arguments in [&["status"][..], &["cancel"], &["snapshot"], &["jobs", "list"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
            .args(arguments)
            .arg("--socket")
            .arg(&socket)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{arguments:?}");
        assert!(text(&output.stderr).contains("hint: "), "{}", text(&output.stderr));
    }
}
