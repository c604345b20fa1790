//! `torcctl jobs`: what a workflow consists of.

use torc_protocol::request::{GetJob, ListJobs, WorkflowSelector};
use torc_protocol::response::JobDetail;
use torc_protocol::status::JobStatus;
use torc_protocol::view::ResultView;

use crate::commands::list::{ListArgs, WorkflowArg, whereabouts};
use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::format::Format;
use crate::output::page::{Page, write_json};
use crate::output::stdout::Stdout;
use crate::style::one_line;

/// Show jobs
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
  torcctl jobs list                        all jobs of the latest workflow
  torcctl jobs list 3 --failed             those of workflow 3 that did not complete
  torcctl jobs list --name 'align_*' --sort status
  torcctl jobs list --status running,ready --format json

Columns: id, workflow_id, name, status, return_code, attempts, priority, command

Sort by: id, name, command, status, priority, attempts, return_code";

/// List the jobs of a workflow
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = LIST_EXAMPLES)]
struct List {
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
    #[command(flatten)]
    list: ListArgs,
}

const GET_EXAMPLES: &str = "\
Examples:
  torcctl jobs get job7                    the job of this name in the latest workflow
  torcctl jobs get 4711 --format json      the job with this id, with its attempts";

/// Show one job and its attempts
#[derive(clap::Args, Debug)]
#[command(after_help = GET_EXAMPLES)]
struct Get {
    /// The job: its name, or its id unless --workflow is given
    #[arg(value_name = "JOB")]
    job: String,
    /// The workflow of a job that is named: its id, its name, or `latest`
    #[arg(long, short = 'w', value_name = "WORKFLOW", value_parser = value::workflow)]
    workflow: Option<WorkflowSelector>,
}

/// Runs it.
///
/// # Errors
///
/// When the job or workflow does not exist, or nobody can be asked.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    match args.verb {
        Verb::List(args) => list(ctx, args).await,
        Verb::Get(args) => get(ctx, &args).await,
    }
}

async fn list(ctx: &Context, args: List) -> Result<u8, CliError> {
    let status = if args.failed {
        vec![JobStatus::Failed, JobStatus::Canceled, JobStatus::Terminated]
    } else {
        args.status
    };
    let workflow = args.workflow.selector();
    let is_filtered = !status.is_empty() || args.name.is_some();
    let place = whereabouts(&workflow, is_filtered);
    let call = ListJobs { workflow, status, name: args.name, page: args.list.page() };
    args.list.print(ctx, call, &place).await
}

async fn get(ctx: &Context, args: &Get) -> Result<u8, CliError> {
    let job = value::job(&args.job, args.workflow.as_ref());
    let detail = ctx.reader().await?.client.call(GetJob { job }).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    match stdout.format {
        Format::Table => show(stdout, &detail)?,
        Format::Csv => attempts(stdout, &detail)?,
        Format::Json | Format::Ndjson => {
            write_json(stdout.format, "a job", &detail, stdout.open())?;
        }
    }
    Ok(exit_code::DONE)
}

fn show(stdout: Stdout, detail: &JobDetail) -> Result<(), CliError> {
    let job = &detail.job;
    let mut page = Page::default();
    page.line("job", format!("{} (id {})", one_line(&job.name), job.id))
        .line("workflow", job.workflow_id.to_string())
        .line("command", one_line(&job.command))
        .toned("status", job.status.as_str(), job.status.into())
        .line("priority", job.priority.to_string())
        .line("attempts", job.attempts.to_string());
    if let Some(code) = job.return_code {
        page.line("return code", code.to_string());
    }
    page.write(stdout.layout.palette, stdout.open())?;
    if !detail.attempts.is_empty() {
        stdout.line("")?;
        attempts(stdout, detail)?;
    }
    Ok(())
}

/// Lists the attempts: for people what differs between them, for programs everything.
fn attempts(stdout: Stdout, detail: &JobDetail) -> Result<(), CliError> {
    const SHOWN: &[&str] = &[
        "attempt",
        "status",
        "return_code",
        "started_at",
        "wall",
        "cpu",
        "peak_memory",
        "stdout_bytes",
        "stderr_bytes",
        "node",
        "reason",
    ];
    let columns: Vec<String> = match stdout.format {
        Format::Table => SHOWN.iter().map(|name| (*name).to_owned()).collect(),
        Format::Json | Format::Ndjson | Format::Csv => Vec::new(),
    };
    let mut list = stdout.list::<ResultView>(&columns)?;
    for attempt in &detail.attempts {
        list.item(attempt)?;
    }
    Ok(list.end()?)
}
