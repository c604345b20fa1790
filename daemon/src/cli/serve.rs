//! What a daemon is told: on its command line, by its environment, and in the files of settings of the
//! user and of the system; what comes first goes before the rest.
//!
//! The file of a project is not for a daemon: what it does would depend on the directory in which it
//! happens to be started. torcctl reads that one, and says what is in it by flags.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use torc_protocol::config::key::Key;
use torc_protocol::config::settings::Settings;
use torc_protocol::config::sources::Sources;
use torc_protocol::config::value::Value;
use torc_protocol::config::{ConfigError, Origin};
use torc_protocol::paths::{self, PathError};

use crate::cli::USAGE;
use crate::config::{self, Config, Database, NoWorkingDir, Pace};
use crate::daemon::StartError;

/// What files say of services, and not of a daemon that lives as long as a command does.
const OF_SERVICES: [Key; 4] = [Key::Socket, Key::Database, Key::InMemory, Key::Log];

/// The options of a daemon.
#[derive(Clone, Debug, Args)]
pub(super) struct Serve {
    /// Listen on this socket [env: TORC_SOCKET] [default: torcd.sock in the runtime directory]
    #[arg(long, value_name = "PATH")]
    socket: Option<OsString>,
    /// Keep the database in this file; `:memory:` is SQLite's own memory [env: TORC_DATABASE]
    /// [default: torc.db in the user's data directory]
    #[arg(long, value_name = "PATH")]
    database: Option<OsString>,
    /// Keep the database in memory, beginning with the newest snapshot [env: TORC_IN_MEMORY]
    #[arg(long, conflicts_with = "database")]
    in_memory: bool,
    /// Write snapshots here [env: TORC_SERVER_SNAPSHOT_PATH] [default: torc-server-snapshot.db]
    #[arg(long, value_name = "PATH")]
    snapshot: Option<OsString>,
    /// Keep so many snapshots [env: TORC_SERVER_SNAPSHOT_KEEP] [default: 5]
    #[arg(long, value_name = "N")]
    snapshot_keep: Option<OsString>,
    /// Take a snapshot every N seconds when something has changed; 0 is never
    /// [env: TORC_SNAPSHOT_INTERVAL_SECONDS]
    #[arg(long, value_name = "N")]
    snapshot_interval_seconds: Option<OsString>,
    /// Give the final snapshot N seconds to get to disk [env: TORC_SNAPSHOT_TIMEOUT_SECONDS]
    /// [default: 300]
    #[arg(long, value_name = "N")]
    snapshot_timeout: Option<OsString>,
    /// When the final snapshot cannot get there, save it here [env: TORC_SPILL_DIR]
    /// [default: the first of $SLURM_TMPDIR, $TMPDIR, /dev/shm, /tmp that takes it]
    #[arg(long, value_name = "DIR")]
    spill_dir: Option<OsString>,
    /// Bring home what a killed torcd has left for this place of snapshots: take it over, take a
    /// snapshot, and end, with 5 if that is not on disk. No job is started
    #[arg(long, conflicts_with_all = ["database", "fresh", "lifeline", "read_only"])]
    recover: bool,
    /// Begin with this, which a killed torcd has left, or spilled
    #[arg(long, value_name = "PATH", conflicts_with_all = ["database", "fresh", "read_only"])]
    from: Option<PathBuf>,
    /// Start empty, and move the snapshots that are there aside
    #[arg(long)]
    fresh: bool,
    /// Take over a database or snapshot that a daemon holds which has died on another host
    #[arg(long)]
    steal: bool,
    /// End when standard input is closed: stop the jobs, take a snapshot, exit
    #[arg(long)]
    pub(super) lifeline: bool,
    /// Serve this snapshot for reading only; it stays as it is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["database", "in_memory", "snapshot"])]
    pub(super) read_only: Option<PathBuf>,
    /// Log what is at least this severe [env: TORC_LOG] [default: warn; info where the log goes to a
    /// file or the journal]
    #[arg(long, value_name = "LEVEL")]
    log: Option<OsString>,
    /// Log to this file, which gets a number when it has 4 MiB; the last 5 are kept
    /// [env: TORC_LOG_FILE]
    #[arg(long, value_name = "PATH")]
    log_file: Option<OsString>,
    /// Leave the terminal and go on in the background; returns when the daemon is ready, or with what
    /// has gone wrong. Without --log-file the log is torcd.log in the user's state directory
    #[arg(long, conflicts_with_all = ["lifeline", "recover"])]
    pub(super) daemonize: bool,
    /// Be the daemon that --daemonize starts
    #[arg(long, hide = true, conflicts_with = "daemonize")]
    pub(super) detached: bool,
}

/// The options of a daemon, and where else it is told something.
#[derive(Clone, Debug)]
pub(super) struct Told {
    flags: Serve,
    sources: Sources,
    /// The socket that a supervisor has opened for us.
    passed: Option<PathBuf>,
}

impl Told {
    /// Returns what this process is told, in the directory where it is now.
    pub(super) fn new(flags: Serve, passed: Option<PathBuf>) -> Self {
        Self { flags, sources: Sources::here(false), passed }
    }

