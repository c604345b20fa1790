//! Ending the user's torcd: its jobs first, its final snapshot last.

use std::path::Path;
use std::time::Duration as StdDuration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UnixStream;
use tokio::time::{interval, timeout};
use torc_protocol::request::{Shutdown, SnapshotWait, Status};
use torc_protocol::view::StatusView;

use crate::client::{Client, Peer};
use crate::commands::running::showing::waiting_mode;
use crate::commands::running::stop::Stop;
use crate::commands::running::waiting::{Patience, Waited, wait};
use crate::commands::snapshot::Outcome;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::stdout::Stdout;
use crate::progress::display::Display;
use crate::signals::Signals;
use crate::spec::duration::Duration;

/// How long a process may take to vanish after it has said that all is done.
const LAST_BREATH: StdDuration = StdDuration::from_secs(10);
/// The same for one that was only signaled: it may first end its jobs and take a snapshot.
const LONG_GOODBYE: StdDuration = StdDuration::from_secs(330);
/// How often we look whether it has. A process that is not our child sends us no event.
const LOOK: StdDuration = StdDuration::from_millis(5);

const EXAMPLES: &str = "\
Examples:
  torcctl daemon stop
  torcctl daemon stop --grace 2s      jobs have 2 s from SIGTERM to SIGKILL

Exit codes: 5 the final snapshot is not on disk";

/// Stop the jobs of the user's torcd, take its final snapshot, and end it
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StopArgs {
    /// How long jobs have from SIGTERM to SIGKILL, instead of what their settings say
    #[arg(long, value_name = "DURATION")]
    grace: Option<Duration>,
}

/// What there was to stop.
pub(super) enum Stopped {
    /// Nothing ran.
    Nothing,
    /// It has ended in good order.
    Asked {
        /// As it was before.
        status: Box<StatusView>,
        /// What its final snapshot came to.
        outcome: Outcome,
    },
    /// It speaks another protocol and was ended by a signal; its snapshot is known to its log only.
    Signaled(Pid),
}

pub(super) async fn run(ctx: &Context, args: &StopArgs) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let socket = ctx.socket()?;
    match stop(ctx, Client::knock(&socket).await?, &socket, args).await? {
        Stopped::Nothing => {
            if !ctx.globals.quiet {
                eprintln!("no torcd is running at {}", socket.display());
            }
            Ok(exit_code::DONE)
        }
        Stopped::Signaled(pid) => {
            if !ctx.globals.quiet {
                eprintln!("torcd of another version (process {pid}) has ended");
            }
            Ok(exit_code::DONE)
        }
        Stopped::Asked { status, outcome } => {
            if !ctx.globals.quiet && !stdout.format.is_for_programs() {
                eprintln!("torcd (process {}) has ended", status.pid);
            }
            outcome.report(stdout, ctx.globals.quiet)
        }
    }
}

/// Ends the torcd that is at `socket`, if one is, and returns when its process is gone.
pub(super) async fn stop(
    ctx: &Context,
    peer: Peer,
    socket: &Path,
    args: &StopArgs,
) -> Result<Stopped, CliError> {
    let mut client = match peer {
        Peer::Ours(client) => client,
        Peer::Nobody => return Ok(Stopped::Nothing),
        Peer::Foreign(error) => return by_signal(socket, error).await,
    };
    let status = Box::new(client.call(Status).await?);
    let outcome = shut_down(ctx, &mut client, args).await?;
    let raw = i32::try_from(status.pid).map_err(|_| {
        CliError::new(ErrorKind::Failed, format!("torcd gave the process id {}", status.pid))
    })?;
    until_gone(Pid::from_raw(raw), LAST_BREATH).await?;
    Ok(Stopped::Asked { status, outcome })
}

/// Asks it to end and returns what became of its final snapshot. When it does not say, that counts
/// as a snapshot that is not on disk.
async fn shut_down(
    ctx: &Context,
    client: &mut Client,
    args: &StopArgs,
) -> Result<Outcome, CliError> {
    let mut stop = Stop::idle(Signals::listen()?);
    let mut patience = Patience::new(&mut stop, client.process());
    let mut display = Display::new(waiting_mode(ctx));
    let shutdown = Shutdown { grace: args.grace.map(|grace| grace.0) };
    let waited = wait(client, shutdown, "torcd is ending", &mut display, &mut patience).await;
    let why = match waited {
        Ok(Waited::Told(progress)) => match Outcome::of(progress, SnapshotWait::Forever) {
            Some(outcome) => return Ok(outcome),
            None => "it gave another answer".to_owned(),
        },
        Ok(Waited::Silence) => "it ended without a word about it".to_owned(),
        Ok(Waited::Left(why)) => why.to_owned(),
        Err(error) if error.kind == ErrorKind::NoDaemon => error.message,
        Err(error) => return Err(error),
    };
    let message = format!("torcd's final snapshot may not be on disk: {why}");
    Err(CliError::new(ErrorKind::NotDurable, message)
        .hint("`torcctl snapshot recover --dry-run` shows a record that it has left elsewhere"))
}

/// Ends a torcd of another protocol, as an older one after an update. `error` is returned when it
/// cannot be told which process that is.
async fn by_signal(socket: &Path, error: CliError) -> Result<Stopped, CliError> {
    let peer = UnixStream::connect(socket).await.and_then(|stream| stream.peer_cred());
    let Some(pid) = peer.ok().and_then(|peer| peer.pid()).map(Pid::from_raw) else {
        return Err(error);
    };
    kill(pid, Signal::SIGTERM).map_err(|errno| {
        let message = format!("cannot end the process {pid} at {}: {errno}", socket.display());
        CliError::new(ErrorKind::Refused, message).hint("end it yourself")
    })?;
    until_gone(pid, LONG_GOODBYE).await?;
    Ok(Stopped::Signaled(pid))
}

async fn until_gone(pid: Pid, limit: StdDuration) -> Result<(), CliError> {
    let watch = async {
        let mut looks = interval(LOOK);
        while !has_ended(pid) {
            looks.tick().await;
        }
    };
    timeout(limit, watch).await.map_err(|_| {
        let message = format!("torcd (process {pid}) has not ended after {} s", limit.as_secs());
        CliError::new(ErrorKind::TimedOut, message)
            .hint("its snapshot may wait for a slow file system; look again with `torcctl status`")
    })
}

/// A process that has ended but whom its parent has not looked after yet counts as ended: in a
/// container nobody may.
fn has_ended(pid: Pid) -> bool {
    if kill(pid, None) == Err(Errno::ESRCH) {
        return true;
    }
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}
