//! `torcctl snapshot verify`: a whole reading of snapshots, to know that they can be relied on.

use std::fs;
use std::path::PathBuf;

use torc_protocol::view::{SnapshotFileView, SnapshotPlace};

use super::place;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::output::stdout::Stdout;
use crate::style::{Tone, local_time, one_line, size};
use crate::{exit_code, snapshot_files};

const EXAMPLES: &str = "\
Examples:
  torcctl snapshot verify                      the newest and the older ones of this place
  torcctl snapshot verify backup/*.db
  torcctl snapshot verify --format ndjson | jq -r 'select(.problem) | .path'

Exit codes: 0 all are good, 1 one is damaged, 6 one is not there";

/// Read snapshots from end to end, and say whether they are good
///
/// Nothing is changed. Without files: those of the place that `snapshot list` shows.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The files [default: the newest snapshot and the older ones]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) async fn run(ctx: &Context, args: Verify) -> Result<u8, CliError> {
    let files = if args.files.is_empty() { of_place(ctx).await? } else { args.files };
    for file in &files {
        if let Err(error) = fs::metadata(file) {
            let message = format!("cannot read the snapshot {}: {error}", file.display());
            return Err(CliError::new(ErrorKind::NotFound, message)
                .hint("`torcctl snapshot list` shows those that there are"));
        }
    }
    let checked = snapshot_files::verify(&ctx.torcd()?, &files).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        let mut list = stdout.list(&[])?;
        for file in &checked {
            list.item(file)?;
        }
        list.end()?;
    } else {
        for file in &checked {
            let tone = if file.problem.is_none() { Tone::Plain } else { Tone::Bad };
            stdout.line(&stdout.layout.palette.paint(tone, &verdict(file)))?;
        }
    }
    let all_good = checked.iter().all(|file| file.problem.is_none());
    Ok(if all_good { exit_code::DONE } else { exit_code::FAILED })
}

/// Returns the newest snapshot and the older ones of the place that is meant.
async fn of_place(ctx: &Context) -> Result<Vec<PathBuf>, CliError> {
    let target = place::target(ctx).await?;
    let found = snapshot_files::list(&ctx.torcd()?, &target).await?;
    let is_there = |file: &SnapshotFileView| {
        matches!(file.place, SnapshotPlace::Target | SnapshotPlace::Older)
    };
    let files: Vec<_> =
        found.into_iter().filter(is_there).map(|file| PathBuf::from(file.path)).collect();
    if files.is_empty() { Err(place::nothing_at(&target)) } else { Ok(files) }
}

/// Returns a line for people.
fn verdict(file: &SnapshotFileView) -> String {
    let path = one_line(&file.path);
    if let Some(problem) = &file.problem {
        return format!("{path}: damaged: {}", one_line(problem));
    }
    let parts = [
        Some("good".to_owned()),
        file.generation.map(|generation| format!("generation {generation}")),
        file.bytes.map(size),
        file.taken_at.map(|at| format!("taken {}", local_time(at))),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{path}: {}", parts.join(", "))
}
