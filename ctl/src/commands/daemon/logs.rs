//! `torcctl daemon logs`: what torcd has logged, wherever that is.
//!
//! To look for it starts no torcd: where systemd listens, it is asked before we connect.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use torc_protocol::config::key::Key;
use torc_protocol::paths;
use torc_protocol::request::Status;

use crate::client::{Client, Peer};
use crate::commands::daemon::log_files::{LogFiles, Watch, newest};
use crate::commands::service::systemd::Manager;
use crate::commands::service::unit::Unit;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::format::Format;
use crate::output::stdout::Stdout;

/// How many lines of the past are shown to whoever waits for the next ones.
const BEFORE_FOLLOWING: usize = 10;

const EXAMPLES: &str = "\
Examples:
  torcctl daemon logs                     all that there is
  torcctl daemon logs -n 20               the last 20 lines
  torcctl daemon logs -f                  the last ones, and those to come
  torcctl daemon logs | grep snapshot

Exit codes: 6 there is no log";

/// Show what the user's torcd has logged
///
/// That is in the journal of systemd where systemd runs torcd, else in torcd.log in the user's state
/// directory, or where torc.toml or --log-file says. When no torcd runs, the log of the last one is
/// shown.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogsArgs {
    /// Show new lines as they come, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Show only so many of the last lines [default: all, or 10 with --follow]
    #[arg(long, short = 'n', value_name = "N")]
    lines: Option<usize>,
}

/// Where a log is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In the journal, under the name of this unit.
    Journal(String),
    /// In this file, and in older ones beside it.
    File(PathBuf),
}

pub(super) async fn run(ctx: &Context, args: &LogsArgs) -> Result<u8, CliError> {
    if ctx.globals.given_format.is_some_and(Format::is_for_programs) {
        return Err(CliError::usage("a log is given out as torcd wrote it, in no other format")
            .hint("leave `--format` out"));
    }
    let lines = args.lines.or(args.follow.then_some(BEFORE_FOLLOWING));
    match place(ctx).await? {
        Place::Journal(unit) => Err(become_journalctl(&unit, args.follow, lines)),
        Place::File(path) => show(ctx, &path, args.follow, lines),
    }
}

async fn place(ctx: &Context) -> Result<Place, CliError> {
    let socket = ctx.socket()?;
    let unit = unit_at(&socket).await;
    if unit != Some(State::Waiting)
        && let Peer::Ours(mut client) = Client::knock(&socket).await?
    {
        let status = client.call(Status).await?;
        return of_running(&status.log, status.unit, status.pid);
    }
    // What another protocol tells we cannot read, but such a torcd logs where ours would.
    of_the_last(ctx.settings.path(Key::LogFile), unit, &paths::service_log()?)
}

/// What systemd has to do with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It listens there, and no torcd runs.
    Waiting,
    /// It knows the socket, and either torcd runs or nobody listens.
    Known,
}

/// Asks systemd about a socket; none when it has nothing to do with it, or is not here.
async fn unit_at(socket: &Path) -> Option<State> {
    let manager = Manager::find("").await.ok()?;
    if !manager.knows(socket).await.ok()? {
        return None;
    }
    let listens = manager.is_active(Unit::Socket).await.ok()?;
    let runs = manager.is_active(Unit::Service).await.ok()?;
    Some(if listens && !runs { State::Waiting } else { State::Known })
}

fn of_running(log: &str, unit: Option<String>, pid: u32) -> Result<Place, CliError> {
    match (log, unit) {
        ("journal", Some(unit)) => Ok(Place::Journal(unit)),
        ("journal" | "stderr", _) => {
            let message = format!("torcd (process {pid}) logs to whoever has started it");
            Err(CliError::new(ErrorKind::NotFound, message)
                .hint("`torcctl daemon restart` starts one that logs to a file"))
        }
        (path, _) => Ok(Place::File(path.into())),
    }
}

/// Returns where the last torcd has logged, which does not run any more. `named` is the file that is
/// set, and `usual` the one without.
fn of_the_last(named: Option<&Path>, unit: Option<State>, usual: &Path) -> Result<Place, CliError> {
    let journal = || Place::Journal(Unit::Service.name().to_owned());
    match (named, newest(usual), unit) {
        (Some(path), ..) => Ok(Place::File(path.to_owned())),
        (None, _, Some(State::Waiting)) => Ok(journal()),
        (None, Some(path), _) => Ok(Place::File(path)),
        (None, None, Some(State::Known)) => Ok(journal()),
        (None, None, None) => Err(no_log(usual)),
    }
}

fn no_log(path: &Path) -> CliError {
    let message = format!("there is no log at {}", path.display());
    CliError::new(ErrorKind::NotFound, message)
        .hint("torcd has one when `torcctl daemon start` or systemd has started it")
}

/// Returns only when that fails.
fn become_journalctl(unit: &str, follow: bool, lines: Option<usize>) -> CliError {
    let mut command = Command::new("journalctl");
    command.args(["--user", "--no-pager", "--unit", unit]);
    if follow {
        command.arg("--follow");
    }
    if let Some(lines) = lines {
        command.arg(format!("--lines={lines}"));
    }
    let error = command.exec();
    CliError::new(ErrorKind::NotFound, format!("cannot run journalctl: {error}"))
        .hint("the log is in the journal of systemd, which only that program reads")
}

fn show(ctx: &Context, path: &Path, follow: bool, lines: Option<usize>) -> Result<u8, CliError> {
    let watch = follow.then(|| Watch::new(path)).transpose()?;
    let mut files = LogFiles::new(path);
    let mut stdout = Stdout::new(ctx.globals.format, ctx.globals.color).open();
    if !files.copy(lines, &mut stdout)? && !follow {
        return Err(no_log(path));
    }
    stdout.flush()?;
    let Some(watch) = watch else { return Ok(exit_code::DONE) };
    loop {
        watch.wait()?;
        files.copy_new(&mut stdout)?;
        stdout.flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torcd_that_runs_says_where_its_log_is() {
        let unit = || Some("torcd.service".to_owned());
        let place = |log: &str, unit| of_running(log, unit, 7);
        assert_eq!(place("journal", unit()).unwrap(), Place::Journal("torcd.service".into()));
        assert_eq!(place("/x/torcd.log", unit()).unwrap(), Place::File("/x/torcd.log".into()));
        for (log, unit) in [("stderr", None), ("stderr", unit()), ("journal", None)] {
            let error = place(log, unit).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotFound);
            assert!(error.message.contains("process 7"), "{}", error.message);
        }
    }

    #[test]
    fn the_last_torcd_has_logged_to_the_file_that_is_set_or_where_it_was_started_to() {
        let dir = tempfile::tempdir().unwrap();
        let usual = dir.path().join("torcd.log");
        let named = Path::new("/named");
        let place = |named, unit| of_the_last(named, unit, &usual);
        let journal = || Place::Journal("torcd.service".to_owned());
        assert_eq!(place(None, None).unwrap_err().kind, ErrorKind::NotFound);
        assert_eq!(place(None, Some(State::Known)).unwrap(), journal());
        std::fs::write(&usual, "").unwrap();
        assert_eq!(place(None, Some(State::Known)).unwrap(), Place::File(usual.clone()));
        assert_eq!(place(None, Some(State::Waiting)).unwrap(), journal());
        let set = place(Some(named), Some(State::Waiting)).unwrap();
        assert_eq!(set, Place::File(named.to_owned()));
    }
}
