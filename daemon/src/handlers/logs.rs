//! `logs`: what an attempt wrote, from the worker while it runs and from the database afterwards.

use torc_protocol::event::EventKind;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId};
use torc_protocol::request::{JobSelector, Logs, WorkflowSelector};
use torc_protocol::response::{ErrorCode, LogChunk, RequestError};
use torc_protocol::result::{LogPart, StreamKind};
use torc_protocol::status::JobStatus;
use torc_protocol::view::JobView;

use crate::dispatcher::input::Input;
use crate::handlers::Handlers;
use crate::handlers::client::{Client, Failure};
use crate::nodes::TailRequest;
use crate::store::tables::{attempt, output};

pub(super) async fn handle(
    mut request: Logs,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    request.limit = request.limit.min(Logs::MOST);
    loop {
        let job = handlers.job(request.job.clone()).await?;
        let number = request.attempt.unwrap_or(AttemptNumber(job.attempts));
        if number.0 > 0
            && number.0 <= job.attempts
            && let Some(chunk) =
                client.unless_gone(chunk(&request, handlers, &job, number)).await??
        {
            return Ok(client.send(chunk).await?);
        }
        if !request.wait || job.status.is_final() {
            return Err(not_started(&job, request.attempt).into());
        }
        wait_for_start(handlers, &job, client).await?;
    }
}

/// Returns a part of the output; none when the attempt has not started.
async fn chunk(
    request: &Logs,
    handlers: &Handlers,
    job: &JobView,
    number: AttemptNumber,
) -> Result<Option<LogChunk>, RequestError> {
    let id = AttemptId { job: job.id, number };
    let is_last = number.0 == job.attempts;
    if let Some(writing) = &handlers.writing
        && is_last
        && matches!(job.status, JobStatus::Pending | JobStatus::Running)
    {
        let tail = TailRequest {
            attempt: id,
            stdout_offset: request.stdout_offset,
            stderr_offset: request.stderr_offset,
            limit: request.limit,
            wait: request.wait,
        };
        if let Some((stdout, stderr)) = writing.node.worker().tail(tail).await {
            let silent = |part: &LogPart| matches!(part, LogPart::Bytes(bytes) if bytes.is_empty());
            if job.status == JobStatus::Pending && silent(&stdout) && silent(&stderr) {
                // It waits in its lane, as far as anybody knows.
                return Ok(None);
            }
            let status = JobStatus::Running;
            let name = job.name.clone();
            let chunk = LogChunk { attempt: id, name, status, stdout, stderr, ended: false };
            return Ok(Some(chunk));
        }
        // It has ended, and its result is on the way to the database.
        writing.dispatcher.ask(|reply| Input::Recorded { reply }).await?;
    }
    recorded(request, handlers, job, id).await
}

async fn recorded(
    request: &Logs,
    handlers: &Handlers,
    job: &JobView,
    id: AttemptId,
) -> Result<Option<LogChunk>, RequestError> {
    let (from_out, from_err, limit) = (request.stdout_offset, request.stderr_offset, request.limit);
    let name = job.name.clone();
    // What a snapshot shows as running was cut off there; nothing more will come.
    let is_read_only = handlers.writing.is_none();
    handlers
        .read(move |connection| {
            let Some(status) = attempt::status(connection, id)? else { return Ok(None) };
            let (stdout, out_length) =
                output::part(connection, id, StreamKind::Stdout, from_out, limit)?;
            let (stderr, err_length) =
                output::part(connection, id, StreamKind::Stderr, from_err, limit)?;
            let ended = (status.is_final() || is_read_only)
                && reaches(&stdout, from_out, out_length)
                && reaches(&stderr, from_err, err_length);
            Ok(Some(LogChunk { attempt: id, name, status, stdout, stderr, ended }))
        })
        .await
}

/// Returns whether a part goes to the end of its stream.
fn reaches(part: &LogPart, offset: u64, length: u64) -> bool {
    match part {
        LogPart::Bytes(bytes) => offset.saturating_add(bytes.len() as u64) >= length,
        LogPart::File { .. } => true,
    }
}

/// Waits until the job has started or ended.
pub(super) async fn wait_for_start(
    handlers: &Handlers,
    job: &JobView,
    client: &mut Client,
) -> Result<(), Failure> {
    let writing = handlers.writing()?;
    let workflow = WorkflowSelector::Id(job.workflow_id);
    let watching =
        writing.dispatcher.ask(|reply| Input::Watch { workflow, from_seq: None, reply }).await?;
    let Some(mut live) = watching.live else { return Ok(()) };
    // What happened before the watch began is told by no event of it.
    let now = handlers.job(JobSelector::Id(job.id)).await?;
    if (now.status, now.attempts) != (job.status, job.attempts) {
        return Ok(());
    }
    loop {
        match client.unless_gone(live.recv()).await? {
            Some(batch) if !batch.iter().any(|event| concerns(&event.kind, job.id)) => {}
            _ => return Ok(()),
        }
    }
}

fn concerns(kind: &EventKind, job: JobId) -> bool {
    match kind {
        EventKind::JobStarted { job_id, .. }
        | EventKind::JobFinished { job_id, .. }
        | EventKind::ActionFinished { job_id, .. } => *job_id == job,
        EventKind::JobsCanceled { .. } | EventKind::WorkflowFinished { .. } => true,
        EventKind::WorkflowSubmitted { .. } | EventKind::WorkflowRestarted { .. } => false,
    }
}

fn not_started(job: &JobView, attempt: Option<AttemptNumber>) -> RequestError {
    match attempt {
        Some(number) => RequestError::new(
            ErrorCode::NotFound,
            format!("job '{}' has no attempt {number}: it has had {}", job.name, job.attempts),
        ),
        None => RequestError::new(
            ErrorCode::WrongState,
            format!("job '{}' has not run, it is {}", job.name, job.status),
        )
        .hint("`torcctl logs --follow` waits for a job that will still start"),
    }
}
