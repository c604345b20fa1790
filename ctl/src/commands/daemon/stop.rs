//! Ending the user's torcd: its jobs first, its final snapshot last.

use std::path::Path;
use std::time::Duration as StdDuration;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::time::{interval, timeout};
use torc_protocol::request::{RunningJobs, Shutdown, SnapshotWait, Status};
use torc_protocol::view::StatusView;

use super::foreign;
use super::jobs::{self, Over};
use crate::client::{Client, Peer};
use crate::commands::running::showing::waiting_mode;
use crate::commands::running::stop::Stop;
use crate::commands::running::waiting::{Patience, Waited, follow};
use crate::commands::snapshot::Outcome;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::stdout::Stdout;
use crate::progress::display::Display;
use crate::signals::{EndSignal, Signals};
use crate::spec::duration::Duration;
use crate::stderr;

/// How long a process may take to vanish after it has said that all is done.
const LAST_BREATH: StdDuration = StdDuration::from_secs(10);
/// How often we look whether it has. A process that is not our child sends us no event.
const LOOK: StdDuration = StdDuration::from_millis(5);

const EXAMPLES: &str = "\
Examples:
  torcctl daemon stop
  torcctl daemon stop --grace 2s                      jobs have 2 s from SIGTERM to SIGKILL
  torcctl daemon stop --running wait                  start nothing more, and let end what runs
  torcctl daemon stop --running wait --timeout 1h     for an hour at most
  torcctl daemon stop --running again                 what runs is run again by the next torcd

Exit codes: 4 jobs still run after --timeout, and torcd goes on as before; 5 the final snapshot is
not on disk; 130 Ctrl-C while jobs ran, and torcd goes on as before";

/// Stop the jobs of the user's torcd, take its final snapshot, and end it
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StopArgs {
    /// What becomes of the jobs that run [default: stop]
    #[arg(long, value_name = "WHAT", value_enum, default_value_t, hide_default_value = true)]
    running: Running,
    #[command(flatten)]
    limits: LimitArgs,
}

/// How long the end may take.
#[derive(clap::Args, Debug)]
pub(super) struct LimitArgs {
    /// Wait for jobs that run for at most so long, then leave all as it is; with --running wait
    #[arg(long, value_name = "DURATION")]
    timeout: Option<Duration>,
    /// How long jobs that are stopped have from SIGTERM to SIGKILL, instead of what their settings say
    #[arg(long, value_name = "DURATION")]
    grace: Option<Duration>,
}

/// What becomes of the jobs that run.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Running {
    /// They are stopped, and recorded as terminated
    #[default]
    Stop,
    /// They are waited for, and none is started meanwhile
    Wait,
    /// They are stopped, and run again by the next torcd with this database
    Again,
}

/// How a torcd is to end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) running: Running,
    /// How long jobs are waited for.
    pub(super) limit: Option<StdDuration>,
    shutdown: Shutdown,
}

impl LimitArgs {
    /// Returns the wish that these are part of.
    ///
    /// # Errors
    ///
    /// When they do not fit together.
    pub(super) fn wish(&self, running: Running) -> Result<Wish, CliError> {
        if self.timeout.is_some() && running != Running::Wait {
            return Err(CliError::usage("`--timeout` is for jobs that are waited for")
                .hint("add `--running wait`, or leave it out"));
        }
        let jobs = match running {
            Running::Stop => RunningJobs::Stop,
            Running::Wait => RunningJobs::Wait,
            Running::Again => RunningJobs::Again,
        };
        Ok(Wish {
            running,
            limit: self.timeout.map(|limit| limit.0.into()),
            shutdown: Shutdown { grace: self.grace.map(|grace| grace.0), running: jobs },
        })
    }
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
    /// The user did not wait for its jobs, so it goes on, unless that says something else.
    Left(EndSignal, &'static str),
}

pub(super) async fn run(ctx: &Context, args: &StopArgs) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let wish = args.limits.wish(args.running)?;
    let socket = ctx.socket()?;
    match stop(ctx, Client::knock(&socket).await?, &socket, wish).await? {
        Stopped::Nothing => {
            if !ctx.globals.quiet {
                eprintln!("no torcd is running at {}", socket.display());
            }
            Ok(exit_code::DONE)
        }
        Stopped::Signaled(pid) => {
            let message = format!(
                "torcd of another version (process {pid}) has ended, and nobody has seen whether its \
                 final snapshot is on disk"
            );
            Err(CliError::new(ErrorKind::NotDurable, message).hint(
                "`torcctl daemon logs` and `torcctl snapshot list` tell; `torcctl daemon restart` goes \
                 on from what it has left",
            ))
        }
        Stopped::Asked { status, outcome } => {
            if !ctx.globals.quiet && !stdout.format.is_for_programs() {
                eprintln!("torcd (process {}) has ended", status.pid);
            }
            outcome.report(stdout, ctx.globals.quiet)
        }
        Stopped::Left(signal, what) => Ok(left(signal, what)),
    }
}

