//! Starting a torcd that outlives us.
//!
//! It gets a session of its own, so that neither the end of the terminal nor a Ctrl-C in it reaches
//! it. Only a process that is about to become torcd can make that session, hence the hidden command
//! `daemon detached`: torcctl starts itself with it, makes the session, and executes torcd.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::unistd::setsid;
use tokio::process::{Child, Command};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use torc_protocol::paths;
use torc_protocol::request::Status;
use torc_protocol::view::StatusView;

use crate::client::Client;
use crate::commands::running::record_args::EndArgs;
use crate::commands::status;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::stdout::Stdout;

/// How long a torcd may take to load its database before we stop to wait for it.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often we knock at its socket meanwhile.
const KNOCK: Duration = Duration::from_millis(10);
/// How many lines of its log are shown when it does not start.
const LOG_LINES: usize = 10;

const EXAMPLES: &str = "\
Examples:
  torcctl daemon start                                on disk
  torcctl daemon start --db /projects/me/torc.db      on disk, there
  torcctl daemon start --in-memory --snapshot runs.db --snapshot-interval-seconds 60";

/// Start the user's torcd in the background, unless it runs
///
/// Its database is the file that --db names, else torc.db in the user's data directory. With
/// --in-memory, --db names the file of its snapshots. Its log is torcd.log in the user's state
/// directory.
#[derive(clap::Args, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StartArgs {
    /// Keep the database in memory, and bring it to disk by snapshots
    #[arg(long)]
    in_memory: bool,
    /// Where snapshots go [default: torc-server-snapshot.db in the working directory]
    #[arg(long, value_name = "PATH")]
    snapshot: Option<PathBuf>,
    /// Keep so many snapshots [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    snapshot_keep: Option<u32>,
    /// Take a snapshot every N seconds as well, when something has changed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    snapshot_interval_seconds: Option<u64>,
    #[command(flatten)]
    end: EndArgs,
    /// The database of the torcd before this one, when it is restarted
    #[arg(skip)]
    inherited_database: Option<PathBuf>,
}

impl StartArgs {
    /// Takes what is not given from the torcd that ran before.
    pub(super) fn inherit(&mut self, ctx: &Context, before: &StatusView) {
        if ctx.globals.db.is_none() && !self.in_memory {
            self.in_memory = before.in_memory;
            self.inherited_database = (!before.in_memory).then(|| before.database.clone().into());
        }
        if self.snapshot.is_none() && ctx.globals.db.is_none() {
            self.snapshot = before.snapshot.target.as_ref().map(PathBuf::from);
        }
        self.snapshot_keep = self.snapshot_keep.or(Some(before.snapshot.keep).filter(|n| *n > 0));
    }

    /// Returns the arguments for torcd. `database` is what `--db` says: in memory, that is where
    /// snapshots go unless `--snapshot` says otherwise.
    fn for_torcd(&self, socket: &Path, database: Option<&Path>) -> io::Result<Vec<OsString>> {
        let mut arguments: Vec<OsString> = vec!["--socket".into(), socket.into()];
        let database = database.or(self.inherited_database.as_deref());
        let mut snapshot = self.snapshot.as_deref();
        if self.in_memory {
            arguments.push("--in-memory".into());
            snapshot = snapshot.or(database);
        } else if let Some(path) = database {
            arguments.extend(["--database".into(), std::path::absolute(path)?.into()]);
        }
        if let Some(path) = snapshot {
            arguments.extend(["--snapshot".into(), std::path::absolute(path)?.into()]);
        }
        if let Some(keep) = self.snapshot_keep {
            arguments.extend(["--snapshot-keep".into(), keep.to_string().into()]);
        }
        if let Some(seconds) = self.snapshot_interval_seconds {
            arguments.extend(["--snapshot-interval-seconds".into(), seconds.to_string().into()]);
        }
        if let Some(seconds) = self.end.snapshot_timeout {
            arguments.extend(["--snapshot-timeout".into(), seconds.to_string().into()]);
        }
        if let Some(dir) = &self.end.spill_dir {
            arguments.extend(["--spill-dir".into(), std::path::absolute(dir)?.into()]);
        }
        Ok(arguments)
    }
}

pub(super) async fn run(ctx: &Context, args: StartArgs) -> Result<u8, CliError> {
    let socket = ctx.socket()?;
    if let Some(client) = Client::try_connect(&socket).await? {
        return report(ctx, client, "is already running").await;
    }
    let log = Log::open()?;
    let mut arguments = args.for_torcd(&socket, ctx.globals.db.as_deref())?;
    if let Some(level) = ctx.globals.log_level() {
        arguments.extend(["--log".into(), level.into()]);
    }
    let mut child = spawn(&ctx.torcd()?, &arguments, &log)?;
    match knock_until_answered(&mut child, &socket).await? {
        Answer::Open(client) => report(ctx, *client, "is running").await,
        // Another torcd may have been quicker; ours then ends, and that one will do.
        Answer::Ended(status) => match Client::try_connect(&socket).await? {
            Some(client) => report(ctx, client, "is already running").await,
            None => Err(not_started(status, &log)),
        },
        Answer::Silence => {
            let message = format!("torcd does not answer after {} s", PATIENCE.as_secs());
            Err(CliError::new(ErrorKind::TimedOut, message)
                .hint(format!("it goes on; its log is {}", log.path.display())))
        }
    }
}

