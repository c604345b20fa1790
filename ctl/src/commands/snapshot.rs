//! `torcctl snapshot`: bring what is recorded to disk; and the snapshots that are there.

mod list;
mod place;
mod recover;
mod verify;

use std::path::{Path, PathBuf};

use serde::Serialize;
use torc_protocol::request::{Snapshot, SnapshotWait};
use torc_protocol::response::SnapshotProgress;
use torc_protocol::time::Span;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase, SnapshotView};

use crate::commands::running::report::{kept_in, recover};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::format::Format;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;
use crate::style::{duration, one_line, size};

const EXAMPLES: &str = "\
Examples:
  torcctl snapshot                          ask for one, and return
  torcctl snapshot --wait                   return when it is on disk, synced and verified
  torcctl snapshot --wait=30 --path /scratch/before-upgrade.db
  torcctl snapshot list                     those that are there, with what belongs to them
  torcctl snapshot verify                   read them from end to end
  torcctl snapshot recover                  bring home what a killed torcd has left

Exit codes: 4 still not on disk after SECS (it goes on), 5 it failed (the one before is untouched)";

/// What the output describes.
pub(crate) const NOUN: &str = "a snapshot";

/// Take a snapshot of the database of the running torcd
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Wait until it is on disk, for at most SECS seconds when they are given
    #[arg(long, value_name = "SECS", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "forever", value_parser = wait)]
    wait: Option<SnapshotWait>,
    /// Write it here, this once, instead of to the target of the torcd
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    List(list::List),
    Verify(verify::Verify),
    Recover(recover::Recover),
}

fn wait(text: &str) -> Result<SnapshotWait, String> {
    if text == "forever" {
        return Ok(SnapshotWait::Forever);
    }
    match text.parse::<f64>().ok().map(std::time::Duration::try_from_secs_f64) {
        Some(Ok(limit)) => Ok(SnapshotWait::AtMost(Span::from(limit))),
        _ => Err("expected a number of seconds".to_owned()),
    }
}

/// Runs it.
///
/// # Errors
///
/// When no torcd is running, the snapshot failed, or it was not on disk in time; or as those below
/// it say.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    let Some(verb) = args.verb else { return take(ctx, args).await };
    if args.wait.is_some() || args.path.is_some() {
        return Err(CliError::usage("`--wait` and `--path` are for taking a snapshot")
            .hint("leave out what stands behind, or these options"));
    }
    match verb {
        Verb::List(args) => list::run(ctx, &args).await,
        Verb::Verify(args) => verify::run(ctx, args).await,
        Verb::Recover(args) => recover::run(ctx, &args).await,
    }
}

async fn take(ctx: &Context, args: Args) -> Result<u8, CliError> {
    let wait = args.wait.unwrap_or(SnapshotWait::No);
    match ctx.globals.format {
        Format::Id if wait == SnapshotWait::No => {
            return Err(CliError::usage("a snapshot that is not waited for has no number yet")
                .hint("add `--wait`"));
        }
        Format::Id => {}
        format => check_format(format, NOUN)?,
    }
    let path = args.path.as_deref().map(absolute).transpose()?;
    let mut client = ctx.client().await?;
    client.stream(Snapshot { wait, path }).await?;
    let mut outcome = None;
    while let Some(progress) = client.next::<Snapshot>().await? {
        outcome = Outcome::of(progress, wait).or(outcome);
    }
    let outcome = outcome.ok_or_else(|| {
        CliError::new(ErrorKind::NotDurable, "torcd did not say what became of the snapshot")
            .hint("`torcctl status` shows the last one that is on disk")
    })?;
    outcome.report(Stdout::new(ctx.globals.format, ctx.globals.color), ctx.globals.quiet)
}

fn absolute(path: &Path) -> Result<String, CliError> {
    let absolute = std::path::absolute(path).map_err(|error| {
        CliError::usage(format!("cannot use the path {}: {error}", path.display()))
            .hint("name a file with `--path PATH`")
    })?;
    absolute.into_os_string().into_string().map_err(|path| {
        CliError::usage(format!("the path {} is not UTF-8", Path::new(&path).display()))
            .hint("choose another name")
    })
}

/// What became of a snapshot; the JSON output.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It was only asked for.
    Queued,
    /// It is on disk.
    Durable(Box<SnapshotView>),
    /// It is not.
    Failed(SnapshotFailure),
    /// Not yet.
    TimedOut {
        /// The step that it was at.
        phase: SnapshotPhase,
    },
    /// The daemon only reads.
    Nothing,
}

impl Outcome {
    /// Returns what `progress` settles, if it does, for somebody who waits so.
    pub(crate) fn of(progress: SnapshotProgress, wait: SnapshotWait) -> Option<Self> {
        match progress {
            SnapshotProgress::Queued if wait == SnapshotWait::No => Some(Self::Queued),
            SnapshotProgress::Queued
            | SnapshotProgress::Phase(_)
            | SnapshotProgress::Limit(_)
            | SnapshotProgress::Jobs(_) => None,
            SnapshotProgress::Done(view) => Some(Self::Durable(view)),
            SnapshotProgress::Failed(failure) => Some(Self::Failed(failure)),
            SnapshotProgress::TimedOut(phase) => Some(Self::TimedOut { phase }),
            SnapshotProgress::Nothing => Some(Self::Nothing),
        }
    }

