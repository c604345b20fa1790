//! `torcctl workflows`: what was submitted.

use torc_protocol::request::{ListWorkflows, Watch, WorkflowSelector};
use torc_protocol::response::WatchItem;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::{JobCounts, WorkflowView};

use crate::commands::list::ListArgs;
use crate::commands::value;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::format::Format;
use crate::output::page::{Page, write_json};
use crate::output::stdout::Stdout;
use crate::style::{duration, local_time, one_line};

/// Show workflows
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    List(List),
    Get(Get),
}

const LIST_EXAMPLES: &str = "\
Examples:
  torcctl workflows list                          all, oldest first
  torcctl workflows list --reverse --limit 5      the last five
  torcctl workflows list --status failed --name 'night_*'

Columns: id, name, description, status, total, blocked, ready, pending, running, completed,
failed, canceled, terminated, disabled, submitted_at, finished_at, elapsed, working_dir,
output_dir

Sort by: id, name, status, total, failed, submitted_at, finished_at";

/// List workflows
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
struct List {
    /// Only workflows in these states (can be repeated)
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = value::workflow_status())]
    status: Vec<WorkflowStatus>,
    /// Only workflows that did not complete: failed or canceled
    #[arg(long, conflicts_with = "status")]
    failed: bool,
    /// Only workflows whose name matches
    #[arg(long, value_name = "GLOB")]
    name: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

const GET_EXAMPLES: &str = "\
Examples:
  torcctl workflows get                           the latest
  torcctl workflows get 3 --format json";

/// Show one workflow
#[derive(clap::Args, Debug)]
#[command(after_help = GET_EXAMPLES)]
struct Get {
    /// The workflow: its id, its name, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, default_value = "latest")]
    workflow: WorkflowSelector,
}

/// Runs it.
///
/// # Errors
///
/// When the workflow does not exist, or nobody can be asked.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    match args.verb {
        Verb::List(args) => list(ctx, args).await,
        Verb::Get(args) => get(ctx, args).await,
    }
}

async fn list(ctx: &Context, args: List) -> Result<u8, CliError> {
    let status = if args.failed {
        vec![WorkflowStatus::Failed, WorkflowStatus::Canceled]
    } else {
        args.status
    };
    let is_filtered = !status.is_empty() || args.name.is_some();
    let place = if is_filtered { "match the filters" } else { "in the database" };
    let call = ListWorkflows { status, name: args.name, page: args.list.page() };
    args.list.print(ctx, call, place).await
}

async fn get(ctx: &Context, args: Get) -> Result<u8, CliError> {
    let mut reader = ctx.reader().await?;
    // What a watcher is told first is the present state, and that is all that is wanted here.
    reader.client.stream(Watch { workflow: args.workflow, from_seq: None }).await?;
    let workflow = loop {
        match reader.client.next::<Watch>().await? {
            Some(WatchItem::State { workflow, .. }) => break workflow,
            Some(WatchItem::Events(_) | WatchItem::CaughtUp { .. } | WatchItem::Cut { .. }) => {}
            None => {
                let message = "torcd did not tell the state of the workflow";
                return Err(CliError::new(ErrorKind::Failed, message));
            }
        }
    };
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    match stdout.format {
        Format::Table => page(&workflow).write(stdout.layout.palette, stdout.open())?,
        Format::Csv => {
            let mut list = stdout.list::<WorkflowView>(&[])?;
            list.item(&workflow)?;
            list.end()?;
        }
        Format::Json | Format::Ndjson => {
            write_json(stdout.format, "a workflow", &workflow, stdout.open())?;
        }
    }
    Ok(exit_code::DONE)
}

fn page(workflow: &WorkflowView) -> Page {
    let mut page = Page::default();
    page.line("workflow", format!("{} (id {})", one_line(&workflow.name), workflow.id));
    if let Some(text) = &workflow.description {
        page.line("description", one_line(text));
    }
    page.toned("status", workflow.status.as_str(), workflow.status.into())
        .line("jobs", counts(workflow.jobs))
        .line("submitted", local_time(workflow.submitted_at));
    if let Some(finished) = workflow.finished_at {
        let elapsed = duration(finished.since(workflow.submitted_at));
        page.line("finished", format!("{}, after {elapsed}", local_time(finished)));
    }
    page.line("directory", one_line(&workflow.working_dir))
        .line("output", one_line(&workflow.output_dir));
    page
}

/// Returns `12: 10 completed, 2 failed`, without the states in which no job is.
pub(crate) fn counts(mut jobs: JobCounts) -> String {
    let states: Vec<String> = JobStatus::ALL
        .iter()
        .map(|status| (*jobs.of(*status), status))
        .filter(|(number, _)| *number > 0)
        .map(|(number, status)| format!("{number} {status}"))
        .collect();
    if states.is_empty() {
        "none".to_owned()
    } else {
        format!("{}: {}", jobs.total, states.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_out_what_is_not_there() {
        let jobs = JobCounts { total: 12, completed: 10, failed: 2, ..JobCounts::default() };
        assert_eq!(counts(jobs), "12: 10 completed, 2 failed");
        assert_eq!(counts(JobCounts::default()), "none");
    }
}
