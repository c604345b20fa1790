//! `torcctl jobs list`.

use torc_protocol::request::ListJobs;
use torc_protocol::status::JobStatus;

use crate::commands::list::{ListArgs, WorkflowArg, whereabouts};
use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  torcctl jobs list                        all jobs of the latest workflow
  torcctl jobs list 3 --failed             those of workflow 3 that did not complete
  torcctl jobs list --name 'align_*' --sort status
  torcctl jobs list --label gpu --columns name,status,gpus
  torcctl jobs list --actions              what is done at points of its life, not its jobs
  torcctl jobs list --status running,ready --format json

Columns: id, workflow_id, name, status, return_code, attempts, priority, cpus, memory, gpus, labels,
command

Sort by: id, name, command, status, priority, attempts, return_code, cpus, memory, gpus";

/// List the jobs of a workflow
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = EXAMPLES)]
pub(super) struct List {
    #[command(flatten)]
    workflow: WorkflowArg,
    /// Only jobs in these states (can be repeated)
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = value::job_status())]
    status: Vec<JobStatus>,
    /// Only jobs that did not complete: failed, terminated or canceled
    #[arg(long, conflicts_with = "status")]
    failed: bool,
    /// Only jobs whose name matches
    #[arg(long, value_name = "GLOB")]
    name: Option<String>,
    /// Only jobs that have this label
    #[arg(long)]
    label: Option<String>,
    /// The actions of the workflow, instead of its jobs
    #[arg(long)]
    actions: bool,
    #[command(flatten)]
    list: ListArgs,
}

pub(super) async fn run(ctx: &Context, args: List) -> Result<u8, CliError> {
    let status = if args.failed {
        vec![JobStatus::Failed, JobStatus::Canceled, JobStatus::Terminated]
    } else {
        args.status
    };
    let workflow = args.workflow.selector();
    let is_filtered =
        !status.is_empty() || args.name.is_some() || args.label.is_some() || args.actions;
    let place = whereabouts(&workflow, is_filtered);
    let call = ListJobs {
        workflow,
        status,
        name: args.name,
        label: args.label,
        actions: args.actions,
        page: args.list.page(),
    };
    args.list.print(ctx, call, &place).await
}
