//! How a run ended: what the report, the summary and the exit code are made of.

use std::path::Path;

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{ListResults, Page, WorkflowSelector};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Span;
use torc_protocol::view::{JobCounts, ResultView};

use super::saving::Saved;
use crate::client::Client;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::signals::EndSignal;
use crate::spec::quote::shell_word;

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
    /// The options with which other commands find this run; begins with a space unless empty. None
    /// when they cannot.
    pub(super) found_by: Option<String>,
    /// The output that was to be shown has been written, or nobody wanted to read it.
    pub(super) all_shown: bool,
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
            WorkflowStatus::Completed if self.all_shown => exit_code::DONE,
            WorkflowStatus::Completed
            | WorkflowStatus::Running
            | WorkflowStatus::Failed
            | WorkflowStatus::Canceled => exit_code::FAILED,
        }
    }
}

/// Returns the options with which other commands find the run. One whose record was to be saved by
/// a torcd that is gone now is where that left it, or nowhere.
pub(super) fn found_by(ctx: &Context, saved: &Saved, is_lost_with_torcd: bool) -> Option<String> {
    let option =
        |name: &str, path: &Path| format!(" {name} {}", shell_word(&path.to_string_lossy()));
    if is_lost_with_torcd && !matches!(saved, Saved::Durable(_)) {
        return saved.kept_in_memory().map(|place| option("--db", Path::new(place)));
    }
    Some(match (&ctx.globals.db, &ctx.globals.socket) {
        (Some(db), _) => option("--db", db),
        (None, Some(socket)) => option("--socket", socket),
        (None, None) => String::new(),
    })
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
