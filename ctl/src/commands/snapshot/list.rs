//! `torcctl snapshot list`: the snapshots of one place.

use super::place;
use crate::context::Context;
use crate::error::CliError;
use crate::output::stdout::Stdout;
use crate::{exit_code, snapshot_files, stderr};

const EXAMPLES: &str = "\
Examples:
  torcctl snapshot list                        of the torcd that runs, else of ./torc_output/torc.db
  torcctl snapshot list --db runs.db --format json
  torcctl snapshot list --columns generation,taken_at,bytes

It lists the newest and the older ones, those that were found damaged or set aside, and what a torcd
has left elsewhere that belongs here, in memory or spilled: it is newer than what is here, superseded
by it, or has diverged from it. Only the heads of the files are read; see `snapshot verify`.

Columns: path, place, target, generation, changes, taken_at, bytes, host, instance, problem, fate

Exit codes: 3 no torcd is running and no file is named, 6 nothing is there";

/// List the snapshots of a place, and what belongs there
#[derive(clap::Args, Debug)]
#[command(visible_alias = "ls", after_help = EXAMPLES)]
pub(crate) struct List {
    /// Show these columns, named below, in this order
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    columns: Vec<String>,
}

pub(super) async fn run(ctx: &Context, args: &List) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let mut list = stdout.list(&args.columns)?;
    let target = place::target(ctx).await?;
    let found = snapshot_files::list(&ctx.torcd()?, &target).await?;
    for file in &found {
        list.item(file)?;
    }
    list.end()?;
    if found.is_empty() && ctx.globals.db.is_some() {
        return Err(place::nothing_at(&target));
    }
    if found.is_empty() && !stdout.format.is_for_programs() && !ctx.globals.quiet {
        stderr::say(&format!("no snapshots at {} yet", target.display()));
    }
    Ok(exit_code::DONE)
}
