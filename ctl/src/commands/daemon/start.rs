//! Starting a torcd that outlives us, through `torcd --daemonize`, which returns when it is ready.
//!
//! Of several that start one at a time, the first does, while the others wait; then they find it
//! running. Where systemd listens at the socket, to connect is to start: then torcd has no options,
//! and what torc.toml says is what it does.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use tokio::process::Command;
use tokio::time::timeout;
use torc_protocol::config::key::{MAX_KEEP, MAX_SECONDS};
use torc_protocol::paths;
use torc_protocol::request::Status;
use torc_protocol::time::Timestamp;
use torc_protocol::view::StatusView;

use super::project::ProjectFlags;
use crate::client::Client;
use crate::commands::running::record_args::EndArgs;
use crate::commands::service::systemd::Manager;
use crate::commands::service::unit::Unit;
use crate::commands::status;
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::stdout::Stdout;

/// How long a torcd may take to load its database before we stop to wait for it, and how long we
/// wait for another torcctl that starts one.
const PATIENCE: Duration = Duration::from_secs(60);

const EXAMPLES: &str = "\
Examples:
  torcctl daemon start                                on disk
  torcctl daemon start --db /projects/me/torc.db      on disk, there
  torcctl daemon start --in-memory --snapshot runs.db --snapshot-interval-seconds 60";

/// Start the user's torcd in the background, unless it runs
///
/// It returns when torcd is ready, whoever else starts one at the same time. Its database is the file
/// that --db names, else torc.db in the user's data directory. With --in-memory, --db names the file
/// of its snapshots. `torcctl daemon logs` shows its log. Where `torcctl service install` was run,
/// systemd starts it, without options.
#[derive(clap::Args, Debug, Default)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StartArgs {
    /// Keep the database in memory, and bring it to disk by snapshots
    #[arg(long)]
    pub(super) in_memory: bool,
    /// Where snapshots go [default: torc-server-snapshot.db in the working directory]
    #[arg(long, value_name = "PATH")]
    pub(super) snapshot: Option<PathBuf>,
    /// Keep so many snapshots [default: 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_KEEP as i64))]
    pub(super) snapshot_keep: Option<u32>,
    /// Take a snapshot every N seconds as well, when something has changed; 0 is never
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=MAX_SECONDS))]
    pub(super) snapshot_interval_seconds: Option<u64>,
    #[command(flatten)]
    pub(super) end: EndArgs,
    /// What is left of the torcd before this one, when it is restarted
    #[arg(skip)]
    pub(super) inherited: Inherited,
    /// What the project in which it is started says.
    #[arg(skip)]
    of_project: ProjectFlags,
}

/// What a torcd has from the one before it, and cannot be given otherwise.
#[derive(Debug, Default)]
pub(super) struct Inherited {
    pub(super) database: Option<PathBuf>,
    pub(super) log: Option<OsString>,
    pub(super) log_file: Option<PathBuf>,
    /// Variables by which it was told something, and their values.
    pub(super) environment: Vec<(&'static str, OsString)>,
}

impl StartArgs {
    /// Takes the places that are not given from the torcd that ran before.
    pub(super) fn inherit(&mut self, ctx: &Context, before: &StatusView) {
        if ctx.globals.db.is_none() && !self.in_memory {
            self.in_memory = before.in_memory;
            self.inherited.database = (!before.in_memory).then(|| before.database.clone().into());
        }
        if self.snapshot.is_none() && ctx.globals.db.is_none() {
            self.snapshot = before.snapshot.target.as_ref().map(PathBuf::from);
        }
    }

    /// Checks that nothing is given where `unit` of systemd says it all.
    pub(super) fn check_none(&self, ctx: &Context, unit: &str) -> Result<(), CliError> {
        if !self.any(ctx) {
            return Ok(());
        }
        let message = format!("systemd runs torcd as {unit}, which gets no options from here");
        Err(CliError::new(ErrorKind::Refused, message).hint(
            "say it in torc.toml in the user's configuration directory, then `torcctl daemon restart`",
        ))
    }

    fn any(&self, ctx: &Context) -> bool {
        self.in_memory
            || self.snapshot.is_some()
            || self.snapshot_keep.is_some()
            || self.snapshot_interval_seconds.is_some()
            || self.end.any()
            || ctx.globals.db.is_some()
            || ctx.globals.log_level().is_some()
    }

