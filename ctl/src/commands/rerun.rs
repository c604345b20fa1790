//! Running a workflow of the database again, for `run` and `retry`: what has to run, and why.
//!
//! `record` asks for what is known, `files` looks at the files, `needed` (with `writers`) and
//! `failed` decide, and `choice` puts it in words. All of that happens here, not in torcd, which never looks at a disk of
//! the jobs.

use std::collections::HashSet;

use torc_protocol::id::JobId;
use torc_protocol::request::{JobRange, Restart, Status, WorkflowSelector};
use torc_protocol::spec::RunOptions;
use torc_protocol::status::{JobStatus, WorkflowStatus};

use self::choice::Choice;
use self::record::Record;
use crate::client::Client;
use crate::commands::running::args::{LimitArgs, PaceArgs, ShowArgs};
use crate::commands::running::job_context::environment;
use crate::commands::running::outcome::Idle;
use crate::commands::running::record_args::RecordArgs;
use crate::commands::running::showing::Show;
use crate::commands::running::target::Target;
use crate::commands::running::time_limit::Reserve;
use crate::commands::running::{self, Run};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::output::stdout::Stdout;
use crate::signals::Signals;
use crate::spec::resolved::Workflow;
use crate::style::{count, one_line};
use crate::{exit_code, stderr};

mod choice;
mod failed;
mod files;
mod needed;
mod record;
mod writers;

/// How many jobs are named before they run.
const NAMED: usize = 8;

/// Which jobs are to run.
#[derive(Debug)]
pub(crate) enum Which {
    /// All that are needed.
    Needed {
        /// The file from which the commands are taken.
        with: Option<Box<Workflow>>,
    },
    /// Those that failed.
    Failed {
        /// Only these, by name or number; all when empty.
        jobs: Vec<String>,
    },
}

/// A workflow that is to run again.
#[derive(Debug)]
pub(crate) struct Request {
    /// Which.
    pub(crate) workflow: WorkflowSelector,
    /// Which of its jobs.
    pub(crate) which: Which,
    /// Only tell which, and why.
    pub(crate) dry_run: bool,
}

/// The options of the command that asks.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    /// The name of the command.
    pub(crate) command: &'a str,
    /// How it is run this time.
    pub(crate) pace: &'a PaceArgs,
    /// What it may take.
    pub(crate) limits: &'a LimitArgs,
    /// How it is shown.
    pub(crate) show: &'a ShowArgs,
    /// Where its record is.
    pub(crate) record: &'a RecordArgs,
}

/// Runs it.
///
/// # Errors
///
/// When the workflow or a job is not there, or cannot be run now.
pub(crate) async fn run(
    ctx: &Context,
    request: Request,
    options: Options<'_>,
) -> Result<u8, CliError> {
    if request.dry_run {
        return list(ctx, request).await;
    }
    let show = Show::new(ctx, options.show, options.command, false)?;
    let run_options = options.limits.options(options.pace, Reserve::default())?;
    let mut signals = Signals::listen()?;
    let opening = Target::open_existing(ctx, options.record, show.lasting());
    let mut target = running::unless_signaled(&mut signals, opening).await?;
    let choosing = choose(&mut target.client, request.workflow, &request.which);
    let chosen = running::unless_signaled(&mut signals, choosing).await;
    let (target, (record, choice)) = running::or_abandon(target, chosen).await?;
    warn(ctx, &choice);
    if choice.jobs.is_empty() {
        let idle = Idle {
            why: nothing_to_do(&record, &request.which),
            is_done: record.workflow.status == WorkflowStatus::Completed,
        };
        return running::ending::idle(ctx, target, signals, &record.workflow, idle).await;
    }
    if !ctx.globals.quiet {
        stderr::say(&announcement(&record, &choice));
    }
    let restart = restart(&record, choice, run_options, show.keep_order);
    running::restart(ctx, target, signals, restart, show).await
}

/// Lists the jobs that would run, with their reasons; nothing is changed.
async fn list(ctx: &Context, request: Request) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let mut reader = ctx.reader().await?;
    let (record, choice) = choose(&mut reader.client, request.workflow, &request.which).await?;
    warn(ctx, &choice);
    if choice.jobs.is_empty() && !stdout.format.is_for_programs() {
        stderr::say(&nothing_to_do(&record, &request.which));
        return Ok(exit_code::DONE);
    }
    let mut list = stdout.list(&[])?;
    for job in &choice.jobs {
        list.item(job)?;
    }
    list.end()?;
    Ok(exit_code::DONE)
}

async fn choose(
    client: &mut Client,
    workflow: WorkflowSelector,
    which: &Which,
) -> Result<(Record, Choice), CliError> {
    let record = Record::fetch(client, workflow).await?;
    let id = record.workflow.id;
    if record.workflow.status == WorkflowStatus::Running && !is_read_only(client).await? {
        let message = format!("workflow {id} is running");
        return Err(CliError::new(ErrorKind::Refused, message).hint(format!(
            "`torcctl cancel {id}` stops it; or wait for its end with `torcctl wait {id}`"
        )));
    }
    let choice = match which {
        Which::Needed { with } => {
            let stamps = files::stamps(&record.workflow.working_dir, &record.paths).await?;
            choice::needed_jobs(&record, &stamps, with.as_deref())
        }
        Which::Failed { jobs } => choice::failed_jobs(&record, jobs)?,
    };
    Ok((record, choice))
}

