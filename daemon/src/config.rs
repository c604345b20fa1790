//! What a daemon is told at its start, checked and with the defaults filled in.

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

/// The name of a snapshot where none is given.
pub const DEFAULT_SNAPSHOT: &str = "torc-server-snapshot.db";
/// How many snapshots are kept where it is not said.
pub const DEFAULT_KEEP: u32 = 5;

/// How many snapshots can be kept at most. Bounded so that a copy which a user named for a date or a
/// year, as in `torc.db.20260131`, is never taken for one of ours.
pub const MAX_KEEP: u32 = 1_000;

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

/// All that a daemon is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub socket: PathBuf,
    /// Where the database lives.
    pub database: Database,
    /// Where snapshots go; absolute.
    pub snapshot: PathBuf,
    /// How many of them are kept.
    pub keep: u32,
    /// How often one is taken without being asked for.
    pub interval: Option<Duration>,
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
}

/// What a flag or a variable says that it cannot mean.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A number of snapshots that is none.
    #[error("{from} is '{value}': expected a whole number from 1 to {MAX_KEEP}")]
    Keep {
        /// The flag or variable.
        from: &'static str,
        /// Its value.
        value: String,
    },
    /// The present directory is gone, so a relative path means nothing.
    #[error("the working directory cannot be determined, so '{0}' means nothing")]
    NoWorkingDir(PathBuf),
}

/// Reads the name of a database: `:memory:` and SQLite's other names for it, else a path.
#[must_use]
pub fn database(name: &Path) -> Database {
    const MEMORY: [&str; 3] = [":memory:", "sqlite::memory:", "file::memory:?cache=shared"];
    if MEMORY.iter().any(|memory| name == Path::new(memory)) {
        Database::PureMemory
    } else {
        Database::File(name.to_owned())
    }
}

/// Reads how many snapshots are kept.
///
/// # Errors
///
/// When it is not a number, 0, or more than [`MAX_KEEP`].
pub fn keep(from: &'static str, value: &str) -> Result<u32, ConfigError> {
    match value.trim().parse() {
        Ok(keep) if (1..=MAX_KEEP).contains(&keep) => Ok(keep),
        _ => Err(ConfigError::Keep { from, value: value.to_owned() }),
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
pub fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(|_| ConfigError::NoWorkingDir(path.to_owned()))
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

    #[test]
    fn a_number_of_snapshots_is_at_least_one() {
        assert_eq!(keep("x", "3"), Ok(3));
        for value in ["0", "-1", "", "many", "1.5", "1001"] {
            assert!(keep("x", value).is_err(), "{value}");
        }
    }
}
