//! `torcctl workflows list`.

use torc_protocol::request::ListWorkflows;
use torc_protocol::status::WorkflowStatus;

use crate::commands::list::ListArgs;
use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  torcctl workflows list                          all, oldest first
  torcctl workflows list --reverse --limit 5      the last five
  torcctl workflows list --status failed --name 'night_*'

Columns: id, name, description, status, total, blocked, ready, pending, running, completed,
failed, canceled, terminated, disabled, submitted_at, finished_at, elapsed, working_dir,
output_dir, metadata

Sort by: id, name, status, total, failed, submitted_at, finished_at";

/// List workflows
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = EXAMPLES)]
pub(super) struct List {
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

pub(super) async fn run(ctx: &Context, args: List) -> Result<u8, CliError> {
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