    /// Returns the arguments for torcd. `database` is what `--db` says: in memory, that is where
    /// snapshots go unless `--snapshot` says otherwise.
    fn for_torcd(&self, socket: &Path, database: Option<&Path>) -> io::Result<Vec<OsString>> {
        let mut arguments: Vec<OsString> =
            vec!["--daemonize".into(), "--socket".into(), socket.into()];
        let database = database.or(self.inherited.database.as_deref());
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
        if let Some(file) = &self.inherited.log_file {
            arguments.extend(["--log-file".into(), file.into()]);
        }
        Ok(arguments)
    }
}

pub(super) async fn run(ctx: &Context, args: StartArgs) -> Result<u8, CliError> {
    let args = StartArgs { of_project: ProjectFlags::of(&ctx.settings), ..args };
    run_since(ctx, args, Timestamp::now()).await
}

/// Does so for somebody who began at `begin`: a torcd that started since then is new.
pub(super) async fn run_since(
    ctx: &Context,
    args: StartArgs,
    begin: Timestamp,
) -> Result<u8, CliError> {
    let socket = ctx.socket()?;
    let _turn = take_turn(&socket).await;
    let by_systemd = wake_systemd(&socket).await;
    if let Some(client) = Client::try_connect(&socket).await? {
        return report(ctx, client, &args, begin).await;
    }
    if by_systemd {
        let message = format!("systemd cannot start {}", Unit::Service.name());
        return Err(CliError::new(ErrorKind::NoDaemon, message)
            .hint("`torcctl daemon logs -n 20` tells why"));
    }
    let launched = launch(ctx, &args, &socket).await?;
    // It may be one that somebody else has started just now; that one will do.
    match Client::try_connect(&socket).await? {
        Some(client) => {
            if launched.status.success() {
                say(&launched.stderr);
            }
            report(ctx, client, &args, begin).await
        }
        None => {
            say(&launched.stderr);
            Err(not_started(&launched))
        }
    }
}

/// Waits until no other torcctl starts a torcd there, but not for ever: the lock is a courtesy, and
/// torcd has one of its own. Its place is the directory, so that it leaves no file.
async fn take_turn(socket: &Path) -> Option<Flock<File>> {
    let dir = File::open(socket.parent()?).ok()?;
    // In /tmp somebody else could keep us waiting.
    dir.metadata().ok().filter(|there| there.uid() == paths::own_uid())?;
    let lock = tokio::task::spawn_blocking(|| Flock::lock(dir, FlockArg::LockExclusive));
    // Where directories cannot be locked, torcd's own lock has to do.
    timeout(PATIENCE, lock).await.ok()?.ok()?.ok()
}

/// Makes systemd listen at the socket again, after failures too, if it does so after each login: else
/// it would take the socket from a torcd that we start, with the next one. Returns whether it does.
/// Where it does not answer, as on a compute node with the same home directory, it is none of its
/// business.
async fn wake_systemd(socket: &Path) -> bool {
    let wanted = |dir: PathBuf| dir.join("sockets.target.wants").join(Unit::Socket.name());
    if !paths::unit_dir().map(wanted).is_some_and(|link| link.is_symlink()) {
        return false;
    }
    let Ok(manager) = Manager::find("").await else { return false };
    if !manager.knows(socket).await.unwrap_or(false) {
        return false;
    }
    let [service, socket] = Unit::ALL.map(Unit::name);
    // Where nothing has failed, there is nothing to forget.
    let _ = manager.call(&["reset-failed", service, socket]).await;
    manager.call(&["start", socket]).await.is_ok()
}

async fn report(
    ctx: &Context,
    mut client: Client,
    args: &StartArgs,
    begin: Timestamp,
) -> Result<u8, CliError> {
    let status = client.call(Status).await?;
    if let Some(unit) = &status.unit {
        args.check_none(ctx, unit)?;
    }
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        status::write(&status, stdout)?;
    } else if !ctx.globals.quiet {
        stdout.line(&sentence(&status, status.started_at >= begin))?;
    }
    Ok(exit_code::DONE)
}

fn sentence(status: &StatusView, is_new: bool) -> String {
    let StatusView { version, pid, socket, .. } = status;
    let what = if is_new { "is running" } else { "is already running" };
    let by = status.unit.as_ref().map(|unit| format!(", run by systemd as {unit}"));
    format!("torcd {version} {what}: process {pid}, socket {socket}{}", by.unwrap_or_default())
}