    /// Returns all of it, with the defaults filled in. It can be asked for again: files may have
    /// changed.
    ///
    /// # Errors
    ///
    /// When some of it is wrong.
    pub(super) fn config(&self) -> Result<Config, StartError> {
        let flags = &self.flags;
        let settings = self.settings().map_err(refused)?;
        let interval = settings.number(Key::SnapshotInterval).filter(|seconds| *seconds > 0);
        let timeout = settings.number(Key::SnapshotTimeout).map(Duration::from_secs);
        let keep = settings.number(Key::SnapshotKeep).and_then(|keep| u32::try_from(keep).ok());
        let snapshot = match settings.path(Key::SnapshotPath) {
            Some(path) => path.to_owned(),
            None => self.absolute(Path::new(config::DEFAULT_SNAPSHOT))?,
        };
        Ok(Config {
            socket: self.socket(&settings)?,
            database: self.database(&settings)?,
            snapshot,
            pace: Pace {
                keep: keep.unwrap_or(config::DEFAULT_KEEP),
                interval: interval.map(Duration::from_secs),
            },
            snapshot_timeout: timeout.unwrap_or(config::DEFAULT_SNAPSHOT_TIMEOUT),
            fresh: flags.fresh,
            steal: flags.steal,
            lifeline: flags.lifeline,
            spill: config::spill_places(settings.path(Key::SpillDir).map(Path::to_owned)),
            recover: flags.recover,
            from: flags.from.as_deref().map(|path| self.absolute(path)).transpose()?,
            log: settings.text(Key::Log).map(str::to_owned),
            log_file: settings.path(Key::LogFile).map(Path::to_owned),
        })
    }

    fn settings(&self) -> Result<Settings, ConfigError> {
        let flags = &self.flags;
        let mut settings = self.sources.read()?;
        if flags.lifeline || flags.recover || flags.read_only.is_some() {
            for key in OF_SERVICES {
                if let Some(Origin::File { .. }) = settings.origin(key) {
                    settings.unset(key);
                }
            }
            // Its log is what the user of a command sees.
            settings.unset(Key::LogFile);
        }
        for (key, text) in [
            (Key::Socket, &flags.socket),
            (Key::Database, &flags.database),
            (Key::SnapshotPath, &flags.snapshot),
            (Key::SnapshotKeep, &flags.snapshot_keep),
            (Key::SnapshotInterval, &flags.snapshot_interval_seconds),
            (Key::SnapshotTimeout, &flags.snapshot_timeout),
            (Key::SpillDir, &flags.spill_dir),
            (Key::Log, &flags.log),
            (Key::LogFile, &flags.log_file),
        ] {
            if let Some(text) = text {
                settings.set_flag(key, read(key, text, self.sources.dir())?);
            }
        }
        if flags.in_memory || flags.recover || flags.from.is_some() {
            settings.set_flag(Key::InMemory, Value::Switch(true));
        }
        Ok(settings)
    }

    fn socket(&self, settings: &Settings) -> Result<PathBuf, StartError> {
        let named = settings.path(Key::Socket);
        let Some(passed) = &self.passed else {
            return paths::service_socket(named).map_err(no_socket);
        };
        match named {
            Some(named) if !is_same(named, passed) => {
                let (named, passed) = (named.display(), passed.display());
                let message = format!(
                    "torcd is told to listen at {named}, but was passed the socket {passed}"
                );
                Err(StartError::new(USAGE, message)
                    .hint("name the socket in the socket unit (`ListenStream=`), and nowhere else"))
            }
            _ => Ok(passed.clone()),
        }
    }

    fn database(&self, settings: &Settings) -> Result<Database, StartError> {
        if let Some(file) = &self.flags.read_only {
            return Ok(Database::ReadOnly(self.absolute(file)?));
        }
        if settings.in_memory().map_err(refused)? {
            return Ok(Database::Memory);
        }
        let set = settings.path(Key::Database).map(Path::to_owned);
        let path = set.or_else(paths::service_database).ok_or_else(|| {
            StartError::new(USAGE, "there is no home directory to keep the database in".to_owned())
                .hint("name a file with `--database PATH`, or use `--in-memory`")
        })?;
        Ok(config::database(&path))
    }

    /// Returns a path as seen from the directory in which the daemon was started.
    fn absolute(&self, path: &Path) -> Result<PathBuf, StartError> {
        let whole = self.sources.dir().map_or_else(|| path.to_owned(), |dir| dir.join(path));
        if whole.is_absolute() {
            return config::absolute(&whole).map_err(nowhere);
        }
        Err(nowhere(NoWorkingDir(whole)))
    }
}

/// Returns where the last snapshot goes when its place does not take it: to what a flag has `named`,
/// else as for a daemon.
///
/// # Errors
///
/// When a variable or a file of settings is wrong.
pub(super) fn spill_places(named: Option<&Path>) -> Result<Vec<PathBuf>, ConfigError> {
    let sources = Sources::here(false);
    let mut settings = sources.read()?;
    if let Some(dir) = named {
        settings.set_flag(Key::SpillDir, read(Key::SpillDir, dir.as_os_str(), sources.dir())?);
    }
    Ok(config::spill_places(settings.path(Key::SpillDir).map(Path::to_owned)))
}

fn read(key: Key, text: &OsStr, dir: Option<&Path>) -> Result<Value, ConfigError> {
    let setting = key.setting();
    setting.kind.read(text, dir).map_err(|unfit| {
        let hint = unfit.hint.unwrap_or_else(|| "`torcd --help` explains it".to_owned());
        ConfigError::at(&Origin::Flag(setting.flag), unfit.message, hint)
    })
}

/// Returns whether two paths name the same file, whatever links are on the way to it.
fn is_same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    one == other || (real(one).is_some() && real(one) == real(other))
}

fn refused(error: ConfigError) -> StartError {
    StartError::new(USAGE, error.to_string()).hint(error.hint)
}

fn nowhere(error: NoWorkingDir) -> StartError {
    StartError::new(USAGE, error.to_string())
        .hint("go to a directory that exists, or give absolute paths")
}

fn no_socket(error: PathError) -> StartError {
    StartError::new(USAGE, error.to_string())
        .hint("name another place with `--socket PATH` or TORC_SOCKET")
}
