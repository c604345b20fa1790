//! `torcctl run`: run a workflow file, or what is needed of a workflow that was run before.
//!
//! A file is checked as a whole before a torcd is looked for; then `plan` makes a submission of it.
//! What is no file names a workflow, and is for `rerun`.

use std::path::{Path, PathBuf};

use torc_protocol::spec::RunOptions;

use self::args::FileArgs;
use self::plan::FilePlan;
use self::room::Machine;
use crate::commands::running::args::{LimitArgs, PaceArgs, ShowArgs, output_dir};
use crate::commands::running::record_args::RecordArgs;
use crate::commands::running::showing::Show;
use crate::commands::running::submission::Key;
use crate::commands::running::target::Target;
use crate::commands::{rerun, running, value};
use crate::context::Context;
use crate::error::CliError;
use crate::output::page::write_json;
use crate::output::stdout::Stdout;
use crate::signals::Signals;
use crate::spec::file::Format;
use crate::spec::listing::Listing;
use crate::spec::resolved::Workflow;
use crate::spec::workflow_file;
use crate::style::one_line;
use crate::{exit_code, stderr};

pub(crate) mod args;
mod kinds;
pub(crate) mod plan;
mod room;

const EXAMPLES: &str = "\
Examples:
  torcctl run flow.yaml                     a workflow file, to its end
  torcctl run flow.yaml --dry-run           what it comes to, as JSON
  torcctl run flow.yaml --time-limit 4h     be over, and on disk, in four hours
  torcctl run latest                        the last workflow again: only what is needed
  torcctl run latest --dry-run              which jobs that are, and why
  torcctl run 3 --with flow.yaml            with the commands that the file has now
  torcctl run latest --label gpu            what waits for a run that has this label

Exit codes: 0 all completed and the record is on disk, 1 a job did not complete, 2 usage or an
invalid workflow file, 3 no torcd, 5 the record is not on disk, 6 no such workflow, 7 database in
use, 130 Ctrl-C";

/// Run a workflow file, or what is needed of a workflow again
///
/// Of a workflow that was run before, those jobs run that did not complete, whose output is missing,
/// whose input has changed since (by time or size), or whose command has (see --with); and all that
/// depend on them.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The workflow file, `-` for stdin; or a workflow that was run: its id, its name, or `latest`
    #[arg(value_name = "FILE|WORKFLOW")]
    what: PathBuf,
    /// Of a workflow that was run before: take the commands of its jobs from this workflow file
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Print the expanded workflow as JSON, or which jobs are needed and why; start nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    file: FileArgs,
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
/// When the command line or the file is wrong, there is no such workflow, no torcd can be had, or it
/// dies.
pub async fn run(ctx: &mut Context, mut args: Args) -> Result<u8, CliError> {
    args.pace = args.pace.or_set(&ctx.settings);
    if is_file(&args.what) {
        return run_file(ctx, args).await;
    }
    let name = args.what.to_string_lossy();
    if let Some(option) = args.file.given() {
        let message = format!("`{option}` is for workflow files, and '{name}' is none");
        return Err(CliError::usage(message)
            .hint("what a workflow was submitted with stays; leave it out, or run the file"));
    }
    let Ok(workflow) = value::workflow(&name);
    let with = args.with.as_deref().map(workflow_file::load).transpose()?;
    let request = rerun::Request {
        workflow,
        which: rerun::Which::Needed { with: with.map(Box::new) },
        dry_run: args.dry_run,
    };
    let options = rerun::Options {
        command: "run",
        pace: &args.pace,
        limits: &args.limits,
        show: &args.show,
        record: &args.record,
    };
    rerun::run(ctx, request, options).await
}

/// Returns whether `what` is a workflow file, or was meant to be one.
fn is_file(what: &Path) -> bool {
    let is_path = || what.components().count() > 1;
    what == Path::new("-")
        || Format::of(what).is_some()
        || is_path()
        || std::fs::metadata(what).is_ok_and(|found| !found.is_dir())
}

async fn run_file(ctx: &Context, mut args: Args) -> Result<u8, CliError> {
    args.file.output_dir = output_dir(args.file.output_dir.take(), &ctx.settings);
    if args.with.is_some() {
        return Err(CliError::usage("`--with` is for workflows that were run before")
            .hint("name one by its id, its name, or `latest`: `torcctl run latest --with FILE`"));
    }
    let show = Show::new(ctx, &args.show, "run", false)?;
    let mut plan = FilePlan::new(load(ctx, &args.what)?, &args.file)?;
    let options = args.limits.options(&args.pace, plan.reserve())?;
    if args.dry_run {
        return dry_run(ctx, plan.into_workflow(), &options);
    }
    plan.set_options(options);
    let mut signals = Signals::listen()?;
    let opening = Target::open(ctx, &args.record, show.lasting(), &mut plan);
    let target = running::unless_signaled(&mut signals, opening).await?;
    running::submit(ctx, target, signals, (plan, Key::random()), show).await
}

/// Loads a workflow file, and says what of it has no effect.
pub(crate) fn load(ctx: &Context, file: &Path) -> Result<Workflow, CliError> {
    let workflow = workflow_file::load(file)?;
    warn(ctx, &workflow.warnings);
    Ok(workflow)
}

fn warn(ctx: &Context, warnings: &[String]) {
    if !ctx.globals.quiet {
        for warning in warnings {
            stderr::say(&warning_line(warning));
        }
    }
}

/// Returns a warning as it is shown. What it names may have control characters.
fn warning_line(warning: &str) -> String {
    format!("warning: {}", one_line(warning))
}

/// Prints what a workflow file comes to, and warns when a run of it would be refused here.
fn dry_run(ctx: &Context, mut workflow: Workflow, options: &RunOptions) -> Result<u8, CliError> {
    let too_large = room::warnings(&workflow, options, Machine::here());
    warn(ctx, &too_large);
    workflow.warnings.extend(too_large);
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    write_json(stdout.format, "a dry run", &Listing(&workflow), stdout.open())?;
    Ok(exit_code::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_harmless_to_a_terminal() {
        assert_eq!(warning_line("a\x1b[31m"), "warning: a\\u{1b}[31m");
    }

    #[test]
    fn a_file_is_told_from_a_workflow() {
        for file in ["-", "flow.yaml", "no/such/file", "./latest", "Cargo.toml", "x.kdl"] {
            assert!(is_file(Path::new(file)), "{file}");
        }
        for workflow in ["latest", "12", "night", "src"] {
            assert!(!is_file(Path::new(workflow)), "{workflow}");
        }
    }
}
