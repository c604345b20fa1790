//! Which torcd runs the jobs: the user's, or a private one of ours.

use std::env;
use std::path::{Path, PathBuf};

use torc_protocol::config::key::Key;
use torc_protocol::paths;
use torc_protocol::request::Status;
use torc_protocol::spec::StdioMode;

use super::args::Stdio;
use super::job_context::absolute;
use super::record_args::RecordArgs;
use super::saving;
use super::submission::Submission;
use crate::client::Client;
use crate::context::{Context, choice, default_database};
use crate::error::{CliError, ErrorKind};
use crate::standalone::{Home, Launch, Standalone};
use crate::stderr;
use crate::style::one_line;

/// The environment variable in which a job finds its number.
const JOB_VARIABLE: &str = "TORC_JOB_ID";

/// What a private torcd logs by itself: faults, and what it begins with. Of the rest we tell.
const ONLY_START: &str = "error,torcd::daemon=warn";

/// A torcd that runs our jobs.
#[derive(Debug)]
pub(crate) struct Target {
    /// The connection.
    pub(crate) client: Client,
    /// Its process, when it is ours.
    pub(crate) private: Option<Standalone>,
    /// Where a private one keeps its record.
    pub(crate) record: Option<PathBuf>,
    /// Whether its database is in memory.
    in_memory: bool,
    /// Where output goes of which nobody says it, when that is set.
    stdio: Option<StdioMode>,
}

impl Target {
    /// Finds the torcd for the jobs, and settles what depends on which it is. The output directory is
    /// made before a private torcd is started, and for that of the user only when files go there for
    /// certain. `lasting` needs a torcd that outlives us, and says so.
    pub(crate) async fn open(
        ctx: &Context,
        record: &RecordArgs,
        lasting: Option<&str>,
        submission: &mut impl Submission,
    ) -> Result<Self, CliError> {
        if let Some(target) = Self::running(ctx, record, lasting).await? {
            submission.set_stdio(target.default_stdio());
            if submission.writes_files() {
                submission.make_output_dir()?;
            }
            return Ok(target);
        }
        submission.make_output_dir()?;
        let target = Self::start(ctx, record, &place(ctx)?).await?;
        submission.set_stdio(target.default_stdio());
        Ok(target)
    }

    /// Finds the torcd that has, or is to load, a database that exists.
    pub(crate) async fn open_existing(
        ctx: &Context,
        record: &RecordArgs,
        lasting: Option<&str>,
    ) -> Result<Self, CliError> {
        if record.fresh {
            return Err(CliError::usage("in a fresh database there is nothing to run again")
                .hint("leave `--fresh` out"));
        }
        if let Some(target) = Self::running(ctx, record, lasting).await? {
            return Ok(target);
        }
        let path = place(ctx)?;
        // After a crash before the first snapshot it is only where the torcd has left it.
        if path.exists() || saving::left_by_killed(ctx, &path).await.is_some() {
            return Self::start(ctx, record, &path).await;
        }
        let (kind, message) = match &ctx.globals.db {
            Some(_) => (ErrorKind::NotFound, format!("there is no database {}", path.display())),
            None => {
                let path = default_database();
                let message = format!("no torcd is running, and there is no {}", path.display());
                (ErrorKind::NoDaemon, message)
            }
        };
        Err(CliError::new(kind, message)
            .hint("go where the jobs were run, or name the database with `--db FILE`"))
    }

    /// Connects to the user's torcd if it runs and nothing asks for a private one.
    async fn running(
        ctx: &Context,
        record: &RecordArgs,
        lasting: Option<&str>,
    ) -> Result<Option<Self>, CliError> {
        let wants_private = ctx.globals.standalone || ctx.globals.db.is_some() || record.any();
        if let (true, Some(who)) = (wants_private, lasting) {
            let message = format!("{who} needs the torcd of the user, not a private one");
            return Err(CliError::usage(message)
                .hint("leave out `--standalone`, `--db` and what else describes a private one"));
        }
        if !wants_private && let Some(mut client) = ctx.running().await? {
            let in_memory = client.call(Status).await?.in_memory;
            if lasting.is_none() {
                warn_of_surrounding_job(ctx);
            }
            let stdio = set_stdio(ctx);
            return Ok(Some(Self { client, private: None, record: None, in_memory, stdio }));
        }
        match lasting {
            None => Ok(None),
            Some(who) => {
                let message = format!("{who} needs a torcd that runs on");
                Err(CliError::new(ErrorKind::NoDaemon, message)
                    .hint("start one with `torcctl daemon start`"))
            }
        }
    }

