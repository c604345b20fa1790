//! How a run ended: what the report, the summary and the exit code are made of.

use std::collections::HashSet;
use std::path::Path;

use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::{ListResults, Page, WorkflowSelector};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Span;
use torc_protocol::view::{JobCounts, ResultView};

use super::left::Left;
use super::saving::Saved;
use crate::client::Client;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::signals::EndSignal;
use crate::spec::quote::shell_word;

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Its workflow.
    pub(crate) workflow: WorkflowId,
    /// The name of that.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) status: WorkflowStatus,
    /// Its jobs.
    pub(crate) counts: JobCounts,
    /// The jobs that failed or were stopped, or the first of them.
    pub(crate) failed: Vec<FailedJob>,
    /// How many jobs of the workflow failed before this run and did not belong to it.
    pub(crate) failed_before: u64,
    /// The actions that went wrong.
    pub(crate) failed_actions: Vec<FailedAction>,
    /// What could not run, when it is paused.
    pub(crate) left: Option<Left>,
    /// It was a workflow of the database that was run again: not surely the latest.
    pub(crate) is_rerun: bool,
    /// Nothing was run.
    pub(crate) idle: Option<Idle>,
    /// From the submission to the end of the last job.
    pub(crate) elapsed: Span,
    /// What became of its record.
    pub(crate) saved: Saved,
    /// Where that was to go, as far as we know.
    pub(crate) record: Option<String>,
    /// The options with which other commands find this run; begins with a space unless empty. None
    /// when they cannot.
    pub(crate) found_by: Option<String>,
    /// The output that was to be shown has been written, or nobody wanted to read it.
    pub(crate) all_shown: bool,
    /// The signal that asked us to end.
    pub(crate) signal: Option<EndSignal>,
}

/// That there was nothing to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Idle {
    /// Why, in words.
    pub(crate) why: String,
    /// All that was asked for is done; else something is left that cannot be run like this.
    pub(crate) is_done: bool,
}

/// A job that did not complete although it was started, by its last attempt.
#[derive(Debug)]
pub(crate) struct FailedJob {
    /// What is known of it.
    pub(crate) result: ResultView,
    /// The end of what it wrote to stderr.
    pub(crate) last_lines: Vec<String>,
}

/// An action that did not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FailedAction {
    /// Its name.
    pub(crate) name: String,
    /// How it ended, in words.
    pub(crate) reason: String,
}

impl FailedAction {
    /// Returns the action of whose failure an event tells.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        match &event.kind {
            EventKind::ActionFinished { name, status, reason, .. }
                if *status != JobStatus::Completed =>
            {
                let reason = if reason.is_empty() { status.as_str() } else { reason };
                Some(Self { name: name.clone(), reason: reason.to_owned() })
            }
            EventKind::ActionFinished { .. }
            | EventKind::WorkflowSubmitted { .. }
            | EventKind::WorkflowRestarted { .. }
            | EventKind::JobStarted { .. }
            | EventKind::JobFinished { .. }
            | EventKind::JobsCanceled { .. }
            | EventKind::WorkflowFinished { .. } => None,
        }
    }
}

impl Outcome {
    /// Returns the exit code: no durable snapshot wins over a signal, and that over a failed job.
    pub(crate) fn exit_code(&self) -> u8 {
        if !matches!(self.saved, Saved::Durable(_)) {
            return exit_code::NOT_DURABLE;
        }
        if let Some(signal) = self.signal {
            return signal.exit_code();
        }
        if let Some(idle) = &self.idle {
            return if idle.is_done { exit_code::DONE } else { exit_code::FAILED };
        }
        match self.status {
            WorkflowStatus::Completed if self.all_shown => exit_code::DONE,
            WorkflowStatus::Completed
            | WorkflowStatus::Running
            | WorkflowStatus::Failed
            | WorkflowStatus::Canceled
            | WorkflowStatus::Paused => exit_code::FAILED,
        }
    }
}

/// Returns the options with which other commands find the run. One whose record was to be saved by
/// a torcd that is gone now is where that left it, or nowhere.
pub(crate) fn found_by(ctx: &Context, saved: &Saved, is_lost_with_torcd: bool) -> Option<String> {
    let option =
        |name: &str, path: &Path| format!(" {name} {}", shell_word(&path.to_string_lossy()));
    if is_lost_with_torcd && !matches!(saved, Saved::Durable(_)) {
        return saved.kept().map(|kept| option("--db", Path::new(&kept.path)));
    }
    Some(match (&ctx.globals.db, &ctx.globals.socket) {
        (Some(db), _) => option("--db", db),
        (None, Some(socket)) => option("--socket", socket),
        (None, None) => String::new(),
    })
}

/// Returns the jobs of `workflow` that failed or were stopped, at most `limit` of them, and of
/// `only` if these are given.
pub(crate) async fn failed_jobs(
    client: &mut Client,
    workflow: WorkflowId,
    limit: Option<u64>,
    only: Option<&HashSet<JobId>>,
) -> Result<Vec<ResultView>, CliError> {
    let list = ListResults {
        workflow: WorkflowSelector::Id(workflow),
        status: vec![JobStatus::Failed, JobStatus::Terminated],
        page: Page { limit: limit.filter(|_| only.is_none()), ..Page::default() },
        ..ListResults::default()
    };
    let (Some(only), Some(limit)) = (only, limit) else {
        return of_jobs(client, list, only, u64::MAX).await;
    };
    // There may be very many others. A connection of its own can be left in the midst of them.
    let mut other = Client::connect(client.socket()).await?;
    of_jobs(&mut other, list, Some(only), limit).await
}

/// Returns the results in `list` that are of the jobs in `only`, if these are given, and stops when
/// there are `limit`: then `client` has more to say, and is of no other use.
async fn of_jobs(
    client: &mut Client,
    list: ListResults,
    only: Option<&HashSet<JobId>>,
    limit: u64,
) -> Result<Vec<ResultView>, CliError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    client.stream(list).await?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(mut page) = client.next::<ListResults>().await?
    {
        page.retain(|result| only.is_none_or(|only| only.contains(&result.job_id)));
        page.truncate(limit - found.len());
        found.extend(page);
    }
    Ok(found)
}
