//! What a daemon is told on its command line, and by its environment.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use torc_protocol::paths::{self, PathError};

use crate::cli::USAGE;
use crate::config::{self, Config, ConfigError, Database};
use crate::daemon::StartError;

const TARGET_VARIABLE: &str = "TORC_SERVER_SNAPSHOT_PATH";
const KEEP_VARIABLE: &str = "TORC_SERVER_SNAPSHOT_KEEP";
const SPILL_VARIABLE: &str = "TORC_SPILL_DIR";

/// The options of a daemon.
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Listen on this socket [default: torcd.sock in the runtime directory]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Keep the database in this file; `:memory:` is SQLite's own memory
    /// [default: torc.db in the user's data directory]
    #[arg(long, value_name = "PATH")]
    database: Option<PathBuf>,
    /// Keep the database in memory, beginning with the newest snapshot
    #[arg(long, conflicts_with = "database")]
    in_memory: bool,
    /// Write snapshots here [env: TORC_SERVER_SNAPSHOT_PATH] [default: torc-server-snapshot.db]
    #[arg(long, value_name = "PATH")]
    snapshot: Option<PathBuf>,
    /// Keep so many snapshots [env: TORC_SERVER_SNAPSHOT_KEEP] [default: 5]
    #[arg(long, value_name = "N")]
    snapshot_keep: Option<String>,
    /// Take a snapshot every N seconds when something has changed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    snapshot_interval_seconds: Option<u64>,
    /// Give the final snapshot N seconds to get to disk
    #[arg(long, value_name = "N", default_value_t = 300)]
    snapshot_timeout: u64,
    /// When the final snapshot cannot get there, save it here [env: TORC_SPILL_DIR]
    /// [default: the first of $SLURM_TMPDIR, $TMPDIR, /dev/shm, /tmp that takes it]
    #[arg(long, value_name = "DIR")]
    spill_dir: Option<PathBuf>,
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
    lifeline: bool,
    /// Serve this snapshot for reading only; it stays as it is
    #[arg(long, value_name = "FILE", conflicts_with_all = ["database", "in_memory", "snapshot"])]
    read_only: Option<PathBuf>,
    /// Log what is at least this severe to standard error
    #[arg(long, value_name = "LEVEL", default_value = "warn", env = "TORC_LOG")]
    pub(super) log: String,
}

/// Returns all that a daemon is told, with the defaults filled in.
pub(super) fn config_of(args: &Serve) -> Result<Config, StartError> {
    let socket = paths::service_socket(args.socket.as_deref()).map_err(no_socket)?;
    let database = database_of(args)?;
    let target = args
        .snapshot
        .clone()
        .or_else(|| env::var_os(TARGET_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(config::DEFAULT_SNAPSHOT));
    let keep = match (&args.snapshot_keep, env::var(KEEP_VARIABLE)) {
        (Some(value), _) => config::keep("--snapshot-keep", value).map_err(usage)?,
        (None, Ok(value)) => config::keep(KEEP_VARIABLE, &value).map_err(usage)?,
        (None, Err(_)) => config::DEFAULT_KEEP,
    };
    Ok(Config {
        socket: config::absolute(&socket).map_err(usage)?,
        database,
        snapshot: config::absolute(&target).map_err(usage)?,
        keep,
        interval: args.snapshot_interval_seconds.map(Duration::from_secs),
        snapshot_timeout: Duration::from_secs(args.snapshot_timeout),
        fresh: args.fresh,
        steal: args.steal,
        lifeline: args.lifeline,
        spill: config::spill_places(spill_dir(args.spill_dir.as_deref()).map_err(usage)?),
        recover: args.recover,
        from: args.from.as_deref().map(config::absolute).transpose().map_err(usage)?,
    })
}

/// Returns where the last snapshot shall go first when its place does not take it.
pub(super) fn spill_dir(named: Option<&Path>) -> Result<Option<PathBuf>, ConfigError> {
    let variable = || env::var_os(SPILL_VARIABLE).filter(|path| !path.is_empty());
    let named = named.map(Path::to_owned).or_else(|| variable().map(PathBuf::from));
    named.as_deref().map(config::absolute).transpose()
}

fn database_of(args: &Serve) -> Result<Database, StartError> {
    if args.in_memory || args.recover || args.from.is_some() {
        return Ok(Database::Memory);
    }
    if let Some(file) = &args.read_only {
        return Ok(Database::ReadOnly(config::absolute(file).map_err(usage)?));
    }
    let path = args.database.clone().or_else(paths::service_database).ok_or_else(|| {
        StartError::new(USAGE, "there is no home directory to keep the database in".to_owned())
            .hint("name a file with `--database PATH`, or use `--in-memory`")
    })?;
    match config::database(&path) {
        Database::File(path) => Ok(Database::File(config::absolute(&path).map_err(usage)?)),
        memory => Ok(memory),
    }
}

fn usage(error: ConfigError) -> StartError {
    let hint = match &error {
        ConfigError::Keep { .. } => "the newest snapshot counts too: 1 keeps no older one",
        ConfigError::NoWorkingDir(_) => "go to a directory that exists, or give absolute paths",
    };
    StartError::new(USAGE, error.to_string()).hint(hint)
}

fn no_socket(error: PathError) -> StartError {
    StartError::new(USAGE, error.to_string())
        .hint("name another place with `--socket PATH` or TORC_SOCKET")
}
