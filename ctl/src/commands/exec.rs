//! `torcctl exec`: run commands, show how they go, and return when their record is on disk.
//!
//! In this order: `plan` checks everything, `target` finds or starts a torcd, `submission` sends the
//! jobs, `following` watches them and shows progress, `saving` waits for the snapshot, and `report`
//! or `summary` tells how it went.

use std::io::{self, Write};

use torc_protocol::response::Submitted;
use torc_protocol::spec::StdioMode;
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::{Span, Timestamp};

use self::args::{InputArgs, JobArgs, Print, RecordArgs, WorkflowArgs};
use self::event_lines::EventLines;
use self::following::Following;
use self::outcome::{FailedJob, Outcome};
use self::plan::Plan;
use self::printing::Printing;
use self::saving::Saved;
use self::stop::Stop;
use self::target::Target;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::format::Format;
use crate::progress::display::Display;
use crate::progress::model::Model;
use crate::signals::{EndSignal, Signals};
use crate::spec::dry_run::DryRun;
use crate::{exit_code, stderr};

mod args;
mod event_lines;
mod following;
mod last_lines;
mod outcome;
mod plan;
mod printing;
mod report;
mod saving;
mod showing;
mod sinks;
mod stop;
mod submission;
mod summary;
mod target;

const EXAMPLES: &str = "\
Examples:
  torcctl exec -- gzip -k big.csv                     one command, its output as it comes
  torcctl exec -C commands.txt -j 8                   a command a line, eight at a time
  torcctl exec --param i=1:100 -c 'simulate {i}'      simulate 1 to simulate 100
  torcctl exec --param f=@files.txt -c 'gzip -k {f}'  one job for each line of a file

Exit codes: 0 all completed and the record is on disk, 1 a job did not complete, 2 usage,
3 no torcd, 5 the record is not on disk, 7 database in use, 130 Ctrl-C";

/// Run commands and keep a durable record of every one
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "torcctl exec [OPTIONS] [-c CMD]... [-C FILE]... [-- CMD [ARG]...]",
    after_help = EXAMPLES
)]
pub struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    record: RecordArgs,
}

/// Runs it.
///
/// # Errors
///
/// When the command line is wrong, no torcd can be had, or it dies.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    let dry_run = args.input.dry_run;
    let print = showing::print_mode(ctx, &args)?;
    let mut plan = Plan::new(args.input, &args.workflow, &args.job)?;
    if !ctx.globals.quiet {
        showing::warn_of_unknown_names(&plan);
    }
    if dry_run {
        let in_memory = !args.record.on_disk;
        plan.set_stdio(if in_memory { StdioMode::Capture } else { StdioMode::Separate });
        return show(&plan);
    }
    let mut signals = Signals::listen()?;
    let opening = Target::open(ctx, &args.record, args.workflow.detach, &mut plan);
    let mut target = tokio::select! {
        target = opening => target?,
        signal = signals.next() => return Ok(nothing_ran(signal)),
    };
    let begun = Timestamp::now();
    let detach = args.workflow.detach;
    let submitted = match submit(&mut target, &plan, &mut signals, !detach).await {
        Ok(Sent::Committed(submitted)) => submitted,
        Ok(Sent::Interrupted(signal)) => {
            target.abandon().await;
            return Ok(nothing_ran(signal));
        }
        Err(error) => {
            target.abandon().await;
            return Err(error);
        }
    };
    if detach {
        return detached(ctx, &plan, &submitted);
    }
    let show = Show { print, keep_order: args.workflow.keep_order };
    finish(ctx, target, Started { begun, submitted, signals, plan, show }).await
}

enum Sent {
    Committed(Submitted),
    Interrupted(EndSignal),
}

/// Sends the workflow. A signal ends this, but not between the commit and its reply: whether the
/// jobs run must be known.
async fn submit(
    target: &mut Target,
    plan: &Plan,
    signals: &mut Signals,
    watch: bool,
) -> Result<Sent, CliError> {
    tokio::select! {
        sent = submission::send(&mut target.client, plan) => sent?,
        signal = signals.next() => return Ok(Sent::Interrupted(signal)),
    }
    submission::commit(&mut target.client, watch).await.map(Sent::Committed)
}

/// How the output of jobs is shown.
#[derive(Clone, Copy, Debug)]
struct Show {
    print: Print,
    keep_order: bool,
}

/// A workflow that has just been committed.
#[derive(Debug)]
struct Started {
    begun: Timestamp,
    submitted: Submitted,
    signals: Signals,
    plan: Plan,
    show: Show,
}

