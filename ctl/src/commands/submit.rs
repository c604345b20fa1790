//! `torcctl submit`: give a workflow file to the torcd of the user, and return.

use std::path::PathBuf;

use torc_protocol::request::Submit;

use crate::commands::run::args::FileArgs;
use crate::commands::run::load;
use crate::commands::run::plan::FilePlan;
use crate::commands::running;
use crate::commands::running::args::{LimitArgs, PaceArgs, output_dir};
use crate::commands::running::record_args::RecordArgs;
use crate::commands::running::showing::Show;
use crate::commands::running::submission::Key;
use crate::commands::running::target::Target;
use crate::context::Context;
use crate::error::CliError;
use crate::format::Format;
use crate::output::page::check_format;
use crate::signals::Signals;

const EXAMPLES: &str = "\
Examples:
  torcctl submit flow.yaml                  prints the number of the workflow, and returns
  id=$(torcctl submit flow.yaml --format id)    the number alone, nothing on stderr
  torcctl submit flow.yaml -j 4 --name night
  torcctl submit - --format json < flow.yaml
  torcctl submit flow.yaml --key night-2026-03-01    again: the same number, nothing new

Exit codes: 0 submitted, 2 usage or an invalid workflow file, 3 no torcd is running";

/// Submit a workflow file to the running torcd, and return
///
/// Nothing is submitted when anything in the file is wrong. `torcctl status`, `jobs list` and
/// `cancel` are for what comes then.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The workflow file; `-` is stdin
    #[arg(value_name = "FILE")]
    what: PathBuf,
    /// Submit once for good: when a workflow was submitted with this key before, that is meant
    ///
    /// A script that does not know whether it has submitted a workflow can do it again with the same
    /// key. At most 128 bytes.
    #[arg(long, value_name = "KEY", value_parser = key)]
    key: Option<String>,
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

fn key(text: &str) -> Result<String, String> {
    match text.len() {
        0 => Err("a key has at least one character".to_owned()),
        1..=Submit::MAX_KEY => Ok(text.to_owned()),
        bytes => Err(format!("a key has at most {} bytes, not {bytes}", Submit::MAX_KEY)),
    }
}

/// Runs it.
///
/// # Errors
///
/// When the command line or the file is wrong, or no torcd is running.
pub async fn run(ctx: &mut Context, mut args: Args) -> Result<u8, CliError> {
    if ctx.globals.format != Format::Id {
        check_format(ctx.globals.format, "a submission")?;
    }
    args.file.output_dir = output_dir(args.file.output_dir.take(), &ctx.settings);
    args.pace = args.pace.or_set(&ctx.settings);
    let mut plan = FilePlan::new(load(ctx, &args.what)?, &args.file)?;
    plan.set_options(args.limits.options(&args.pace, plan.reserve())?);
    let mut signals = Signals::listen()?;
    let record = RecordArgs::default();
    let opening = Target::open(ctx, &record, Some("`submit`"), &mut plan);
    let target = running::unless_signaled(&mut signals, opening).await?;
    let key = args.key.map_or_else(Key::random, Key::chosen);
    running::submit(ctx, target, signals, (plan, key), Show::DETACHED).await
}
