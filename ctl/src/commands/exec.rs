//! `torcctl exec`: run commands, show how they go, and return when their record is on disk.
//!
//! `plan` checks everything, `resume` leaves out what is done already, and the rest is as for
//! `run`.

use self::args::{InputArgs, JobArgs, WorkflowArgs};
use self::plan::Plan;
use self::resume::Found;
use crate::commands::running;
use crate::commands::running::args::{PaceArgs, ShowArgs, output_dir};
use crate::commands::running::outcome::Idle;
use crate::commands::running::record_args::RecordArgs;
use crate::commands::running::showing::Show;
use crate::commands::running::submission::{Key, Submission};
use crate::commands::running::target::{Target, default_stdio};
use crate::context::Context;
use crate::error::CliError;
use crate::output::page::write_json;
use crate::output::stdout::Stdout;
use crate::signals::Signals;
use crate::spec::dry_run::DryRun;
use crate::style::{count, one_line};
use crate::{exit_code, stderr};

mod args;
mod plan;
mod resume;

const EXAMPLES: &str = "\
Examples:
  torcctl exec -- gzip -k big.csv                     one command, its output as it comes
  torcctl exec -C commands.txt -j 8                   a command a line, eight at a time
  torcctl exec --param i=1:100 -c 'simulate {i}'      simulate 1 to simulate 100
  torcctl exec --param f=@files.txt -c 'gzip -k {f}'  one job for each line of a file
  torcctl exec --resume -C commands.txt               again, without what completed before
  torcctl exec --halt now,fail=3 -C commands.txt      give up when three have failed

Exit codes: 0 all completed and the record is on disk, 1 a job did not complete, 2 usage,
3 no torcd, 5 the record is not on disk, 7 database in use, or what is to be resumed is running,
130 Ctrl-C";

/// Run commands and keep a durable record of every one
#[derive(clap::Args, Debug)]
#[command(
    override_usage = "torcctl exec [OPTIONS] [-c CMD]... [-C FILE]... [-- CMD [ARG]...]",
    after_help = EXAMPLES
)]
pub struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    workflow: WorkflowArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    show: ShowArgs,
    #[command(flatten)]
    job: JobArgs,
    #[command(flatten)]
    record: RecordArgs,
}

/// Runs it.
///
/// # Errors
///
/// When the command line is wrong, no torcd can be had, or it dies.
pub async fn run(ctx: &mut Context, mut args: Args) -> Result<u8, CliError> {
    args.pace = args.pace.or_set(&ctx.settings);
    args.workflow.output_dir = output_dir(args.workflow.output_dir.take(), &ctx.settings);
    let show = Show::new(ctx, &args.show, "exec", !args.input.argv.is_empty())?;
    let dry_run = args.input.dry_run;
    let mut plan = Plan::new(args.input, &args.workflow, &args.pace, &args.job)?;
    if !ctx.globals.quiet {
        warn_of_unknown_names(&plan);
    }
    if dry_run {
        plan.set_stdio(default_stdio(ctx, !args.record.on_disk));
        return print(ctx, &plan);
    }
    let mut signals = Signals::listen()?;
    let opening = Target::open(ctx, &args.record, show.lasting(), &mut plan);
    let mut target = running::unless_signaled(&mut signals, opening).await?;
    if args.workflow.resume {
        let resuming = resume::resume(&mut target.client, &mut plan);
        let resumed = running::unless_signaled(&mut signals, resuming).await;
        let (opened, found) = running::or_abandon(target, resumed).await?;
        target = opened;
        if let Some(found) = found.as_ref().filter(|found| found.skipped == plan.jobs.len()) {
            let why = format!(
                "nothing to do: {} completed before (--resume)",
                count(found.skipped, "command")
            );
            let idle = Idle { why, is_done: true };
            return running::ending::idle(ctx, target, signals, &found.workflow, idle).await;
        }
        if !ctx.globals.quiet {
            stderr::say(&resumed_line(&plan, found.as_ref()));
        }
    }
    running::submit(ctx, target, signals, (plan, Key::random()), show).await
}

/// Says what is left out.
fn resumed_line(plan: &Plan, found: Option<&Found>) -> String {
    let name = one_line(&plan.spec.name);
    let all = count(plan.jobs.len(), "command");
    match found {
        None => format!("nothing to resume: there is no workflow '{name}' yet; running {all}"),
        Some(found) => {
            let id = found.workflow.id;
            format!(
                "resuming '{name}' (workflow {id}): {} of {all} completed before",
                found.skipped
            )
        }
    }
}

fn print(ctx: &Context, plan: &Plan) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let dry_run = DryRun { spec: &plan.spec, jobs: &plan.jobs, priority: plan.priority };
    write_json(stdout.format, "a dry run", &dry_run, stdout.open())?;
    Ok(exit_code::DONE)
}

/// Says which names in braces stay as they are.
fn warn_of_unknown_names(plan: &Plan) {
    let unknown = plan.jobs.unknown_names();
    if unknown.is_empty() {
        return;
    }
    let names: Vec<_> = unknown.iter().take(5).map(|name| format!("{{{name}}}")).collect();
    let more = if unknown.len() > names.len() { " and others" } else { "" };
    stderr::say(&format!("warning: {}{more} is no parameter and stays as it is", names.join(", ")));
}
