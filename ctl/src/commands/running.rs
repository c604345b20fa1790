//! Jobs on their way, from a torcd that is there to a record that is on disk: what `exec`, `run`,
//! `submit` and `retry` have in common.
//!
//! In this order: `target` finds or starts a torcd, `submission` sends the jobs and `committing` sees
//! to it that they are there once, `following` watches them and shows progress; then `ending` lets
//! `saving` (with `waiting`) wait for the snapshot, and `report` or `summary` tell how it went. What
//! is to run, and whether it can, is settled before by the command.

use std::collections::HashSet;
use std::io::{self, Write};

use torc_protocol::id::JobId;
use torc_protocol::request::Restart;
use torc_protocol::response::Submitted;
use torc_protocol::time::Timestamp;
use torc_protocol::view::JobCounts;

use self::ending::Ended;
use self::event_lines::EventLines;
use self::following::Following;
use self::printing::Printing;
use self::showing::Show;
use self::stop::Stop;
use self::submission::{Committed, Key, Submission};
use self::target::Target;
use crate::context::Context;
use crate::error::CliError;
use crate::format::Format;
use crate::progress::display::Display;
use crate::progress::model::Model;
use crate::signals::Signals;
use crate::style::{count, one_line};
use crate::{exit_code, stderr};

pub(crate) mod args;
mod committing;
pub(crate) mod ending;
pub(crate) mod event_lines;
#[cfg(test)]
pub(crate) mod fixtures;
mod following;
mod halt;
pub(crate) mod job_context;
mod last_lines;
mod left;
pub(crate) mod outcome;
mod printing;
pub(crate) mod record_args;
pub(crate) mod report;
mod saving;
pub(crate) mod showing;
pub(crate) mod sinks;
pub(crate) mod stop;
pub(crate) mod submission;
mod summary;
pub(crate) mod target;
pub(crate) mod time_limit;
pub(crate) mod waiting;

/// What is known of a run before it begins.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The name of the workflow.
    pub(crate) name: String,
    /// The labels whose jobs belong to it.
    pub(crate) labels: Vec<String>,
    /// The names of its jobs in the order in which their output is wanted, when it is.
    pub(crate) order: Option<Vec<String>>,
    /// The jobs of the workflow that do not belong to this run, by state.
    pub(crate) outside: JobCounts,
    /// It is not the first of the workflow.
    pub(crate) is_rerun: bool,
    /// The jobs that do, when these are not all of the workflow.
    pub(crate) only: Option<HashSet<JobId>>,
}

/// Waits for what comes before anything is started. A signal ends that: the user is told, and the
/// error is the exit code.
pub(crate) async fn unless_signaled<T>(
    signals: &mut Signals,
    preparing: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    tokio::select! {
        prepared = preparing => prepared,
        signal = signals.next() => {
            stderr::say(&format!("{}: nothing was started", signal.name()));
            Err(CliError::said(signal.exit_code()))
        }
    }
}

/// Gives `target` up when what was asked of it before anything was started has failed.
pub(crate) async fn or_abandon<T>(
    target: Target,
    result: Result<T, CliError>,
) -> Result<(Target, T), CliError> {
    match result {
        Ok(value) => Ok((target, value)),
        Err(error) => {
            target.abandon().await;
            Err(error)
        }
    }
}

/// Submits a workflow and stays with it to its end, or returns when it is submitted if nothing else
/// is wanted.
pub(crate) async fn submit(
    ctx: &Context,
    target: Target,
    mut signals: Signals,
    (submission, key): (impl Submission, Key),
    show: Show,
) -> Result<u8, CliError> {
    let begun = Timestamp::now();
    let (target, Committed { submitted, name }) =
        committing::submit(target, &mut signals, (&submission, &key), !show.detach).await?;
    let spec = submission.spec();
    let run = Run {
        name: name.unwrap_or_else(|| spec.name.clone()),
        labels: spec.options.labels.clone(),
        order: show.keep_order.then(|| submission.jobs().map(|job| job.name).collect()),
        ..Run::default()
    };
    // There may be millions of jobs, and torcd has them now.
    drop(submission);
    stay(ctx, target, Started { begun, submitted, signals, run, show }).await
}

/// Runs some jobs of a workflow again, and then as [`submit`].
pub(crate) async fn restart(
    ctx: &Context,
    mut target: Target,
    signals: Signals,
    (restart, run): (Restart, Run),
    show: Show,
) -> Result<u8, CliError> {
    let begun = Timestamp::now();
    let submitted = target.client.call(Restart { watch: !show.detach, ..restart }).await;
    let (target, submitted) = or_abandon(target, submitted).await?;
    stay(ctx, target, Started { begun, submitted, signals, run, show }).await
}

/// A workflow that has just been committed.
#[derive(Debug)]
struct Started {
    begun: Timestamp,
    submitted: Submitted,
    signals: Signals,
    run: Run,
    show: Show,
}

async fn stay(ctx: &Context, mut target: Target, started: Started) -> Result<u8, CliError> {
    let Started { begun, submitted, signals, mut run, show } = started;
    if show.detach {
        return detached(ctx, &run, &submitted);
    }
    let workflow = submitted.workflow_id;
    let socket = target.client.socket().to_owned();
    let mut following = Following {
        workflow,
        begun,
        only: run.only.take(),
        model: Model::of_run(submitted.jobs, run.outside),
        display: Display::new(showing::display_mode(ctx, show.print)),
        stop: Stop::listen(signals, socket.clone(), workflow),
        printing: Printing::start(show.print, run.order.clone(), submitted.jobs, socket),
        event_lines: (ctx.globals.format == Format::Ndjson).then(EventLines::start),
        failed_actions: Vec::new(),
    };
    if let Err(error) = following.until_finished(&mut target.client).await {
        following.display.clear();
        return Err(ending::lost(ctx, error, target, &mut following).await);
    }
    let elapsed = following.model.last_event.unwrap_or_else(Timestamp::now).since(begun);
    ending::finish(ctx, target, following, Ended { run, print: show.print, elapsed }).await
}

/// Gives the number of the workflow, alone on stdout so that a script can take it.
fn detached(ctx: &Context, run: &Run, submitted: &Submitted) -> Result<u8, CliError> {
    let id = submitted.workflow_id;
    let format = ctx.globals.format;
    if format.is_for_programs() && format != Format::Id {
        let json = serde_json::json!({
            "workflow_id": id, "name": run.name, "jobs": submitted.jobs,
            "existed": submitted.existed,
        });
        writeln!(io::stdout(), "{json}")?;
        return Ok(exit_code::DONE);
    }
    writeln!(io::stdout(), "{id}")?;
    if format != Format::Id && !ctx.globals.quiet {
        let jobs = count(submitted.jobs, "job");
        let before = if submitted.existed { " before" } else { "" };
        let name = one_line(&run.name);
        stderr::say(&format!("{jobs} submitted{before} (workflow {id}, {name})"));
    }
    Ok(exit_code::DONE)
}