/// Returns whether what was running in the database cannot be running now.
async fn is_read_only(client: &mut Client) -> Result<bool, CliError> {
    Ok(client.call(Status).await?.read_only)
}

fn restart(
    record: &Record,
    choice: Choice,
    options: RunOptions,
    keep_order: bool,
) -> (Restart, Run) {
    let chosen: HashSet<JobId> = choice.jobs.iter().map(|job| job.job_id).collect();
    let jobs = JobRange::of(chosen.iter().copied());
    let outside = choice::outside(record, &chosen);
    let run = Run {
        name: record.workflow.name.clone(),
        labels: options.labels.clone(),
        order: keep_order.then(|| choice.jobs.into_iter().map(|job| job.name).collect()),
        outside,
        is_rerun: true,
        only: (outside.total > 0).then_some(chosen),
    };
    let restart = Restart {
        workflow: WorkflowSelector::Id(record.workflow.id),
        jobs,
        commands: choice.commands,
        environment: environment(),
        options,
        watch: true,
    };
    (restart, run)
}

fn warn(ctx: &Context, choice: &Choice) {
    if !ctx.globals.quiet {
        for warning in &choice.warnings {
            stderr::say(&format!("warning: {}", one_line(warning)));
        }
    }
}

/// Returns what will run and why, the first jobs by name.
fn announcement(record: &Record, choice: &Choice) -> String {
    let mut lines = vec![format!(
        "{}: {} of {} needed",
        called(record),
        choice.jobs.len(),
        count(record.jobs.len() as u64, "job")
    )];
    for job in choice.jobs.iter().take(NAMED) {
        lines.push(format!("  {}: {}", one_line(&job.name), one_line(&job.reason)));
    }
    if choice.jobs.len() > NAMED {
        lines.push(format!("  … and {} more, which --dry-run lists", choice.jobs.len() - NAMED));
    }
    lines.join("\n")
}

fn nothing_to_do(record: &Record, which: &Which) -> String {
    let with = |status| record.jobs.iter().filter(|job| job.status == status).count() as u64;
    let workflow = called(record);
    match which {
        Which::Failed { .. } => match with(JobStatus::Canceled) {
            0 => format!("nothing to do: no job of {workflow} failed"),
            canceled => format!(
                "nothing to do: no job of {workflow} failed; {} canceled, which `torcctl run {}` \
                 runs",
                were(canceled),
                record.workflow.id
            ),
        },
        Which::Needed { .. } => {
            let complete = count(with(JobStatus::Completed), "job");
            let aside = match with(JobStatus::Disabled) {
                0 => String::new(),
                disabled => {
                    format!("; {disabled} disabled, which `torcctl jobs enable` takes back")
                }
            };
            format!("nothing to do: {complete} of {workflow} complete, and nothing changed{aside}")
        }
    }
}

fn were(number: u64) -> String {
    if number == 1 { "1 was".to_owned() } else { format!("{number} were") }
}

fn called(record: &Record) -> String {
    format!("workflow {} ({})", record.workflow.id, one_line(&record.workflow.name))
}

#[cfg(test)]
mod tests {
    use super::record::tests::Script;
    use super::*;

    #[test]
    fn what_runs_is_announced_with_its_reasons() {
        let graph: Vec<_> = (0..10).map(|number| format!("a -> b{number}")).collect();
        let record = Script::graph(&graph.join(",")).status("a", JobStatus::Failed, Some(1));
        let record = record.record();
        let choice = choice::needed_jobs(&record, &[], None);
        let text = announcement(&record, &choice);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "workflow 4 (night): 11 of 11 jobs needed");
        assert_eq!(lines[1], "  a: failed (return code 1)");
        assert_eq!(lines[2], "  b0: depends on a");
        assert_eq!(lines[9..], ["  … and 3 more, which --dry-run lists"]);
    }

    #[test]
    fn that_nothing_is_to_do_is_explained() {
        let record = Script::graph("a, b").status("b", JobStatus::Disabled, None).record();
        let needed = nothing_to_do(&record, &Which::Needed { with: None });
        let expected = "nothing to do: 1 job of workflow 4 (night) complete, and nothing changed; \
                        1 disabled, which `torcctl jobs enable` takes back";
        assert_eq!(needed, expected);
        let record = Script::graph("a, b").status("b", JobStatus::Canceled, None).record();
        let failed = nothing_to_do(&record, &Which::Failed { jobs: Vec::new() });
        assert!(failed.ends_with("failed; 1 was canceled, which `torcctl run 4` runs"), "{failed}");
    }

    #[test]
    fn only_the_jobs_of_the_run_count_in_it() {
        let record = Script::graph("a, b, c")
            .status("a", JobStatus::Failed, Some(1))
            .status("b", JobStatus::Failed, Some(1))
            .record();
        let choice = choice::failed_jobs(&record, &["a".to_owned()]).unwrap();
        let (restart, run) = restart(&record, choice, RunOptions::default(), true);
        assert_eq!(restart.jobs, JobRange::of([record.jobs[0].id]));
        assert_eq!((run.outside.total, run.outside.failed), (2, 1));
        assert_eq!(run.only, Some(HashSet::from([record.jobs[0].id])));
        assert_eq!(run.order, Some(vec!["a".to_owned()]));
    }
}
