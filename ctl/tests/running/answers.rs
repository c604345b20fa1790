//! What a torcd answers on the way of a run.

use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::{AttemptId, AttemptNumber, Generation, JobId, WorkflowId};
use torc_protocol::request::Request;
use torc_protocol::resources::NodeResources;
use torc_protocol::response::{
    LogChunk, Response, SnapshotProgress, SubmitAccepted, Submitted, WatchItem,
};
use torc_protocol::result::LogPart;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{
    JobCounts, JobView, ResultView, SnapshotFailure, SnapshotPhase, SnapshotStatusView,
    SnapshotView, StatusView, WorkflowView,
};

/// The workflow that all of it is about.
pub(crate) const WORKFLOW: WorkflowId = WorkflowId(3);

/// Returns the answer to `Status` of a torcd in memory.
pub(crate) fn status() -> Vec<Response> {
    vec![Response::Status(Box::new(StatusView {
        version: "0.1.0".to_owned(),
        pid: 1,
        socket: "/run/s".to_owned(),
        started_at: Timestamp(0),
        database: ":memory:".to_owned(),
        in_memory: true,
        read_only: false,
        log: "stderr".to_owned(),
        unit: None,
        node: NodeResources::default(),
        running_workflows: 0,
        jobs: JobCounts::default(),
        snapshot: SnapshotStatusView::default(),
    }))]
}

/// Returns the answer to a part of a submission.
pub(crate) fn accepted() -> Vec<Response> {
    vec![Response::SubmitAccepted(SubmitAccepted::default())]
}

/// Returns the answer to a commit or a restart of so many jobs that is not watched.
pub(crate) fn submitted(jobs: u64) -> Vec<Response> {
    vec![Response::Submitted(Submitted { workflow_id: WORKFLOW, jobs, existed: false })]
}

/// Returns the answer to a commit or a restart of so many jobs, and what the watcher hears.
pub(crate) fn watched(jobs: u64, kinds: Vec<EventKind>) -> Vec<Response> {
    let mut responses = submitted(jobs);
    let events = (1..).zip(kinds).map(|(seq, kind)| Event {
        seq,
        at: Timestamp(0),
        workflow_id: WORKFLOW,
        kind,
    });
    responses.push(Response::Watch(WatchItem::Events(events.collect())));
    responses.push(Response::End);
    responses
}

/// Returns the last event of a workflow with these counts of all its jobs.
pub(crate) fn finished(status: WorkflowStatus, counts: JobCounts) -> EventKind {
    EventKind::WorkflowFinished { status, counts }
}

/// Returns the answer to a snapshot that is durable.
pub(crate) fn saved() -> Vec<Response> {
    let view = SnapshotView {
        generation: Generation(4),
        changes: 17,
        path: "/x.db".to_owned(),
        bytes: 2048,
        sha256: String::new(),
        started_at: Timestamp(0),
        finished_at: Timestamp(0),
        phases: Vec::new(),
    };
    vec![Response::Snapshot(SnapshotProgress::Done(Box::new(view))), Response::End]
}

/// Returns the answer to a snapshot that failed.
pub(crate) fn not_saved() -> Vec<Response> {
    let failure = SnapshotFailure {
        path: "/x.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: Some(28),
        reason: "no space left on device".to_owned(),
        kept: None,
    };
    vec![Response::Snapshot(SnapshotProgress::Failed(failure)), Response::End]
}

/// Returns the workflow, whose jobs run in `working_dir`.
pub(crate) fn workflow(working_dir: &str, status: WorkflowStatus) -> WorkflowView {
    WorkflowView {
        id: WORKFLOW,
        name: "night".to_owned(),
        description: None,
        status,
        jobs: JobCounts::default(),
        submitted_at: Timestamp(0),
        finished_at: None,
        working_dir: working_dir.to_owned(),
        output_dir: "/o".to_owned(),
        metadata: None,
    }
}

/// Returns a job of it.
pub(crate) fn job(id: u64, name: &str, status: JobStatus) -> JobView {
    JobView {
        id: JobId(id),
        workflow_id: WORKFLOW,
        name: name.to_owned(),
        command: format!("make {name}"),
        status,
        priority: 0,
        attempts: 1,
        return_code: status.is_final().then_some(i32::from(status != JobStatus::Completed)),
        cpus: 1,
        memory: None,
        gpus: 0,
        labels: Vec::new(),
    }
}

/// Returns the result of a job of it that failed with code 0.
pub(crate) fn result(id: u64, name: &str, reason: String) -> ResultView {
    ResultView {
        job_id: JobId(id),
        workflow_id: WORKFLOW,
        name: name.to_owned(),
        command: format!("make {name}"),
        attempt: AttemptNumber(1),
        status: JobStatus::Failed,
        return_code: Some(0),
        reason,
        node: "n1".to_owned(),
        pid: None,
        started_at: None,
        finished_at: None,
        usage: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        stdout_path: None,
        stderr_path: None,
        recovery_code: None,
    }
}

/// Returns the answer to `Logs` of the second attempt of a job that wrote `stdout`, and has ended.
pub(crate) fn logs(id: u64, stdout: &str) -> Vec<Response> {
    vec![Response::Logs(LogChunk {
        attempt: AttemptId { job: JobId(id), number: AttemptNumber(2) },
        name: "sum".to_owned(),
        status: JobStatus::Completed,
        stdout: LogPart::Bytes(stdout.as_bytes().to_vec().into()),
        stderr: LogPart::Bytes(Vec::new().into()),
        ended: true,
    })]
}

/// Returns the names of requests, to compare their order.
pub(crate) fn verbs(requests: &[Request]) -> Vec<String> {
    let name = |request: &Request| {
        let text = format!("{request:?}");
        text.split(['(', ' ']).next().unwrap_or_default().to_owned()
    };
    requests.iter().map(name).collect()
}
