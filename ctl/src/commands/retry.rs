//! `torcctl retry`: run again what failed, and all that depends on it.

use torc_protocol::request::WorkflowSelector;

use crate::commands::running::args::{LimitArgs, PaceArgs, ShowArgs};
use crate::commands::running::record_args::RecordArgs;
use crate::commands::{rerun, value};
use crate::context::Context;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  torcctl retry                             what failed in the last workflow
  torcctl retry 3 --job align_7             one job of workflow 3, and what hangs on it
  torcctl retry night --dry-run             which jobs that are, and why
  torcctl retry --detach                    in the running torcd, without waiting

Exit codes: as those of `torcctl run`";

/// Run again what failed in a workflow, and all that depends on it
///
/// That is what was canceled because of it, and what has run nevertheless. Files and commands are not looked at; `torcctl run WORKFLOW` does that.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The workflow: its id, its name, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, default_value = "latest")]
    workflow: WorkflowSelector,
    /// Only this failed job, by its name, else its id, and what hangs on it (can be repeated)
    #[arg(long = "job", value_name = "JOB")]
    jobs: Vec<String>,
    /// Print which jobs would run and why; start nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    show: ShowArgs,
    #[command(flatten)]
    record: RecordArgs,
}

/// Runs it.
///
/// # Errors
///
/// When the workflow or a job is not there, or cannot be run now.
pub async fn run(ctx: &mut Context, mut args: Args) -> Result<u8, CliError> {
    args.pace = args.pace.or_set(&ctx.settings);
    let request = rerun::Request {
        workflow: args.workflow,
        which: rerun::Which::Failed { jobs: args.jobs },
        dry_run: args.dry_run,
    };
    let options = rerun::Options {
        command: "retry",
        pace: &args.pace,
        limits: &args.limits,
        show: &args.show,
        record: &args.record,
    };
    rerun::run(ctx, request, options).await
}