    /// Prints it and returns the exit code for it.
    ///
    /// # Errors
    ///
    /// When it is not what was asked for, or cannot be written.
    pub(crate) fn report(self, stdout: Stdout, quiet: bool) -> Result<u8, CliError> {
        if stdout.format == Format::Id {
            if let Self::Durable(view) = &self {
                stdout.line(&view.generation.to_string())?;
            }
        } else if stdout.format.is_for_programs() {
            write_json(stdout.format, NOUN, &self, stdout.open())?;
        } else if !quiet && let Some(sentence) = self.sentence() {
            stdout.line(&sentence)?;
        }
        self.check().map(|()| exit_code::DONE)
    }

    /// Returns the error that it is, if it is one.
    ///
    /// # Errors
    ///
    /// When the snapshot failed, or was not on disk in time.
    pub(crate) fn check(self) -> Result<(), CliError> {
        match self {
            Self::Queued | Self::Durable(_) | Self::Nothing => Ok(()),
            Self::Failed(failure) => Err(failed(&failure)),
            Self::TimedOut { phase } => {
                let message = format!("the snapshot is not on disk yet, it is at step '{phase}'");
                Err(CliError::new(ErrorKind::TimedOut, message)
                    .hint("it goes on; `torcctl status` shows when it is done"))
            }
        }
    }

    /// Returns what people are told on stdout; nothing where there is an error to tell.
    pub(crate) fn sentence(&self) -> Option<String> {
        match self {
            Self::Queued => Some("snapshot queued".to_owned()),
            Self::Durable(view) => Some(durable(view)),
            Self::Nothing => Some("nothing to save: this torcd only reads".to_owned()),
            Self::Failed(_) | Self::TimedOut { .. } => None,
        }
    }
}

/// Returns in a line which snapshot is on disk.
pub(crate) fn durable(view: &SnapshotView) -> String {
    let path = one_line(&view.path);
    let took = duration(view.finished_at.since(view.started_at));
    format!("snapshot {} in {path}: {}, {took}", view.generation, size(view.bytes))
}

/// Returns the error for a snapshot that is not on disk.
pub(crate) fn failed(failure: &SnapshotFailure) -> CliError {
    let SnapshotFailure { path, phase, reason, kept, .. } = failure;
    let message = format!("the snapshot {path} is not on disk: step '{phase}' failed: {reason}");
    let error = |message| CliError::new(ErrorKind::NotDurable, message);
    match kept {
        None => error(message)
            .hint("make room or name another place with `torcctl snapshot --wait --path PATH`"),
        Some(kept) => error(format!("{message}\nit {}", kept_in(kept))).hint(recover(kept, path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use torc_protocol::id::Generation;
    use torc_protocol::time::Timestamp;

    fn view() -> SnapshotView {
        SnapshotView {
            generation: Generation(4),
            changes: 17,
            path: "/x/torc.db".to_owned(),
            bytes: 90_112,
            sha256: "ab".to_owned(),
            started_at: Timestamp(1_000_000),
            finished_at: Timestamp(1_012_000),
            phases: vec![(SnapshotPhase::Write, Span(2_000))],
        }
    }

    fn failure() -> SnapshotFailure {
        SnapshotFailure {
            path: "/x/torc.db".to_owned(),
            phase: SnapshotPhase::Write,
            errno: Some(28),
            reason: "no space left on device".to_owned(),
            kept: None,
        }
    }

    #[test]
    fn a_durable_one_is_told_with_generation_path_size_and_time() {
        assert_eq!(durable(&view()), "snapshot 4 in /x/torc.db: 88.0 KiB, 12 ms");
    }

    #[test]
    fn a_failed_one_is_told_with_path_step_and_reason() {
        let error = failed(&failure());
        assert_eq!(error.exit_code(), exit_code::NOT_DURABLE);
        insta::assert_snapshot!(error, @"
        error: the snapshot /x/torc.db is not on disk: step 'write' failed: no space left on device
        hint: make room or name another place with `torcctl snapshot --wait --path PATH`
        ");
    }

    #[test]
    fn the_json_form_says_what_became_of_it_beside_the_view() {
        let json = |outcome: &Outcome| serde_json::to_value(outcome).unwrap();
        let durable = json(&Outcome::Durable(Box::new(view())));
        assert_eq!(durable["status"], "durable");
        assert_eq!(durable["generation"], 4);
        assert_eq!(durable["bytes"], 90_112);
        let failed = json(&Outcome::Failed(failure()));
        assert_eq!(failed["status"], "failed");
        assert_eq!(failed["phase"], "write");
        assert_eq!(json(&Outcome::Queued)["status"], "queued");
    }

    #[test]
    fn somebody_who_waits_is_not_content_with_queued() {
        assert_eq!(Outcome::of(SnapshotProgress::Queued, SnapshotWait::Forever), None);
        let outcome = Outcome::of(SnapshotProgress::Queued, SnapshotWait::No);
        assert_eq!(outcome, Some(Outcome::Queued));
    }

    #[test]
    fn the_time_to_wait_is_a_number_of_seconds_or_without_end() {
        assert_eq!(wait("forever"), Ok(SnapshotWait::Forever));
        assert_eq!(wait("30"), Ok(SnapshotWait::AtMost(Span(30_000_000))));
        assert_eq!(wait("0.5"), Ok(SnapshotWait::AtMost(Span(500_000))));
        for text in ["", "-1", "soon", "nan", "inf"] {
            assert!(wait(text).is_err(), "{text}");
        }
    }
}