async fn finish(ctx: &Context, mut target: Target, started: Started) -> Result<u8, CliError> {
    let workflow = started.submitted.workflow_id;
    let jobs = started.submitted.jobs;
    let socket = target.client.socket().to_owned();
    let Show { print, keep_order } = started.show;
    let mut following = Following {
        workflow,
        model: Model::new(jobs),
        display: Display::new(showing::display_mode(ctx, print)),
        stop: Stop::listen(started.signals, socket.clone(), workflow),
        printing: Printing::start(print, keep_order, jobs, socket),
        event_lines: (ctx.globals.format == Format::Ndjson).then(EventLines::default),
    };
    let record = target.record.as_ref().map(|path| path.display().to_string());
    if let Err(error) = following.until_finished(&mut target.client).await {
        following.display.clear();
        return Err(lost(error, target, &mut following.stop, record.as_deref()).await);
    }
    let elapsed = elapsed(started.begun, &following.model);
    let all_shown = following.printed().await;
    let failed = failed_jobs(ctx, &mut target, &following, print).await.unwrap_or_else(|error| {
        stderr::say(&format!("cannot tell which jobs failed: {}", error.message));
        Vec::new()
    });
    let is_lost_with_torcd = target.is_private_in_memory();
    let saved = saving::save(target, &mut following.display, &mut following.stop).await;
    following.display.clear();
    let outcome = Outcome {
        workflow,
        name: started.plan.spec.name,
        status: following.model.finished.unwrap_or(WorkflowStatus::Running),
        counts: following.model.counts,
        failed,
        elapsed,
        found_by: outcome::found_by(ctx, &saved, is_lost_with_torcd),
        saved,
        record,
        all_shown,
        signal: following.stop.first(),
    };
    match (showing::tell(ctx, &outcome), outcome.exit_code()) {
        (Err(error), exit_code::DONE) => Err(error),
        (Err(error), code) => {
            error.report();
            Ok(code)
        }
        (Ok(()), code) => Ok(code),
    }
}

fn elapsed(begun: Timestamp, model: &Model) -> Span {
    model.last_event.unwrap_or_else(Timestamp::now).since(begun)
}

/// Collects what the report or the summary says of failed jobs, while torcd can still be asked.
async fn failed_jobs(
    ctx: &Context,
    target: &mut Target,
    following: &Following,
    print: Print,
) -> Result<Vec<FailedJob>, CliError> {
    let counts = &following.model.counts;
    if counts.failed + counts.terminated == 0 {
        return Ok(Vec::new());
    }
    let human = !ctx.globals.format.is_for_programs();
    let limit = human.then_some(report::FAILED_SHOWN as u64);
    let results = outcome::failed_jobs(&mut target.client, following.workflow, limit).await?;
    let mut failed = Vec::with_capacity(results.len());
    for result in results {
        let wanted = human && print == Print::None;
        let last_lines =
            if wanted { last_lines::of(&mut target.client, &result).await? } else { Vec::new() };
        failed.push(FailedJob { result, last_lines });
    }
    Ok(failed)
}

/// The connection failed while jobs ran: says where things stand.
async fn lost(
    error: CliError,
    mut target: Target,
    stop: &mut Stop,
    record: Option<&str>,
) -> CliError {
    let Some(private) = target.private.take() else { return error };
    drop(target.client);
    let record = record.unwrap_or("its database");
    match saving::aftermath(private, stop).await {
        Saved::Durable(_) => {
            let message =
                format!("torcd was ended while jobs were running; its record is in {record}");
            CliError::new(ErrorKind::NoDaemon, message)
                .hint("`torcctl jobs list` tells which jobs did not complete")
        }
        Saved::Failed(_) | Saved::Unknown(_) => {
            let message = format!(
                "torcd died while jobs were running ({}); {record} holds only what the last snapshot before had",
                error.message
            );
            CliError::new(ErrorKind::NotDurable, message)
                .hint("the jobs have been stopped with it; run them again")
        }
    }
}

fn show(plan: &Plan) -> Result<u8, CliError> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let dry_run = DryRun { spec: &plan.spec, jobs: &plan.jobs, priority: plan.priority };
    serde_json::to_writer_pretty(&mut stdout, &dry_run).map_err(io::Error::from)?;
    writeln!(stdout)?;
    stdout.flush()?;
    Ok(exit_code::DONE)
}

fn nothing_ran(signal: EndSignal) -> u8 {
    stderr::say(&format!("{}: nothing was started", signal.name()));
    signal.exit_code()
}

fn detached(ctx: &Context, plan: &Plan, submitted: &Submitted) -> Result<u8, CliError> {
    let id = submitted.workflow_id;
    if ctx.globals.format.is_for_programs() {
        let json = serde_json::json!({
            "workflow_id": id, "name": plan.spec.name, "jobs": submitted.jobs,
        });
        writeln!(io::stdout(), "{json}")?;
    } else {
        writeln!(io::stdout(), "{id}")?;
    }
    Ok(exit_code::DONE)
}