async fn report(ctx: &Context, mut client: Client, what: &str) -> Result<u8, CliError> {
    let status = client.call(Status).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        status::write(&status, stdout)?;
    } else if !ctx.globals.quiet {
        let StatusView { version, pid, socket, .. } = status;
        stdout.line(&format!("torcd {version} {what}: process {pid}, socket {socket}"))?;
    }
    Ok(exit_code::DONE)
}

/// What torcd says, after it has gone where nobody sees its stderr.
struct Log {
    path: PathBuf,
    file: File,
}

impl Log {
    /// Begins a new one and keeps the one before.
    fn open() -> Result<Self, CliError> {
        let path = paths::service_log()?;
        let open = || {
            if path.exists() {
                fs::rename(&path, path.with_extension("log.1"))?;
            }
            File::options().append(true).create(true).mode(0o600).open(&path)
        };
        let file = open().map_err(|error| {
            let message = format!("cannot write the log {}: {error}", path.display());
            CliError::new(ErrorKind::NoDaemon, message)
                .hint("name another directory with XDG_STATE_HOME")
        })?;
        Ok(Self { path, file })
    }

    /// Returns its last lines; nothing when it cannot be read.
    fn tail(&self) -> String {
        let text = fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

fn spawn(torcd: &Path, arguments: &[OsString], log: &Log) -> Result<Child, CliError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["daemon", "detached", "--"]).arg(torcd).args(arguments);
    command.stdin(Stdio::null()).stdout(log.file.try_clone()?).stderr(log.file.try_clone()?);
    command.spawn().map_err(|error| {
        CliError::new(ErrorKind::NoDaemon, format!("cannot start torcd: {error}"))
            .hint("`ulimit -u` and the free memory tell whether there is room for a process")
    })
}

enum Answer {
    Open(Box<Client>),
    Ended(ExitStatus),
    Silence,
}

async fn knock_until_answered(child: &mut Child, socket: &Path) -> Result<Answer, CliError> {
    let end = Instant::now() + PATIENCE;
    let mut knocks = interval(KNOCK);
    knocks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            status = child.wait() => return Ok(Answer::Ended(status?)),
            tick = timeout_at(end, knocks.tick()) => if tick.is_err() {
                return Ok(Answer::Silence);
            },
        }
        if let Some(client) = Client::try_connect(socket).await? {
            return Ok(Answer::Open(Box::new(client)));
        }
        if Instant::now() >= end {
            return Ok(Answer::Silence);
        }
    }
}

fn not_started(status: ExitStatus, log: &Log) -> CliError {
    let kind = match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(exit_code::USAGE) => ErrorKind::Usage,
        Some(exit_code::REFUSED) => ErrorKind::Refused,
        _ => ErrorKind::NoDaemon,
    };
    let message = format!("torcd ended before it was ready ({status})\n{}", log.tail());
    CliError::new(kind, message.trim_end())
        .hint(format!("all that it said is in {}", log.path.display()))
}

/// Make a session of its own and execute torcd in it
#[derive(clap::Args, Debug)]
pub(crate) struct Detached {
    /// The program and its arguments
    #[arg(required = true, last = true)]
    argv: Vec<OsString>,
}

/// Becomes torcd; returns only when that fails.
pub(super) fn become_torcd(args: &Detached) -> Result<u8, CliError> {
    let Some((program, arguments)) = args.argv.split_first() else {
        return Err(CliError::usage("no program is named"));
    };
    setsid().map_err(io::Error::from)?;
    let error = std::process::Command::new(program).args(arguments).exec();
    let message = format!("cannot execute {}: {error}", Path::new(program).display());
    Err(CliError::new(ErrorKind::NoDaemon, message)
        .hint("name the torcd to use with `--torcd-bin PATH` or TORCD_BIN"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(args: &StartArgs, database: Option<&str>) -> String {
        let arguments = args.for_torcd(Path::new("/s"), database.map(Path::new)).unwrap();
        arguments.join(" ".as_ref()).into_string().unwrap()
    }

    #[test]
    fn without_options_torcd_decides_itself() {
        assert_eq!(arguments(&StartArgs::default(), None), "--socket /s");
    }

    #[test]
    fn the_database_is_where_snapshots_go_when_it_is_in_memory() {
        let on_disk = StartArgs::default();
        assert_eq!(arguments(&on_disk, Some("/x.db")), "--socket /s --database /x.db");
        let in_memory = StartArgs { in_memory: true, ..StartArgs::default() };
        assert_eq!(
            arguments(&in_memory, Some("/x.db")),
            "--socket /s --in-memory --snapshot /x.db"
        );
        let both =
            StartArgs { in_memory: true, snapshot: Some("/y.db".into()), ..StartArgs::default() };
        assert_eq!(arguments(&both, Some("/x.db")), "--socket /s --in-memory --snapshot /y.db");
    }

    #[test]
    fn relative_paths_are_those_of_our_directory() {
        let text = arguments(&StartArgs::default(), Some("x.db"));
        let path = std::env::current_dir().unwrap().join("x.db");
        assert_eq!(text, format!("--socket /s --database {}", path.display()));
    }

    #[test]
    fn snapshots_are_configured() {
        let args = StartArgs {
            snapshot_keep: Some(3),
            snapshot_interval_seconds: Some(60),
            end: EndArgs { snapshot_timeout: Some(9), spill_dir: Some("/spill".into()) },
            ..StartArgs::default()
        };
        let expected = "--socket /s --snapshot-keep 3 --snapshot-interval-seconds 60 \
            --snapshot-timeout 9 --spill-dir /spill";
        assert_eq!(arguments(&args, None), expected);
    }
}
