//! `torcctl user-data`: the values that the jobs of a workflow pass on.

use torc_protocol::request::ListUserData;

use crate::commands::list::{ListArgs, WorkflowArg, whereabouts};
use crate::context::Context;
use crate::error::CliError;

/// Show the values that jobs read and write
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    List(List),
}

const EXAMPLES: &str = "\
Examples:
  torcctl user-data list                   the latest workflow
  torcctl user-data list 3 --name 'fit_*' --format json
  torcctl user-data list --columns name,data

Columns: id, name, data, is_ephemeral, written_by, read_by

Sort by: id, name, data, is_ephemeral, written_by, read_by";

/// List the user data of a workflow
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = EXAMPLES)]
struct List {
    #[command(flatten)]
    workflow: WorkflowArg,
    /// Only values whose name matches
    #[arg(long, value_name = "GLOB")]
    name: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

/// Runs it.
///
/// # Errors
///
/// When the workflow does not exist, or nobody can be asked.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    let Verb::List(args) = args.verb;
    let workflow = args.workflow.selector();
    let place = whereabouts(&workflow, args.name.is_some());
    let call = ListUserData { workflow, name: args.name, page: args.list.page() };
    args.list.print(ctx, call, &place).await
}