/// A `torcd --daemonize` that has returned.
struct Launched {
    status: ExitStatus,
    stderr: Vec<u8>,
}

async fn launch(ctx: &Context, args: &StartArgs, socket: &Path) -> Result<Launched, CliError> {
    let torcd = ctx.torcd()?;
    let mut arguments = args.for_torcd(socket, ctx.globals.db.as_deref())?;
    let level = ctx.globals.log_level().map(OsString::from);
    if let Some(level) = level.or_else(|| args.inherited.log.clone()) {
        arguments.extend(["--log".into(), level]);
    }
    args.of_project.add_to(&mut arguments);
    let mut command = Command::new(&torcd);
    command.envs(args.inherited.environment.iter().map(|(name, value)| (name, value)));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // What returns is not the torcd: that one goes on when we do not wait.
    let child = command.kill_on_drop(true).spawn().map_err(|error| {
        CliError::new(ErrorKind::NoDaemon, format!("cannot start {}: {error}", torcd.display()))
            .hint("name the torcd to use with `--torcd-bin PATH` or TORCD_BIN")
    })?;
    let Ok(output) = timeout(PATIENCE, child.wait_with_output()).await else {
        let message = format!("torcd is not ready after {} s", PATIENCE.as_secs());
        return Err(CliError::new(ErrorKind::TimedOut, message)
            .hint("it goes on; `torcctl daemon logs` shows what it does"));
    };
    let output = output?;
    Ok(Launched { status: output.status, stderr: output.stderr })
}

/// Passes on what torcd has said. Whoever closed our stderr does not want to hear of it.
fn say(text: &[u8]) {
    let _ = io::stderr().write_all(text);
}

/// A torcd that says nothing was killed, or is none.
fn not_started(launched: &Launched) -> CliError {
    let Launched { status, stderr } = launched;
    if status.success() {
        return CliError::new(ErrorKind::NoDaemon, "torcd was ready and is gone again")
            .hint("`torcctl daemon logs` tells why");
    }
    if stderr.is_empty() {
        let message = format!("torcd ended before it was ready ({status})");
        return CliError::new(ErrorKind::NoDaemon, message)
            .hint("is that the torcd of this release? `torcd --version` tells");
    }
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code @ (exit_code::USAGE | exit_code::NOT_FOUND | exit_code::REFUSED)) => {
            CliError::said(code)
        }
        _ => CliError::said(exit_code::NO_DAEMON),
    }
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
        assert_eq!(arguments(&StartArgs::default(), None), "--daemonize --socket /s");
    }

    #[test]
    fn the_database_is_where_snapshots_go_when_it_is_in_memory() {
        let on_disk = StartArgs::default();
        assert_eq!(arguments(&on_disk, Some("/x.db")), "--daemonize --socket /s --database /x.db");
        let in_memory = StartArgs { in_memory: true, ..StartArgs::default() };
        assert_eq!(
            arguments(&in_memory, Some("/x.db")),
            "--daemonize --socket /s --in-memory --snapshot /x.db"
        );
        let both =
            StartArgs { in_memory: true, snapshot: Some("/y.db".into()), ..StartArgs::default() };
        assert_eq!(
            arguments(&both, Some("/x.db")),
            "--daemonize --socket /s --in-memory --snapshot /y.db"
        );
    }

    #[test]
    fn relative_paths_are_those_of_our_directory() {
        let text = arguments(&StartArgs::default(), Some("x.db"));
        let path = std::env::current_dir().unwrap().join("x.db");
        assert_eq!(text, format!("--daemonize --socket /s --database {}", path.display()));
    }

    #[test]
    fn snapshots_are_configured() {
        let args = StartArgs {
            snapshot_keep: Some(3),
            snapshot_interval_seconds: Some(60),
            end: EndArgs { snapshot_timeout: Some(9), spill_dir: Some("/spill".into()) },
            ..StartArgs::default()
        };
        let expected = "--daemonize --socket /s --snapshot-keep 3 --snapshot-interval-seconds 60 \
            --snapshot-timeout 9 --spill-dir /spill";
        assert_eq!(arguments(&args, None), expected);
    }
}
