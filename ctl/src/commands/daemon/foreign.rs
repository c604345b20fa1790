//! A torcd of another protocol, as an older one after an update: it cannot be asked for anything, but
//! the meaning of signals never changes.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::command_line::check_program;
use super::stop::{Running, Stopped, Wish, until_gone};
use crate::commands::running::showing::waiting_mode;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::progress::display::Display;
use crate::signals::Signals;

/// How long it may take to end that stops its jobs, and then takes a snapshot.
const LONG_GOODBYE: Duration = Duration::from_secs(330);
/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// Returns the process of the torcd at `socket`; none when it is not among those that we can see.
pub(super) async fn process_at(socket: &Path) -> Option<u32> {
    let peer = UnixStream::connect(socket).await.ok()?.peer_cred().ok()?;
    peer.pid().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid > 0)
}

/// Ends the torcd at `socket` by a signal, and returns when its process is gone. `error` is returned
/// when it cannot be told which process that is.
pub(super) async fn end(
    ctx: &Context,
    socket: &Path,
    error: CliError,
    wish: Wish,
) -> Result<Stopped, CliError> {
    let Some(process) = process_at(socket).await else { return Err(error) };
    check_program(process).map_err(|other| refused(&other.to_string(), "end it yourself"))?;
    let pid = Pid::from_raw(process.cast_signed());
    match wish.running {
        Running::Stop => {
            send(pid, Signal::SIGTERM)?;
            until_gone(pid, LONG_GOODBYE).await?;
            Ok(Stopped::Signaled(pid))
        }
        Running::Wait => {
            check_finishes(process)?;
            send(pid, Signal::SIGUSR2)?;
            wait(ctx, pid, wish.limit).await
        }
        Running::Again => Err(refused(
            "a torcd of another version cannot be asked to run its jobs again",
            "wait for them with `--running wait`, or stop them with `--running stop`",
        )),
    }
}

fn refused(message: &str, hint: &str) -> CliError {
    CliError::new(ErrorKind::Refused, message).hint(hint)
}

fn send(pid: Pid, signal: Signal) -> Result<(), CliError> {
    kill(pid, signal).map_err(|errno| {
        refused(
            &format!("cannot send {signal} to torcd (process {pid}): {errno}"),
            "end it yourself",
        )
    })
}

/// Checks that a process knows what SIGUSR2 means: it kills who does not.
fn check_finishes(process: u32) -> Result<(), CliError> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    // Who blocks it waits for it in another way.
    let waits = |line: &str| {
        let mask = line.strip_prefix("SigCgt:").or_else(|| line.strip_prefix("SigBlk:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (Signal::SIGUSR2 as u32 - 1)) != 0)
    };
    if status.lines().any(waits) {
        return Ok(());
    }
    let message = format!("torcd (process {process}) cannot be asked to wait for its jobs");
    Err(refused(&message, "stop them with `--running stop`"))
}

/// Waits until it has ended. That it is to end cannot be taken back.
async fn wait(ctx: &Context, pid: Pid, limit: Option<Duration>) -> Result<Stopped, CliError> {
    let mut signals = Signals::listen()?;
    let mut display = Display::new(waiting_mode(ctx));
    display.say(&format!("waiting for the jobs of torcd (process {pid})"));
    let gone = timeout(limit.unwrap_or(FOR_EVER), until_gone(pid, FOR_EVER));
    let left = tokio::select! {
        gone = gone => gone,
        signal = signals.next() => {
            display.clear();
            return Ok(Stopped::Left(signal, "torcd still ends, when its jobs have"));
        }
    };
    display.clear();
    match left {
        Ok(ended) => ended.map(|()| Stopped::Signaled(pid)),
        Err(_) => {
            let limit = limit.unwrap_or_default().as_secs_f64();
            let message = format!("torcd (process {pid}) has jobs that run after {limit} s");
            Err(CliError::new(ErrorKind::TimedOut, message)
                .hint("it still ends when they have; `torcctl daemon stop` ends it at once"))
        }
    }
}
