//! How a run ended: what the report, the summary and the exit code are made of.

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{ListResults, Page, WorkflowSelector};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Span;
use torc_protocol::view::{JobCounts, ResultView};

use super::saving::Saved;
use crate::client::Client;
use crate::error::CliError;
use crate::exit_code;
use crate::signals::EndSignal;

/// A run that has ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Its workflow.
    pub(super) workflow: WorkflowId,
    /// The name of that.
    pub(super) name: String,
    /// How it ended.
    pub(super) status: WorkflowStatus,
    /// Its jobs.
    pub(super) counts: JobCounts,
    /// The jobs that failed or were stopped, or the first of them.
    pub(super) failed: Vec<FailedJob>,
    /// From the submission to the end of the last job.
    pub(super) elapsed: Span,
    /// What became of its record.
    pub(super) saved: Saved,
    /// Where that was to go, as far as we know.
    pub(super) record: Option<String>,
    /// The options with which other commands find this run; begins with a space unless empty.
    pub(super) found_by: String,
    /// The signal that asked us to end.
    pub(super) signal: Option<EndSignal>,
}

/// A job that did not complete although it was started, by its last attempt.
#[derive(Debug)]
pub(super) struct FailedJob {
    /// What is known of it.
    pub(super) result: ResultView,
    /// The end of what it wrote to stderr.
    pub(super) last_lines: Vec<String>,
}

impl Outcome {
    /// Returns the exit code: no durable snapshot wins over a signal, and that over a failed job.
    pub(super) fn exit_code(&self) -> u8 {
        if !matches!(self.saved, Saved::Durable(_)) {
            return exit_code::NOT_DURABLE;
        }
        if let Some(signal) = self.signal {
            return signal.exit_code();
        }
        match self.status {
            WorkflowStatus::Completed => exit_code::DONE,
            WorkflowStatus::Running | WorkflowStatus::Failed | WorkflowStatus::Canceled => {
                exit_code::FAILED
            }
        }
    }
}

/// Returns the jobs of `workflow` that failed or were stopped, at most `limit` of them.
pub(super) async fn failed_jobs(
    client: &mut Client,
    workflow: WorkflowId,
    limit: Option<u64>,
) -> Result<Vec<ResultView>, CliError> {
    let list = ListResults {
        workflow: WorkflowSelector::Id(workflow),
        status: vec![JobStatus::Failed, JobStatus::Terminated],
        page: Page { limit, ..Page::default() },
        ..ListResults::default()
    };
    client.stream(list).await?;
    let mut failed = Vec::new();
    while let Some(page) = client.next::<ListResults>().await? {
        failed.extend(page);
    }
    Ok(failed)
}
