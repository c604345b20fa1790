//! The events of a run: those that come faster than they are read, and those that torcd no longer
//! has.

use std::io::Read;
use std::os::unix::net::UnixListener as StdListener;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tokio::net::UnixListener;
use torc_protocol::connection::ServerSide;
use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::{AttemptNumber, JobId};
use torc_protocol::request::{JobSelector, Request};
use torc_protocol::response::{Response, WatchItem};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobCounts, ResultView, WorkflowView};

use crate::answers::{
    WORKFLOW, accepted, finished, job, logs, result, saved, status, submitted, workflow,
};
use crate::script::{Script, text};

/// So many batches of events come at once; together they are more than sockets and pipes hold.
const BATCHES: u64 = 40;
const BATCH: u64 = 1_000;

fn batch(number: u64) -> Response {
    let event = |place| Event {
        seq: number * BATCH + place + 1,
        at: Timestamp(0),
        workflow_id: WORKFLOW,
        kind: EventKind::JobStarted {
            job_id: JobId(place),
            name: "x".repeat(100),
            attempt: AttemptNumber(1),
            pid: 1,
        },
    };
    Response::Watch(WatchItem::Events((0..BATCH).map(event).collect()))
}

/// Serves a run of many events, and tells when torcctl has taken all of them.
async fn serve(listener: StdListener, taken: mpsc::Sender<()>) {
    listener.set_nonblocking(true).unwrap();
    let (stream, _) = UnixListener::from_std(listener).unwrap().accept().await.unwrap();
    let mut connection = ServerSide::open(stream).await.unwrap();
    let counts = JobCounts { total: 1, completed: 1, ..JobCounts::default() };
    let mut watched = submitted(1);
    watched.extend((0..BATCHES).map(batch));
    let last = Event {
        seq: BATCHES * BATCH + 1,
        at: Timestamp(0),
        workflow_id: WORKFLOW,
        kind: finished(WorkflowStatus::Completed, counts),
    };
    watched.extend([Response::Watch(WatchItem::Events(vec![last])), Response::End]);
    for answer in [status(), accepted(), accepted(), watched] {
        connection.receive().await.unwrap().unwrap();
        for response in answer {
            connection.send(response).await.unwrap();
        }
    }
    taken.send(()).unwrap();
    connection.receive().await.unwrap().unwrap();
    for response in saved() {
        connection.send(response).await.unwrap();
    }
}

#[test]
fn events_are_taken_from_torcd_however_slowly_they_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = StdListener::bind(&socket).unwrap();
    let (taking, taken) = mpsc::channel();
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(serve(listener, taking));
    });
    let mut run = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["exec", "-c", "true", "--format", "ndjson", "--socket"])
        .arg(&socket)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let all_taken = taken.recv_timeout(Duration::from_secs(30));
    let mut told = String::new();
    run.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(0));
    server.join().unwrap();
    assert_eq!(all_taken, Ok(()), "nobody read our stdout, and so torcd was kept waiting");
    // And the summary.
    assert_eq!(told.lines().count() as u64, BATCHES * BATCH + 2);
}

/// Returns what a watcher hears who was cut off before the first event.
fn cut(jobs: u64) -> Vec<Response> {
    let mut responses = submitted(jobs);
    responses.extend([Response::Watch(WatchItem::Cut { next_seq: 1 }), Response::End]);
    responses
}

/// Returns the state in which a workflow is that has completed meanwhile.
fn state(jobs: u64) -> Vec<Response> {
    let state = WorkflowView {
        jobs: JobCounts { total: jobs, completed: jobs, ..JobCounts::default() },
        finished_at: Some(Timestamp(1)),
        ..workflow("/w", WorkflowStatus::Completed)
    };
    vec![
        Response::Watch(WatchItem::State { workflow: Box::new(state), next_seq: 9 }),
        Response::End,
    ]
}

#[test]
fn a_state_stands_in_for_events_that_are_gone() {
    let first = vec![status(), accepted(), accepted(), cut(1)];
    let script = Script::of_connections(vec![first, vec![state(1), saved()]]);
    let (output, _) = script.run(&["exec", "-c", "true", "--format", "ndjson"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(
        (&lines[0]["next_seq"], &lines[0]["state"]["status"]),
        (&9.into(), &"completed".into())
    );
    assert_eq!(lines[1]["workflow_id"], 3);
}

/// Returns an attempt that completed, started at `at`.
fn attempt(job: u64, number: u32, at: Timestamp) -> ResultView {
    ResultView {
        attempt: AttemptNumber(number),
        status: JobStatus::Completed,
        started_at: Some(at),
        ..result(job, "sum", String::new())
    }
}

#[test]
fn of_a_rerun_only_its_own_attempts_are_shown_when_events_are_gone() {
    let jobs = vec![job(11, "other", JobStatus::Completed), job(12, "sum", JobStatus::Failed)];
    let found = workflow("/w", WorkflowStatus::Failed);
    let first = vec![
        status(),
        vec![Response::Workflow(Box::new(found))],
        vec![Response::Jobs(jobs), Response::End],
        vec![Response::End],
        vec![Response::End],
        cut(1),
    ];
    let (before, later) = (Timestamp(0), Timestamp(i64::MAX));
    let attempts = vec![attempt(11, 1, later), attempt(12, 1, before), attempt(12, 2, later)];
    let attempts = vec![vec![Response::Results(attempts), Response::End]];
    let output = vec![logs(12, "new\n")];
    let script = Script::of_connections(vec![first, vec![state(2), saved()], attempts, output]);
    let (output, requests) = script.run(&["retry", "--print", "grouped"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "new\n"));
    let shown: Vec<_> = requests
        .iter()
        .filter_map(|request| match request {
            Request::Logs(logs) => Some((logs.job.clone(), logs.attempt)),
            _ => None,
        })
        .collect();
    assert_eq!(shown, [(JobSelector::Id(JobId(12)), Some(AttemptNumber(2)))]);
}
