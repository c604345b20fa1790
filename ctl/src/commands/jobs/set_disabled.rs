//! `torcctl jobs disable` and `enable`: jobs are set aside, and taken back.

use serde::Serialize;
use torc_protocol::id::WorkflowId;
use torc_protocol::request::{GetJob, GetWorkflow, JobSelector, SetDisabled, WorkflowSelector};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::JobView;

use crate::client::Client;
use crate::commands::value;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;
use crate::stderr;
use crate::style::{count, one_line};

const DISABLE_EXAMPLES: &str = "\
Examples:
  torcctl jobs disable plot                in the latest workflow
  torcctl jobs disable 12 13               the jobs with these ids
  torcctl jobs disable plot report -w night

Exit codes: 3 no torcd is running, 6 there is no such job, 7 a job has been started already";

const ENABLE_EXAMPLES: &str = "\
Examples:
  torcctl jobs enable plot                 in the latest workflow
  torcctl jobs enable 12 13                the jobs with these ids

Exit codes: 3 no torcd is running, 6 there is no such job";

/// What the output describes.
const NOUN: &str = "a change";
/// So many jobs are named that were not changed.
const NAMED: usize = 5;

/// Set jobs aside that have not started
///
/// A disabled job neither runs nor ends, and those that depend on it wait. A workflow in which
/// nothing else is left to do is paused.
#[derive(clap::Args, Debug)]
#[command(after_help = DISABLE_EXAMPLES)]
pub(super) struct Disable {
    #[command(flatten)]
    pub(super) jobs: JobArgs,
}

/// Take jobs back that were set aside
#[derive(clap::Args, Debug)]
#[command(after_help = ENABLE_EXAMPLES)]
pub(super) struct Enable {
    #[command(flatten)]
    pub(super) jobs: JobArgs,
}

/// Which jobs.
#[derive(clap::Args, Debug)]
pub(super) struct JobArgs {
    /// The jobs: their names, or their ids unless --workflow is given
    #[arg(value_name = "JOB", required = true)]
    jobs: Vec<String>,
    /// The workflow of jobs that are named: its id, its name, or `latest`
    #[arg(long, short = 'w', value_name = "WORKFLOW", value_parser = value::workflow)]
    workflow: Option<WorkflowSelector>,
}

/// What was done in one workflow; the keys of the JSON output.
#[derive(Debug, Serialize)]
struct Change {
    workflow_id: WorkflowId,
    changed: u64,
}

pub(super) async fn run(ctx: &Context, args: &JobArgs, disabled: bool) -> Result<u8, CliError> {
    check_format(ctx.globals.format, NOUN)?;
    let mut client = ctx.writer().await?;
    let named = args.jobs.iter().map(|job| value::job(job, args.workflow.as_ref()));
    let jobs = fetch(&mut client, named).await?;
    let mut changes = Vec::new();
    for group in by_workflow(&jobs) {
        changes.push(change(&mut client, &group, disabled).await?);
    }
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        write_json(stdout.format, NOUN, &changes, stdout.open())?;
    } else if !ctx.globals.quiet {
        for change in &changes {
            stdout.line(&sentence(change, disabled))?;
            if change.changed > 0 {
                hint(&mut client, change.workflow_id, disabled).await?;
            }
        }
    }
    if disabled {
        // Looked at again: one may have been started in between.
        let ids = jobs.iter().map(|job| JobSelector::Id(job.id));
        refuse_started(&fetch(&mut client, ids).await?)?;
    }
    Ok(exit_code::DONE)
}

async fn fetch(
    client: &mut Client,
    selectors: impl Iterator<Item = JobSelector>,
) -> Result<Vec<JobView>, CliError> {
    let mut jobs = Vec::new();
    for job in selectors {
        jobs.push(client.call(GetJob { job }).await?.job);
    }
    Ok(jobs)
}

/// Returns the jobs of each workflow, in the order in which they are named.
fn by_workflow(jobs: &[JobView]) -> Vec<Vec<&JobView>> {
    let mut groups: Vec<Vec<&JobView>> = Vec::new();
    for job in jobs {
        match groups.iter_mut().find(|group| group[0].workflow_id == job.workflow_id) {
            Some(group) => group.push(job),
            None => groups.push(vec![job]),
        }
    }
    groups
}

async fn change(
    client: &mut Client,
    jobs: &[&JobView],
    disabled: bool,
) -> Result<Change, CliError> {
    let workflow = WorkflowSelector::Id(jobs[0].workflow_id);
    let jobs = jobs.iter().map(|job| JobSelector::Id(job.id)).collect();
    let done = client.call(SetDisabled { workflow, jobs, disabled }).await?;
    Ok(Change { workflow_id: done.workflow_id, changed: done.changed })
}

fn sentence(change: &Change, disabled: bool) -> String {
    let verb = if disabled { "disabled" } else { "enabled" };
    format!("workflow {}: {} {verb}", change.workflow_id, count(change.changed, "job"))
}

/// Says what follows from it.
async fn hint(client: &mut Client, id: WorkflowId, disabled: bool) -> Result<(), CliError> {
    if disabled {
        stderr::say(&format!(
            "hint: what depends on them waits; `torcctl jobs enable JOB -w {id}` takes them back"
        ));
        return Ok(());
    }
    let workflow = client.call(GetWorkflow { workflow: WorkflowSelector::Id(id) }).await?;
    if workflow.status != WorkflowStatus::Running {
        stderr::say(&format!(
            "hint: the workflow is {}; `torcctl run {id}` runs what is left of it",
            workflow.status
        ));
    }
    Ok(())
}

/// Refuses when some of the jobs, as they are now, could not be set aside.
fn refuse_started(jobs: &[JobView]) -> Result<(), CliError> {
    let started = || jobs.iter().filter(|job| job.status != JobStatus::Disabled);
    let names =
        started().take(NAMED).map(|job| format!("{} is {}", one_line(&job.name), job.status));
    let mut names: Vec<String> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    let number = started().count();
    if number > NAMED {
        names.push(format!("and {} more", number - NAMED));
    }
    let message = format!("only what has not started can be disabled: {}", names.join(", "));
    Err(CliError::new(ErrorKind::Refused, message)
        .hint("`torcctl cancel --job JOB` stops a job that runs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::fixtures::job;

    #[test]
    fn jobs_of_several_workflows_are_changed_workflow_by_workflow() {
        let mut jobs: Vec<JobView> =
            ["a", "b", "c"].map(|name| job(1, name, JobStatus::Ready)).into();
        jobs[1].workflow_id = WorkflowId(9);
        let names: Vec<Vec<&str>> = by_workflow(&jobs)
            .iter()
            .map(|group| group.iter().map(|job| &*job.name).collect())
            .collect();
        assert_eq!(names, [vec!["a", "c"], vec!["b"]]);
    }

    #[test]
    fn jobs_that_have_started_are_named() {
        let mut jobs = vec![job(1, "a", JobStatus::Disabled), job(2, "b", JobStatus::Disabled)];
        assert!(refuse_started(&jobs).is_ok());
        jobs.push(job(4, "d", JobStatus::Running));
        let error = refuse_started(&jobs).unwrap_err();
        assert_eq!(error.message, "only what has not started can be disabled: d is running");
        assert_eq!(error.exit_code(), 7);
        jobs.extend((5..11).map(|id| job(id, "e", JobStatus::Completed)));
        let message = refuse_started(&jobs).unwrap_err().message;
        assert!(message.ends_with("e is completed, and 2 more"), "{message}");
    }
}
