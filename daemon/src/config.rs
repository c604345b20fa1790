//! What a daemon is told at its start, checked and with the defaults filled in.

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use torc_protocol::config::key;
use torc_protocol::config::value::MEMORY_NAMES;

/// The name of a snapshot where none is given.
pub const DEFAULT_SNAPSHOT: &str = "torc-server-snapshot.db";
/// How many snapshots are kept where it is not said.
pub const DEFAULT_KEEP: u32 = 5;

/// How many snapshots can be kept at most.
pub const MAX_KEEP: u32 = key::MAX_KEEP as u32;
/// How long the final snapshot may take where it is not said.
pub const DEFAULT_SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(300);

/// Where the database lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// In memory, where a crash of the daemon does not touch it if that can be had.
    Memory,
    /// In SQLite's own memory, because it was asked for by name.
    PureMemory,
    /// In this file.
    File(PathBuf),
    /// In this file, which is only read.
    ReadOnly(PathBuf),
}

/// How many snapshots there are, in space and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many are kept.
    pub keep: u32,
    /// How often one is taken without being asked for.
    pub interval: Option<Duration>,
}

/// All that a daemon is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub socket: PathBuf,
    /// Where the database lives.
    pub database: Database,
    /// Where snapshots go; absolute.
    pub snapshot: PathBuf,
    /// How many of them there are.
    pub pace: Pace,
    /// How long the final snapshot may take.
    pub snapshot_timeout: Duration,
    /// Start empty, and move what is at the snapshot's place aside.
    pub fresh: bool,
    /// Take over what another daemon holds.
    pub steal: bool,
    /// End when standard input does: whoever started us is gone.
    pub lifeline: bool,
    /// Where the last snapshot goes when its place does not take it, best first; absolute.
    pub spill: Vec<PathBuf>,
    /// Bring home what dead daemons have left, and end: no job is started.
    pub recover: bool,
    /// Begin with this, which a dead daemon has left, instead of what is at the snapshot's place.
    pub from: Option<PathBuf>,
    /// What is logged; none leaves it to the place of the log.
    pub log: Option<String>,
    /// The file that the log goes to; absolute.
    pub log_file: Option<PathBuf>,
}

impl Config {
    /// Returns where the database comes from.
    #[must_use]
    pub fn database_place(&self) -> &Path {
        match &self.database {
            Database::File(path) | Database::ReadOnly(path) => path,
            Database::Memory | Database::PureMemory => {
                self.from.as_deref().unwrap_or(&self.snapshot)
            }
        }
    }
}

/// The present directory is gone, so a relative path means nothing.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the working directory cannot be determined, so '{0}' means nothing")]
pub struct NoWorkingDir(pub PathBuf);

/// Reads the name of a database: `:memory:` and SQLite's other names for it, else a path.
#[must_use]
pub fn database(name: &Path) -> Database {
    if MEMORY_NAMES.iter().any(|memory| name == Path::new(memory)) {
        Database::PureMemory
    } else {
        Database::File(name.to_owned())
    }
}

/// Returns where the last snapshot goes when its place does not take it: to `named`, else to the
/// first place of this host that does. The places of a batch job come first, for only its owner
/// clears them.
#[must_use]
pub fn spill_places(named: Option<PathBuf>) -> Vec<PathBuf> {
    let variable = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let known = ["/dev/shm", "/tmp"].map(PathBuf::from);
    let local = [variable("SLURM_TMPDIR"), variable("TMPDIR")].into_iter().flatten();
    let mut places: Vec<PathBuf> = named.into_iter().chain(local).chain(known).collect();
    let mut seen = HashSet::new();
    places.retain(|place| seen.insert(place.clone()));
    places
}

/// Returns `path` as it is from the root, without asking a file system.
///
/// # Errors
///
/// When it is relative and the working directory is gone.
pub fn absolute(path: &Path) -> Result<PathBuf, NoWorkingDir> {
    std::path::absolute(path).map_err(|_| NoWorkingDir(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_names_mean_memory() {
        for name in [":memory:", "sqlite::memory:", "file::memory:?cache=shared"] {
            assert_eq!(database(Path::new(name)), Database::PureMemory);
        }
        for name in ["results:memory:.db", "./:memory:", "/tmp/:memory:/torc.db"] {
            assert_eq!(database(Path::new(name)), Database::File(name.into()));
        }
    }
}
