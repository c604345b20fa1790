//! `torcctl results`: what the attempts of jobs gave.

use torc_protocol::request::ListResults;
use torc_protocol::status::JobStatus;

use crate::commands::list::{ListArgs, WorkflowArg, whereabouts};
use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;

/// Show what jobs gave: exit codes, times, memory
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
  torcctl results list                            the latest workflow
  torcctl results list --failed                   what went wrong in it
  torcctl results list --all-attempts --name align_7
                                                  retries too, and what their recovery scripts gave
  torcctl results list --actions                  what the actions of the workflow gave
  torcctl results list --sort wall --reverse --limit 10
  torcctl results list night --return-code 137 --columns name,node,peak_memory
  torcctl results list --db old/torc.db --format csv > results.csv

Columns: job_id, workflow_id, name, attempt, status, return_code, reason, wall, user_cpu,
system_cpu, cpu, peak_memory, started_at, finished_at, node, pid, recovery_code, stdout_bytes,
stderr_bytes, stdout_path, stderr_path, command

Sort by: job_id, name, command, attempt, status, return_code, started_at, finished_at, wall,
user_cpu, system_cpu, cpu, peak_memory, stdout_bytes, stderr_bytes";

/// What people want to know of several attempts of a job: how they differ.
const ATTEMPTS: &[&str] = &[
    "job_id",
    "name",
    "attempt",
    "recovery_code",
    "status",
    "return_code",
    "started_at",
    "wall",
    "peak_memory",
    "reason",
];

/// List the results of a workflow's jobs
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = EXAMPLES)]
struct List {
    #[command(flatten)]
    workflow: WorkflowArg,
    /// Only attempts in these states (can be repeated)
    #[arg(long, value_name = "STATUS", value_delimiter = ',', value_parser = value::attempt_status())]
    status: Vec<JobStatus>,
    /// Only attempts that went wrong: failed or terminated
    #[arg(long, conflicts_with = "status")]
    failed: bool,
    /// Only jobs whose name matches
    #[arg(long, value_name = "GLOB")]
    name: Option<String>,
    /// Only this return code
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    return_code: Option<i32>,
    /// Every attempt, not only the last of each job
    #[arg(long)]
    all_attempts: bool,
    /// Those of the actions of the workflow, instead of those of its jobs
    #[arg(long)]
    actions: bool,
    #[command(flatten)]
    list: ListArgs,
}

/// Runs it.
///
/// # Errors
///
/// When the workflow does not exist, or nobody can be asked.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    let Verb::List(mut args) = args.verb;
    let status =
        if args.failed { vec![JobStatus::Failed, JobStatus::Terminated] } else { args.status };
    if args.all_attempts {
        args.list.show(ctx, ATTEMPTS);
    }
    let workflow = args.workflow.selector();
    let is_filtered =
        !status.is_empty() || args.name.is_some() || args.return_code.is_some() || args.actions;
    let place = whereabouts(&workflow, is_filtered);
    let call = ListResults {
        workflow,
        status,
        name: args.name,
        return_code: args.return_code,
        all_attempts: args.all_attempts,
        actions: args.actions,
        page: args.list.page(),
    };
    args.list.print(ctx, call, &place).await
}