/// Tells what goes on without us, and returns the exit code for that.
pub(super) fn left(signal: EndSignal, what: &str) -> u8 {
    stderr::say(what);
    signal.exit_code()
}

/// Ends the torcd that is at `socket`, if one is, and returns when its process is gone.
pub(super) async fn stop(
    ctx: &Context,
    peer: Peer,
    socket: &Path,
    wish: Wish,
) -> Result<Stopped, CliError> {
    let mut client = match peer {
        Peer::Ours(client) => client,
        Peer::Nobody => return Ok(Stopped::Nothing),
        Peer::Foreign(error) => return foreign::end(ctx, socket, error, wish).await,
    };
    let status = Box::new(client.call(Status).await?);
    let outcome = match shut_down(ctx, client, wish).await? {
        Ok(outcome) => outcome,
        Err(signal) => {
            return Ok(Stopped::Left(signal, "torcd goes on, and starts jobs again"));
        }
    };
    let raw = i32::try_from(status.pid).map_err(|_| {
        CliError::new(ErrorKind::Failed, format!("torcd gave the process id {}", status.pid))
    })?;
    until_gone(Pid::from_raw(raw), LAST_BREATH).await?;
    Ok(Stopped::Asked { status, outcome })
}

/// Asks it to end and returns what became of its final snapshot, or the signal by which the user
/// left before. When it does not say, that counts as a snapshot that is not on disk.
async fn shut_down(
    ctx: &Context,
    mut client: Box<Client>,
    wish: Wish,
) -> Result<Result<Outcome, EndSignal>, CliError> {
    let mut stop = Stop::idle(Signals::listen()?);
    let mut display = Display::new(waiting_mode(ctx));
    client.stream(wish.shutdown).await?;
    let mut first = None;
    if wish.running == Running::Wait {
        match jobs::wait(&mut client, &mut display, &mut stop, wish.limit).await {
            Ok(Over::Ending(progress)) => first = progress,
            Ok(Over::Left(signal)) => return Ok(Err(signal)),
            Err(error) if error.kind == ErrorKind::NoDaemon => return Err(unknown(&error.message)),
            Err(error) => return Err(error),
        }
    }
    let process = client.process();
    let mut patience = Patience::new(&mut stop, process);
    let occasion = "torcd is ending";
    let waited =
        follow::<Shutdown>(&mut client, first, occasion, &mut display, &mut patience).await;
    outcome(waited).map(Ok)
}

fn outcome(waited: Result<Waited, CliError>) -> Result<Outcome, CliError> {
    match waited {
        Ok(Waited::Told(progress)) => Outcome::of(progress, SnapshotWait::Forever)
            .ok_or_else(|| unknown("it gave another answer")),
        Ok(Waited::Silence) => Err(unknown("it ended without a word about it")),
        Ok(Waited::Left(why)) => Err(unknown(why)),
        Err(error) if error.kind == ErrorKind::NoDaemon => Err(unknown(&error.message)),
        Err(error) => Err(error),
    }
}

fn unknown(why: &str) -> CliError {
    let message = format!("torcd's final snapshot may not be on disk: {why}");
    CliError::new(ErrorKind::NotDurable, message)
        .hint("`torcctl snapshot recover --dry-run` shows a record that it has left elsewhere")
}

/// Waits until a process is gone.
///
/// # Errors
///
/// When it is there after so long.
pub(super) async fn until_gone(pid: Pid, limit: StdDuration) -> Result<(), CliError> {
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
