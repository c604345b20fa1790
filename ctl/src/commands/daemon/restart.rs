//! A torcd in the place of another: after an update, or with other options.
//!
//! How the old one was started is found out before it is ended: a torcd that is gone cannot be asked.

use std::path::Path;

use torc_protocol::request::Status;
use torc_protocol::time::Timestamp;
use torc_protocol::view::StatusView;

use super::command_line::{CommandLine, CommandLineError, unit_of};
use super::foreign;
use super::start::{self, StartArgs};
use super::stop::{self, LimitArgs, Running, Stopped};
use crate::client::{Client, Peer};
use crate::commands::service::systemd::Manager;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};

const EXAMPLES: &str = "\
Examples:
  torcctl daemon restart                      after an update of torc, when what runs has ended
  torcctl daemon restart --timeout 10m        unless that takes longer than 10 minutes
  torcctl daemon restart --running again      at once: what runs is stopped, and run again
  torcctl daemon restart --in-memory          from disk to memory

Exit codes: 4 jobs still run after --timeout, and torcd goes on as before; 5 the final snapshot of
the old one is not on disk, and no new one is started; 7 how the old one was started cannot be told";

/// End the user's torcd, and start it again where it was
///
/// By default nothing is started any more, what runs is waited for, and what waits goes on under the
/// new torcd; Ctrl-C leaves all as it is. What is not said anew stays as it was: the place of the
/// database and of snapshots, and what else the old one was told.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct RestartArgs {
    /// What becomes of the jobs that run [default: wait]
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        default_value = "wait",
        hide_default_value = true
    )]
    running: Running,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    start: StartArgs,
}

/// A final snapshot that failed ends the restart: the next torcd would begin without what it holds.
pub(super) async fn run(ctx: &Context, args: RestartArgs) -> Result<u8, CliError> {
    let wish = args.limits.wish(args.running)?;
    let socket = ctx.socket()?;
    let mut peer = Client::knock(&socket).await?;
    let (start, unit) = plan(ctx, &mut peer, &socket, args.start).await?;
    match stop::stop(ctx, peer, &socket, wish).await? {
        Stopped::Nothing => {}
        Stopped::Asked { outcome, .. } => {
            if let (Some(sentence), false) = (outcome.sentence(), ctx.globals.quiet) {
                eprintln!("{sentence}");
            }
            outcome.check()?;
        }
        Stopped::Signaled(pid) => {
            if !ctx.globals.quiet {
                eprintln!("torcd of another version (process {pid}) has ended");
            }
        }
        Stopped::Left(signal, what) => return Ok(stop::left(signal, what)),
    }
    let begin = Timestamp::now();
    if let Some(unit) = unit {
        // Its socket may be another unit that is not active.
        Manager::find("start torcd again with `torcctl daemon start`")
            .await?
            .call(&["start", &unit])
            .await?;
    }
    start::run_since(ctx, start, begin).await
}

/// Returns how the next torcd is to be started, and the unit of systemd that is to be started for
/// that, if one is.
async fn plan(
    ctx: &Context,
    peer: &mut Peer,
    socket: &Path,
    mut start: StartArgs,
) -> Result<(StartArgs, Option<String>), CliError> {
    let unit = match peer {
        Peer::Nobody => return Ok((start, None)),
        Peer::Ours(client) => {
            let status = client.call(Status).await?;
            if status.unit.is_none() {
                inherit(ctx, &mut start, &status)?;
            }
            status.unit
        }
        Peer::Foreign(error) => match foreign::process_at(socket).await {
            None => return Err(unseen(error)),
            Some(process) => match unit_of(process) {
                Some(unit) => Some(unit),
                None => {
                    let before = CommandLine::of(process).map_err(|why| unknown(&why))?;
                    inherit_foreign(ctx, &mut start, before)?;
                    None
                }
            },
        },
    };
    if let Some(unit) = &unit {
        start.check_none(ctx, unit)?;
    }
    Ok((start, unit))
}

/// Takes what is not given from the torcd that runs.
fn inherit(ctx: &Context, start: &mut StartArgs, before: &StatusView) -> Result<(), CliError> {
    if before.read_only {
        let message = format!("torcd (process {}) only reads", before.pid);
        return Err(CliError::new(ErrorKind::Refused, message)
            .hint("end it with `torcctl daemon stop`, and start another"));
    }
    start.inherit(ctx, before);
    match CommandLine::of(before.pid) {
        // Where these are was just told, by an absolute path.
        Ok(told) => take_rest(start, CommandLine { database: None, snapshot: None, ..told }),
        Err(CommandLineError::Hidden(_)) => Ok(()),
        Err(why) => Err(unknown(&why)),
    }
}

/// Takes what is not given from the torcd of another protocol.
fn inherit_foreign(
    ctx: &Context,
    start: &mut StartArgs,
    before: CommandLine,
) -> Result<(), CliError> {
    let names_file = ctx.globals.db.is_some();
    let mut before = before;
    if names_file || start.snapshot.is_some() {
        before.snapshot = None;
    } else if before.in_memory && before.snapshot.is_none() {
        let message = "the old torcd has its snapshots in the directory where it was started, and \
            nobody knows which that was";
        return Err(CliError::new(ErrorKind::Refused, message)
            .hint("name the snapshot with `--snapshot PATH`"));
    }
    if names_file || start.in_memory {
        before.database = None;
    } else {
        start.in_memory = before.in_memory;
        start.inherited.database.clone_from(&before.database);
    }
    start.snapshot = start.snapshot.take().or_else(|| before.snapshot.clone());
    take_rest(start, before)
}

/// Takes what is not given and was said on the command line, places aside. What was not said there
/// comes from torc.toml, which may say something else by now.
fn take_rest(start: &mut StartArgs, before: CommandLine) -> Result<(), CliError> {
    let given = start.end.spill_dir.is_some();
    let spill_dir = if given { None } else { before.spill_dir.clone() };
    let before = CommandLine { spill_dir, ..before };
    let before = before.absolute().map_err(|why| unknown(&why))?;
    start.snapshot_keep = start.snapshot_keep.or(before.snapshot_keep);
    let interval = start.snapshot_interval_seconds;
    start.snapshot_interval_seconds = interval.or(before.snapshot_interval_seconds);
    start.end.snapshot_timeout = start.end.snapshot_timeout.or(before.snapshot_timeout);
    start.end.spill_dir = start.end.spill_dir.take().or(before.spill_dir);
    start.inherited.log = before.log;
    start.inherited.log_file = before.log_file;
    Ok(())
}

fn unknown(why: &CommandLineError) -> CliError {
    let message = format!("torcd cannot be started as the one that runs: {why}");
    CliError::new(ErrorKind::Refused, message)
        .hint("end it with `torcctl daemon stop`, and start it as you want it")
}

fn unseen(error: &CliError) -> CliError {
    CliError::new(ErrorKind::Refused, error.message.clone())
        .hint("its process cannot be seen from here; end it where it was started")
}
