//! `torcctl wait`: until workflows have ended.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};
use torc_protocol::request::{GetWorkflow, WorkflowSelector};
use torc_protocol::view::WorkflowView;

use crate::client::Client;
use crate::commands::value;
use crate::commands::watching::{self, Watching, exit_code, has_ended};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::format::Format;
use crate::output::stdout::Stdout;
use crate::signals::Signals;
use crate::spec::duration::Duration;
use crate::style::{count, duration};

const EXAMPLES: &str = "\
Examples:
  torcctl wait                              until the latest workflow has ended
  torcctl wait 3 night                      until both have
  torcctl wait 3 4 5 --any                  until one of them has
  id=$(torcctl submit -q flow.yaml) && torcctl wait \"$id\" --timeout 2h

Exit codes: 0 what was waited for completed, 1 it did not, 3 torcd has gone, 4 the time is over and
the workflows go on, 6 there is no such workflow, 7 one is recorded as running, but nobody runs it";

/// Wait until workflows have ended
///
/// Prints a line for each as it ends; with --format json, the workflows at the end.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The workflows: their ids, names, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, default_value = "latest")]
    workflows: Vec<WorkflowSelector>,
    /// Wait for the first that ends, not for all
    #[arg(long)]
    any: bool,
    /// Wait no longer than this; the workflows go on
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Duration>,
}

/// Runs it.
///
/// # Errors
///
/// When a workflow does not exist, nobody can be asked, torcd ends, or the time is over.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    let mut signals = Signals::listen()?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let mut report = Report { stdout, quiet: ctx.globals.quiet, ended: Vec::new() };
    let outcome = tokio::select! {
        outcome = wait(ctx, &args, &mut report) => outcome,
        signal = signals.next() => return Ok(signal.exit_code()),
    };
    // Those that have ended are told even when others have not.
    match outcome {
        Ok(()) => report.finish(),
        Err(error) if error.kind == ErrorKind::TimedOut => report.finish().and(Err(error)),
        Err(error) => Err(error),
    }
}

async fn wait(ctx: &Context, args: &Args, report: &mut Report) -> Result<(), CliError> {
    let deadline = args.timeout.and_then(|limit| Instant::now().checked_add(limit.0.into()));
    let mut reader = ctx.reader().await?;
    let mut left = Vec::new();
    for workflow in fetch(&mut reader.client, &args.workflows).await? {
        if has_ended(&workflow) {
            report.ended(workflow)?;
        } else {
            left.push(workflow);
        }
    }
    if args.any && !report.ended.is_empty() {
        return Ok(());
    }
    let mut waits = FuturesUnordered::new();
    for workflow in &left {
        let client = Client::connect(reader.client.socket()).await?;
        waits.push(Watching::begin(client, workflow.clone(), None).await?.ended());
    }
    while let Some(ended) = before(deadline, waits.next()).await {
        // None is left to wait for.
        let Some(ended) = ended else { return Ok(()) };
        report.ended(ended?)?;
        if args.any {
            return Ok(());
        }
    }
    left.retain(|workflow| report.ended.iter().all(|ended| ended.id != workflow.id));
    Err(too_late(&left, args.timeout.unwrap_or_default()))
}

/// Returns what `future` gives; none when the deadline comes before.
async fn before<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}

/// Returns the workflows that are named, each once.
async fn fetch(
    client: &mut Client,
    selectors: &[WorkflowSelector],
) -> Result<Vec<WorkflowView>, CliError> {
    let mut workflows: Vec<WorkflowView> = Vec::new();
    for workflow in selectors.iter().cloned() {
        let workflow = client.call(GetWorkflow { workflow }).await?;
        if workflows.iter().all(|other| other.id != workflow.id) {
            workflows.push(workflow);
        }
    }
    Ok(workflows)
}

fn too_late(left: &[WorkflowView], limit: Duration) -> CliError {
    let (what, hint) = match left {
        [workflow] => (
            format!("{} has", watching::name(workflow)),
            format!("it goes on; `torcctl watch {}` shows how", workflow.id),
        ),
        _ => (
            format!("{} have", count(left.len() as u64, "workflow")),
            "they go on; `torcctl workflows list --status running` shows them".to_owned(),
        ),
    };
    let message = format!("{what} not ended after {}", duration(limit.0));
    CliError::new(ErrorKind::TimedOut, message).hint(hint)
}

/// What is told of the workflows that have ended.
struct Report {
    stdout: Stdout,
    quiet: bool,
    ended: Vec<WorkflowView>,
}

impl Report {
    fn ended(&mut self, workflow: WorkflowView) -> Result<(), CliError> {
        match self.stdout.format {
            Format::Table if !self.quiet => self.stdout.line(&self.sentence(&workflow))?,
            Format::Ndjson => {
                let line = serde_json::to_string(&workflow).map_err(std::io::Error::from)?;
                self.stdout.line(&line)?;
            }
            Format::Id => self.stdout.line(&workflow.id.to_string())?,
            Format::Table | Format::Json | Format::Csv => {}
        }
        self.ended.push(workflow);
        Ok(())
    }

    /// Tells the rest, and returns the exit code.
    fn finish(self) -> Result<u8, CliError> {
        if let Format::Json | Format::Csv = self.stdout.format {
            let mut list = self.stdout.list::<WorkflowView>(&[])?;
            for workflow in &self.ended {
                list.item(workflow)?;
            }
            list.end()?;
        }
        Ok(self.ended.iter().map(exit_code).max().unwrap_or(exit_code::DONE))
    }

    fn sentence(&self, workflow: &WorkflowView) -> String {
        let (name, jobs) = (watching::name(workflow), watching::jobs(workflow.jobs));
        let palette = self.stdout.layout.palette;
        let status = palette.paint(workflow.status.into(), workflow.status.as_str());
        format!("{name}: {status}, {jobs}")
    }
}

#[cfg(test)]
mod tests {
    use torc_protocol::time::Span;

    use super::*;
    use crate::commands::fixtures::workflow;

    #[test]
    fn the_end_of_the_time_names_what_goes_on() {
        let limit = Duration(Span(90_000_000));
        let one = too_late(&[workflow()], limit);
        assert_eq!(one.message, "workflow 3 'night' has not ended after 1 m 30 s");
        assert_eq!(one.exit_code(), 4);
        let two = too_late(&[workflow(), workflow()], limit);
        assert_eq!(two.message, "2 workflows have not ended after 1 m 30 s");
    }
}
