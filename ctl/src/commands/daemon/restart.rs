//! A torcd in the place of another: after an update, or with other options.
//!
//! How the old one was started is found out before it is ended: a torcd that is gone cannot be asked.

use std::path::{Path, PathBuf};

use torc_protocol::config::key::Key;
use torc_protocol::request::Status;
use torc_protocol::time::Timestamp;
use torc_protocol::unit::unit_of;
use torc_protocol::view::StatusView;

use super::command_line::{CommandLine, CommandLineError};
use super::start::{self, StartArgs};
use super::stop::{self, LimitArgs, Running, Stopped};
use super::{environment, foreign};
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
        unit.manager.call(&["start", &unit.name]).await?;
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
) -> Result<(StartArgs, Option<OwnUnit>), CliError> {
    let (unit, pid) = match peer {
        Peer::Nobody => return Ok((start, None)),
        Peer::Ours(client) => {
            let status = client.call(Status).await?;
            if status.unit.is_none() {
                inherit(ctx, &mut start, &status)?;
            }
            (status.unit, status.pid)
        }
        Peer::Foreign(error) => match foreign::process_at(socket).await {
            None => return Err(unseen(error)),
            Some(process) => match unit_of(process) {
                Some(unit) => (Some(unit), process),
                None => {
                    let before = CommandLine::of(process).map_err(|why| unknown(&why))?;
                    inherit_foreign(ctx, &mut start, before)?;
                    take_environment(&mut start, process)?;
                    (None, process)
                }
            },
        },
    };
    let Some(name) = unit else { return Ok((start, None)) };
    start.check_none(ctx, &name)?;
    Ok((start, Some(OwnUnit::find(name, pid).await?)))
}

/// A unit of systemd that is the user's to start.
struct OwnUnit {
    manager: Manager,
    name: String,
}

impl OwnUnit {
    /// Returns the one of this name, in which the torcd with this process runs.
    async fn find(name: String, pid: u32) -> Result<Self, CliError> {
        let system = format!("if it is a unit of the system: `sudo systemctl restart {name}`");
        let refused = |why: &str| {
            let message = format!("systemd runs torcd (process {pid}) as {name}, but {why}");
            CliError::new(ErrorKind::Refused, message).hint(&*system)
        };
        let found = Manager::find("").await;
        let manager = found.map_err(|why| refused(&format!("cannot be asked: {}", why.message)))?;
        let show = ["show", "--property=LoadState", "--property=MainPID", &name];
        let told = manager.call(&show).await.map_err(|why| refused(&why.message))?;
        let has = |line: &str| told.lines().any(|told| told == line);
        if !has("LoadState=loaded") || !has(&format!("MainPID={pid}")) {
            return Err(refused("not as one of this user"));
        }
        Ok(Self { manager, name })
    }
}

/// Takes what is not given from the torcd that runs.
fn inherit(ctx: &Context, start: &mut StartArgs, before: &StatusView) -> Result<(), CliError> {
    if before.read_only {
        let message = format!("torcd (process {}) only reads", before.pid);
        return Err(CliError::new(ErrorKind::Refused, message)
            .hint("end it with `torcctl daemon stop`, and start another"));
    }
    start.inherit(ctx, before);
    let told = CommandLine::of(before.pid).map_err(|why| unknown(&why))?;
    exact(&mut start.inherited.database, told.database.as_ref())?;
    // One that is given now is exact as it is.
    if start.snapshot.as_deref() == before.snapshot.target.as_deref().map(Path::new) {
        exact(&mut start.snapshot, told.snapshot.as_ref())?;
    }
    // Where these are was just told, by an absolute path.
    take_rest(start, CommandLine { database: None, snapshot: None, ..told })?;
    take_environment(start, before.pid)
}

/// Puts the bytes that were `said` on the command line in the place of a path that was told as text,
/// in which what is no text is lost.
fn exact(told: &mut Option<PathBuf>, said: Option<&PathBuf>) -> Result<(), CliError> {
    let is_lossy = |path: &PathBuf| path.to_string_lossy().contains(char::REPLACEMENT_CHARACTER);
    let Some(path) = told.as_mut().filter(|path| is_lossy(path)) else { return Ok(()) };
    let Some(said) = said.filter(|said| said.is_absolute()) else {
        let message = format!("the path {} cannot be told as text", path.display());
        return Err(CliError::new(ErrorKind::Refused, message)
            .hint("end torcd with `torcctl daemon stop`, and start it with that path"));
    };
    path.clone_from(said);
    Ok(())
}

/// Takes what the torcd before was told by its environment, unless it is set here too.
fn take_environment(start: &mut StartArgs, pid: u32) -> Result<(), CliError> {
    let before = environment::of(pid).map_err(|why| unknown(&why))?;
    for (key, value) in before {
        let option = key.setting().variable;
        let is_given = match key {
            Key::SpillDir => start.end.spill_dir.is_some(),
            Key::LogFile => start.inherited.log_file.is_some(),
            _ => false,
        };
        if is_given || std::env::var_os(option).is_some_and(|here| !here.is_empty()) {
            continue;
        }
        let is_path = matches!(key, Key::SpillDir | Key::LogFile);
        if is_path && !Path::new(&value).is_absolute() {
            let path = value.display().to_string();
            return Err(unknown(&CommandLineError::Relative { option, path }));
        }
        start.inherited.environment.push((option, value));
    }
    Ok(())
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
