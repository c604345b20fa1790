//! `torcctl files`: what the jobs of a workflow read and write.

use torc_protocol::request::ListFiles;

use crate::commands::list::{ListArgs, WorkflowArg, whereabouts};
use crate::context::Context;
use crate::error::CliError;

/// Show the files that jobs read and write
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
  torcctl files list                       the latest workflow
  torcctl files list 3 --name 'model_*' --sort path
  torcctl files list --columns path,written_by --format csv

The size and the time are those that were found when a job had last written the file.

Columns: id, name, path, written_by, read_by, modified_at, bytes

Sort by: id, name, path, written_by, read_by";

/// List the files of a workflow
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = EXAMPLES)]
struct List {
    #[command(flatten)]
    workflow: WorkflowArg,
    /// Only files whose name in the workflow matches
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
    let call = ListFiles { workflow, name: args.name, page: args.list.page() };
    args.list.print(ctx, call, &place).await
}
