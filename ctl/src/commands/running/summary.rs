//! The summary at the end, for programs, on stdout. Its keys are a promise.

use serde::Serialize;
use torc_protocol::id::{AttemptNumber, Generation, JobId, WorkflowId};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::{Kept, ResultView};

use super::outcome::{FailedAction, Outcome};
use super::saving::Saved;

/// The one object of `--format json`, and the last line of `--format ndjson`.
#[derive(Debug, Serialize)]
pub(crate) struct Summary<'a> {
    workflow_id: WorkflowId,
    name: &'a str,
    status: WorkflowStatus,
    /// Why nothing was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    nothing_to_do: Option<&'a str>,
    jobs: Jobs,
    failed_jobs: Vec<Failed<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed_actions: Vec<Action<'a>>,
    elapsed_s: f64,
    snapshot: SnapshotSummary<'a>,
}

#[derive(Debug, Serialize)]
struct Jobs {
    total: u64,
    completed: u64,
    failed: u64,
    canceled: u64,
    terminated: u64,
}

#[derive(Debug, Serialize)]
struct Failed<'a> {
    job_id: JobId,
    name: &'a str,
    command: &'a str,
    status: JobStatus,
    attempt: AttemptNumber,
    return_code: Option<i32>,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct Action<'a> {
    name: &'a str,
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct SnapshotSummary<'a> {
    path: Option<&'a str>,
    generation: Option<Generation>,
    durable: bool,
    bytes: Option<u64>,
    error: Option<&'a str>,
    /// Where the record is instead.
    kept: Option<&'a Kept>,
}

impl<'a> From<&'a Outcome> for Summary<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let counts = &outcome.counts;
        Self {
            workflow_id: outcome.workflow,
            name: &outcome.name,
            status: outcome.status,
            nothing_to_do: outcome.idle.as_ref().map(|idle| idle.why.as_str()),
            jobs: Jobs {
                total: counts.total,
                completed: counts.completed,
                failed: counts.failed,
                canceled: counts.canceled,
                terminated: counts.terminated,
            },
            failed_jobs: outcome.failed.iter().map(|failed| (&failed.result).into()).collect(),
            failed_actions: outcome
                .failed_actions
                .iter()
                .map(|FailedAction { name, reason }| Action { name, reason })
                .collect(),
            elapsed_s: outcome.elapsed.as_secs_f64(),
            snapshot: SnapshotSummary::new(&outcome.saved, outcome.record.as_deref()),
        }
    }
}

impl<'a> From<&'a ResultView> for Failed<'a> {
    fn from(result: &'a ResultView) -> Self {
        Self {
            job_id: result.job_id,
            name: &result.name,
            command: &result.command,
            status: result.status,
            attempt: result.attempt,
            return_code: result.return_code,
            reason: &result.reason,
        }
    }
}

impl<'a> SnapshotSummary<'a> {
    fn new(saved: &'a Saved, record: Option<&'a str>) -> Self {
        let unknown = Self {
            path: record,
            generation: None,
            durable: false,
            bytes: None,
            error: None,
            kept: saved.kept(),
        };
        match saved {
            Saved::Durable(Some(view)) => Self {
                path: Some(&view.path),
                generation: Some(view.generation),
                durable: true,
                bytes: Some(view.bytes),
                error: None,
                kept: None,
            },
            Saved::Durable(None) => Self { durable: true, ..unknown },
            Saved::Failed(failure) => {
                Self { path: Some(&failure.path), error: Some(&failure.reason), ..unknown }
            }
            Saved::Unknown { reason, .. } => Self { error: Some(reason), ..unknown },
        }
    }
}

#[cfg(test)]
#[path = "summary_tests.rs"]
mod tests;
