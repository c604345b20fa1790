//! What a torcd has to tell in these tests.

use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::{AttemptNumber, JobId, WorkflowId};
use torc_protocol::response::{ErrorCode, RequestError, Response, WatchItem};
use torc_protocol::result::Usage;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{JobCounts, JobView, WorkflowView};

/// Returns workflow `id`, `night`, with two jobs.
pub(crate) fn workflow(id: u64, status: WorkflowStatus) -> WorkflowView {
    let is_running = status == WorkflowStatus::Running;
    WorkflowView {
        id: WorkflowId(id),
        name: "night".to_owned(),
        description: None,
        status,
        jobs: if is_running {
            JobCounts { total: 2, running: 1, ready: 1, ..JobCounts::default() }
        } else {
            counts(status)
        },
        submitted_at: Timestamp(1_000_000),
        finished_at: (!is_running).then_some(Timestamp(5_000_000)),
        working_dir: "/data".to_owned(),
        output_dir: "/data/torc_output".to_owned(),
        metadata: None,
    }
}

fn counts(status: WorkflowStatus) -> JobCounts {
    let mut counts = JobCounts { total: 2, completed: 1, ..JobCounts::default() };
    *counts.of(match status {
        WorkflowStatus::Failed => JobStatus::Failed,
        WorkflowStatus::Canceled => JobStatus::Canceled,
        WorkflowStatus::Paused => JobStatus::Disabled,
        WorkflowStatus::Running | WorkflowStatus::Completed => JobStatus::Completed,
    }) += 1;
    counts
}

/// Returns the reply to `GetWorkflow`.
pub(crate) fn got(id: u64, status: WorkflowStatus) -> Vec<Response> {
    vec![Response::Workflow(Box::new(workflow(id, status)))]
}

/// Returns the beginning of a watch: the present state, and the mark.
pub(crate) fn state(id: u64, status: WorkflowStatus, next_seq: u64) -> Vec<Response> {
    let workflow = Box::new(workflow(id, status));
    vec![
        Response::Watch(WatchItem::State { workflow, next_seq }),
        Response::Watch(WatchItem::CaughtUp { next_seq }),
    ]
}

/// Returns a batch of events of workflow `id`, numbered from `seq` on.
pub(crate) fn events(id: u64, seq: u64, kinds: Vec<EventKind>) -> Response {
    let event =
        |(kind, seq)| Event { seq, at: Timestamp(5_000_000), workflow_id: WorkflowId(id), kind };
    Response::Watch(WatchItem::Events(kinds.into_iter().zip(seq..).map(event).collect()))
}

/// Returns that job `id` has ended.
pub(crate) fn finished(id: u64, status: JobStatus, return_code: i32) -> EventKind {
    EventKind::JobFinished {
        job_id: JobId(id),
        name: format!("job{id}"),
        attempt: AttemptNumber(1),
        status,
        return_code,
        reason: if return_code == 0 { String::new() } else { format!("exit code {return_code}") },
        usage: Usage { wall: Span(3_100_000), ..Usage::default() },
    }
}

/// Returns that a workflow has ended.
pub(crate) fn ended(status: WorkflowStatus) -> EventKind {
    EventKind::WorkflowFinished { status, counts: counts(status) }
}

/// Returns a job of workflow 3.
pub(crate) fn job(id: u64, name: &str, status: JobStatus) -> JobView {
    JobView {
        id: JobId(id),
        workflow_id: WorkflowId(3),
        name: name.to_owned(),
        command: "true".to_owned(),
        status,
        priority: 0,
        attempts: 0,
        return_code: None,
        cpus: 1,
        memory: None,
        gpus: 0,
        labels: Vec::new(),
    }
}

/// Returns the reply to a request for what is not there.
pub(crate) fn not_there() -> Vec<Response> {
    let error = RequestError::new(ErrorCode::NotFound, "there is no workflow 9").hint("look");
    vec![Response::Error(error)]
}
