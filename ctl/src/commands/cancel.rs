//! `torcctl cancel`: withdraw what waits, stop what runs.

use torc_protocol::request::{Cancel, GetJob, JobSelector, WorkflowSelector};
use torc_protocol::response::Canceled;

use crate::client::Client;
use crate::commands::value;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;
use crate::spec::duration::Duration;
use crate::style::count;

const EXAMPLES: &str = "\
Examples:
  torcctl cancel                        everything in the latest workflow
  torcctl cancel 3 --job job7           one job of workflow 3
  torcctl cancel night --grace 30s      jobs have 30 s from SIGTERM to SIGKILL";

/// What the output describes.
const NOUN: &str = "a cancellation";

/// Cancel a workflow, or some of its jobs
///
/// Jobs that have not started will not; those that run get SIGTERM, and SIGKILL after the grace.
/// Returns when that is recorded, not when the last job has stopped.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The workflow: its id, its name, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, default_value = "latest")]
    workflow: WorkflowSelector,
    /// Only this job of it, by its name, else its id (can be repeated)
    #[arg(long = "job", value_name = "JOB")]
    jobs: Vec<String>,
    /// How long jobs have from SIGTERM to SIGKILL, instead of what their settings say
    #[arg(long, value_name = "DURATION")]
    grace: Option<Duration>,
}

/// Runs it.
///
/// # Errors
///
/// When no torcd is running, or the workflow or job does not exist.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    check_format(ctx.globals.format, NOUN)?;
    let mut client = ctx.client().await?;
    let mut jobs = Vec::with_capacity(args.jobs.len());
    for job in args.jobs {
        jobs.push(selector(&mut client, job, &args.workflow).await?);
    }
    let grace = args.grace.map(|grace| grace.0);
    let canceled = client.call(Cancel { workflow: args.workflow, jobs, grace }).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        write_json(stdout.format, NOUN, &Report::from(&canceled), stdout.open())?;
    } else if !ctx.globals.quiet {
        stdout.line(&sentence(&canceled))?;
    }
    Ok(exit_code::DONE)
}

/// Returns the job of `workflow` that is called `job`; if there is none, a number is an id.
async fn selector(
    client: &mut Client,
    job: String,
    workflow: &WorkflowSelector,
) -> Result<JobSelector, CliError> {
    let id = job.parse().ok();
    let named = JobSelector::Name(workflow.clone(), job);
    let Some(id) = id else { return Ok(named) };
    match client.call(GetJob { job: named.clone() }).await {
        Ok(_) => Ok(named),
        Err(error) if error.kind == ErrorKind::NotFound => Ok(JobSelector::Id(id)),
        Err(error) => Err(error),
    }
}

/// The keys of the JSON output.
#[derive(serde::Serialize)]
struct Report {
    workflow_id: u64,
    canceled: u64,
    stopping: u64,
}

impl From<&Canceled> for Report {
    fn from(canceled: &Canceled) -> Self {
        Self {
            workflow_id: canceled.workflow_id.0,
            canceled: canceled.canceled,
            stopping: canceled.stopping,
        }
    }
}

fn sentence(canceled: &Canceled) -> String {
    let id = canceled.workflow_id;
    let verb = if canceled.stopping == 1 { "is" } else { "are" };
    let what = match (canceled.canceled, canceled.stopping) {
        (0, 0) => "nothing is left to cancel".to_owned(),
        (waiting, 0) => format!("{} will not start", count(waiting, "job")),
        (0, running) => format!("{} {verb} being stopped", count(running, "job")),
        (waiting, running) => {
            let waiting = count(waiting, "job");
            format!("{waiting} will not start, {running} {verb} being stopped")
        }
    };
    format!("workflow {id}: {what}")
}

#[cfg(test)]
mod tests {
    use torc_protocol::id::WorkflowId;

    use super::*;

    #[test]
    fn the_answer_counts_both_kinds() {
        let say = |canceled, stopping| {
            sentence(&Canceled { workflow_id: WorkflowId(3), canceled, stopping })
        };
        assert_eq!(say(5, 2), "workflow 3: 5 jobs will not start, 2 are being stopped");
        assert_eq!(say(1, 1), "workflow 3: 1 job will not start, 1 is being stopped");
        assert_eq!(say(2, 0), "workflow 3: 2 jobs will not start");
        assert_eq!(say(0, 1), "workflow 3: 1 job is being stopped");
        assert_eq!(say(0, 0), "workflow 3: nothing is left to cancel");
    }
}
