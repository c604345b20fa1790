//! The end of a run: what torcd still has to tell, the snapshot, and the last words.

use std::path::Path;

use torc_protocol::id::WorkflowId;
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::Span;
use torc_protocol::view::{JobCounts, WorkflowView};

use super::args::Print;
use super::following::Following;
use super::outcome::{FailedJob, Idle, Outcome};
use super::report::{kept_in, recover};
use super::saving::{Rest, Saved};
use super::stop::Stop;
use super::target::Target;
use super::{Run, last_lines, left, outcome, report, saving, showing};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::signals::Signals;
use crate::spec::quote::shell_word;
use crate::{exit_code, stderr};

/// A run whose last job has ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What was known of it before.
    pub(super) run: Run,
    /// How the output of its jobs was shown.
    pub(super) print: Print,
    /// From the submission to the end of the last job.
    pub(super) elapsed: Span,
}

/// Brings the record to disk and tells how it went. Returns the exit code.
pub(super) async fn finish(
    ctx: &Context,
    mut target: Target,
    mut following: Following,
    ended: Ended,
) -> Result<u8, CliError> {
    let all_shown = following.printed().await;
    let failed = told("which jobs failed", failed_jobs(ctx, &mut target, &following, &ended).await);
    let labels = &ended.run.labels;
    let left = told("what is left", left::of(&mut target.client, &following, labels).await);
    let record = record(target.record.as_deref());
    let is_lost_with_torcd = target.is_private_in_memory();
    following.display.clear();
    let saved = saving::save(ctx, target, &mut following.stop).await;
    let outcome = Outcome {
        workflow: following.workflow,
        name: ended.run.name,
        status: following.model.finished.unwrap_or(WorkflowStatus::Running),
        counts: following.model.counts,
        failed,
        failed_before: ended.run.outside.failed + ended.run.outside.terminated,
        failed_actions: following.failed_actions,
        left,
        is_rerun: ended.run.is_rerun,
        idle: None,
        elapsed: ended.elapsed,
        found_by: outcome::found_by(ctx, &saved, is_lost_with_torcd),
        saved,
        record,
        all_shown,
        signal: following.stop.first(),
    };
    end(ctx, &outcome)
}

/// Ends without having run anything. What is in the database must be on disk nevertheless.
pub(crate) async fn idle(
    ctx: &Context,
    target: Target,
    signals: Signals,
    workflow: &WorkflowView,
    idle: Idle,
) -> Result<u8, CliError> {
    let mut stop = Stop::idle(signals);
    let record = record(target.record.as_deref());
    let is_lost_with_torcd = target.is_private_in_memory();
    let saved = saving::save(ctx, target, &mut stop).await;
    end(
        ctx,
        &Outcome {
            workflow: workflow.id,
            name: workflow.name.clone(),
            status: workflow.status,
            counts: JobCounts::default(),
            failed: Vec::new(),
            failed_before: 0,
            failed_actions: Vec::new(),
            left: None,
            is_rerun: true,
            idle: Some(idle),
            elapsed: Span(0),
            found_by: outcome::found_by(ctx, &saved, is_lost_with_torcd),
            saved,
            record,
            all_shown: true,
            signal: stop.first(),
        },
    )
}

/// Tells how it went and returns the exit code.
fn end(ctx: &Context, outcome: &Outcome) -> Result<u8, CliError> {
    match (showing::tell(ctx, outcome), outcome.exit_code()) {
        (Err(error), exit_code::DONE) => Err(error),
        (Err(error), code) => {
            error.report();
            Ok(code)
        }
        (Ok(()), code) => Ok(code),
    }
}

/// Returns what torcd said of `what`; when it did not, that is told and the end goes on.
fn told<T: Default>(what: &str, answer: Result<T, CliError>) -> T {
    answer.unwrap_or_else(|error| {
        stderr::say(&format!("cannot tell {what}: {}", error.message));
        T::default()
    })
}

/// Collects what the report or the summary says of failed jobs, while torcd can still be asked.
async fn failed_jobs(
    ctx: &Context,
    target: &mut Target,
    following: &Following,
    ended: &Ended,
) -> Result<Vec<FailedJob>, CliError> {
    let counts = &following.model.counts;
    if counts.failed + counts.terminated == 0 {
        return Ok(Vec::new());
    }
    let human = !ctx.globals.format.is_for_programs();
    let limit = human.then_some(report::FAILED_SHOWN as u64);
    // When no other job has failed, those that have are the ones of this run.
    let before = &ended.run.outside;
    let only = following.only.as_ref().filter(|_| before.failed + before.terminated > 0);
    let results = outcome::failed_jobs(&mut target.client, following.workflow, limit, only).await?;
    let mut failed = Vec::with_capacity(results.len());
    for result in results {
        let wanted = human && ended.print == Print::None;
        let last_lines =
            if wanted { last_lines::of(&mut target.client, &result).await? } else { Vec::new() };
        failed.push(FailedJob { result, last_lines });
    }
    Ok(failed)
}

/// The connection failed while jobs ran: says where things stand.
pub(super) async fn lost(
    ctx: &Context,
    error: CliError,
    target: Target,
    following: &mut Following,
) -> CliError {
    let record = record(target.record.as_deref()).unwrap_or_else(|| "its database".to_owned());
    match saving::aftermath(ctx, target, &mut following.stop).await {
        None => error,
        Some(saved) => cut_short(&saved, &record, following.workflow, &error),
    }
}

/// Returns what is said of a run whose torcd has gone while jobs ran. `record` is where that was to
/// be, and `error` how we came to know.
fn cut_short(saved: &Saved, record: &str, workflow: WorkflowId, error: &CliError) -> CliError {
    let place = shell_word(record);
    let (rest, again) = match saved {
        Saved::Durable(_) => {
            let message =
                format!("torcd was ended while jobs were running; its record is in {record}");
            return CliError::new(ErrorKind::NoDaemon, message)
                .hint("`torcctl jobs list` tells which jobs did not complete");
        }
        _ if let Some(kept) = saved.kept() => {
            (format!("all that was recorded {}", kept_in(kept)), recover(kept, record))
        }
        Saved::Unknown { rest: Rest::Database, .. } => {
            let again = format!("`torcctl run {workflow} --db {place}` runs what is left");
            (format!("the database {record} has all that was recorded before"), again)
        }
        Saved::Failed(_) | Saved::Unknown { .. } => {
            let rest = format!("{record} holds only what the last snapshot before had");
            (rest, "the jobs have been stopped with it; run them again".to_owned())
        }
    };
    let how = &error.message;
    let message = format!("torcd died while jobs were running ({how}); {rest}");
    CliError::new(ErrorKind::NotDurable, message).hint(again)
}

fn record(path: Option<&Path>) -> Option<String> {
    path.map(|path| path.display().to_string())
}