    /// Starts a private one with its record at `path`.
    async fn start(ctx: &Context, record: &RecordArgs, path: &Path) -> Result<Self, CliError> {
        let home = if record.on_disk { Home::OnDisk } else { Home::InMemory };
        let set = |key| ctx.settings.number(key);
        let keep = || u32::try_from(set(Key::SnapshotKeep)?).ok();
        let spill_dir = record.end.spill_dir.as_deref().or(ctx.settings.path(Key::SpillDir));
        let launch = Launch {
            snapshot_keep: Some(record.snapshot_keep.or_else(keep).unwrap_or(1)),
            snapshot_interval: record.snapshot_interval_seconds.or(set(Key::SnapshotInterval)),
            snapshot_timeout: record.end.snapshot_timeout.or(set(Key::SnapshotTimeout)),
            spill_dir: spill_dir.map(absolute).transpose()?,
            fresh: record.fresh,
            steal: record.steal,
            // What goes wrong is in the report; an error beyond that is for whoever starts it.
            log: ctx.globals.log_level().or(Some(ONLY_START)),
            ..Launch::new(ctx.torcd()?, home(path.to_owned()))
        };
        let private = Standalone::start(&launch).await?;
        let client = Client::connect(private.socket()).await?;
        let record_path = Some(path.to_owned());
        Ok(Self {
            client,
            private: Some(private),
            record: record_path,
            in_memory: !record.on_disk,
            stdio: set_stdio(ctx),
        })
    }

    /// Gives it up before anything was committed. A private torcd is waited for, so that whoever
    /// comes next does not find the database in use.
    pub(crate) async fn abandon(self) {
        drop(self.client);
        if let Some(private) = self.private {
            drop(private.ended().await);
        }
    }

    /// Returns whether its database is in memory.
    pub(crate) fn in_memory(&self) -> bool {
        self.in_memory
    }

    /// Returns whether its record is gone with it unless a snapshot saves it.
    pub(crate) fn is_private_in_memory(&self) -> bool {
        self.private.is_some() && self.in_memory
    }

    /// Returns where output goes when nothing else was asked for.
    pub(crate) fn default_stdio(&self) -> StdioMode {
        self.stdio.unwrap_or_else(|| stdio_of(self.in_memory))
    }
}

/// Returns where the output of jobs goes by default, with the database in memory or on disk.
pub(crate) fn default_stdio(ctx: &Context, in_memory: bool) -> StdioMode {
    set_stdio(ctx).unwrap_or_else(|| stdio_of(in_memory))
}

fn set_stdio(ctx: &Context) -> Option<StdioMode> {
    choice::<Stdio>(&ctx.settings, Key::Stdio).map(Into::into)
}

fn stdio_of(in_memory: bool) -> StdioMode {
    if in_memory { StdioMode::Capture } else { StdioMode::Separate }
}

/// Warns a torcctl that runs in a job of the torcd that it talks to: it waits for jobs that may wait
/// for what its own job holds.
fn warn_of_surrounding_job(ctx: &Context) {
    let [job, socket] = [JOB_VARIABLE, paths::SOCKET_VARIABLE]
        .map(|it| env::var_os(it).filter(|it| !it.is_empty()));
    let (Some(job), Some(socket)) = (job, socket) else { return };
    let is_ours = ctx.globals.socket.as_ref().is_none_or(|named| *named == *socket);
    if is_ours && !ctx.globals.quiet {
        let job = one_line(&job.to_string_lossy());
        stderr::say(&format!(
            "warning: this runs in job {job} of the same torcd: its jobs wait for CPUs, and that \
             job holds some\nhint: --standalone runs them beside it"
        ));
    }
}

/// Returns where a private torcd keeps its record.
fn place(ctx: &Context) -> Result<PathBuf, CliError> {
    match &ctx.globals.db {
        Some(path) => absolute(path),
        None => absolute(&default_database()),
    }
}
