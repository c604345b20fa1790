//! What torcds have left that were killed, or that could not bring their last snapshot to its place.
//!
//! - **Memory**: the directory of a torcd that was killed, with its database as of its last commit.
//! - **Spilled**: a snapshot in another place than it should be in, which it names itself.
//!
//! Only private directories of ours are looked into, so nobody else can plant one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use torc_protocol::paths;
use torc_protocol::view::SnapshotPlace;

use crate::store::home::OpenError;
use crate::store::lineage::Lineage;
use crate::store::private_dir::{self, Held, Orphan, Purpose, Trace};
use crate::sys;

/// How the names of spilled snapshots begin, and of the links to them.
pub(super) const SPILLED: &str = "spilled-";

/// One record that is not at its place.
#[derive(Debug)]
pub struct Remain {
    left: Left,
    database: PathBuf,
}

#[derive(Debug)]
enum Left {
    Memory(Orphan),
    Spilled,
    /// Somebody has named it, and it is theirs.
    Named,
}

/// Where one may be, which was not looked into.
#[derive(Debug)]
pub enum Find {
    /// In the directory of a dead torcd.
    Memory(Trace),
    /// In this file.
    Spilled(PathBuf),
}

/// Why what was named cannot be begun with.
#[derive(Debug, Error)]
pub enum RemainError {
    /// A torcd lives that has it, or somebody looks at it.
    #[error(transparent)]
    Held(#[from] Held),
    /// It is not there, or not what it should be.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Find {
    /// Returns where the record belongs, as far as that is known without opening it.
    #[must_use]
    pub fn target(&self) -> Option<&Path> {
        match self {
            Self::Memory(trace) => trace.purpose.as_ref().map(|purpose| purpose.target.as_path()),
            Self::Spilled(_) => None,
        }
    }

    /// Returns it to be looked at; none when it is gone, or somebody takes it over.
    #[must_use]
    pub fn look(self) -> Option<Remain> {
        match self {
            Self::Memory(trace) => trace.look().and_then(Remain::of_orphan),
            Self::Spilled(database) => Some(Remain { left: Left::Spilled, database }),
        }
    }

    /// Returns it to be taken over; none when it is gone.
    fn take(self) -> Result<Option<Remain>, Held> {
        match self {
            Self::Memory(trace) => Ok(trace.take()?.and_then(Remain::of_orphan)),
            Self::Spilled(_) => Ok(self.look()),
        }
    }
}

impl Remain {
    /// Returns what is in the directory of a dead torcd, if it has a database.
    fn of_orphan(orphan: Orphan) -> Option<Self> {
        let database = orphan.database()?;
        Some(Self { left: Left::Memory(orphan), database })
    }

    /// Returns what is at `path`, to be taken over: the directory of a dead torcd, the database in
    /// one, or a snapshot.
    ///
    /// # Errors
    ///
    /// When there is nothing, or its torcd lives.
    pub fn at(path: &Path) -> Result<Self, RemainError> {
        let there = fs::symlink_metadata(path)?;
        let dir = if there.is_dir() { Some(path) } else { path.parent() };
        let trace = dir.map(private_dir::trace).transpose()?.flatten();
        if let Some(trace) = trace {
            let remain = trace.take()?.and_then(Self::of_orphan);
            return remain
                .filter(|remain| there.is_dir() || remain.database == path)
                .ok_or_else(|| not_one().into());
        }
        if !there.is_file() {
            return Err(not_one().into());
        }
        let is_spilled = is_spilled_name(path)
            && path.parent().is_some_and(|dir| {
                dir.parent().is_some_and(|place| spill_dir(place) == dir)
                    && paths::check_private(dir).is_ok()
            });
        let left = if is_spilled { Left::Spilled } else { Left::Named };
        Ok(Self { left, database: path.to_owned() })
    }

    /// Returns the file of the record.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Returns the file of the record, and lets go of it.
    #[must_use]
    pub fn into_database(self) -> PathBuf {
        self.database
    }

    /// Returns what kind of place it is in.
    #[must_use]
    pub fn place(&self) -> SnapshotPlace {
        match self.left {
            Left::Memory(_) => SnapshotPlace::Memory,
            Left::Spilled => SnapshotPlace::Spilled,
            Left::Named => SnapshotPlace::Named,
        }
    }

    /// Returns what its torcd was for, as far as that is known without opening it.
    #[must_use]
    pub fn purpose(&self) -> Option<&Purpose> {
        match &self.left {
            Left::Memory(orphan) => orphan.purpose(),
            Left::Spilled | Left::Named => None,
        }
    }

    /// Opens the record.
    ///
    /// # Errors
    ///
    /// When it is not a database of ours, or cannot be read.
    pub fn open(&self) -> Result<Lineage, OpenError> {
        match self.left {
            Left::Memory(_) => Lineage::open(&self.database),
            Left::Spilled | Left::Named => Lineage::open_snapshot(&self.database),
        }
    }

    /// Returns the place where the record belongs.
    #[must_use]
    pub fn target(&self, record: &Lineage) -> Option<PathBuf> {
        let of_snapshot = || record.last.as_ref().map(|taken| taken.path.clone());
        self.purpose().map(|purpose| purpose.target.clone()).or_else(of_snapshot)
    }

    /// Returns the directory of the dead torcd, to take it over; none for a spilled snapshot.
    ///
    /// # Errors
    ///
    /// Itself, when it has none.
    pub fn into_orphan(self) -> Result<Orphan, Self> {
        match self.left {
            Left::Memory(orphan) => Ok(orphan),
            Left::Spilled | Left::Named => Err(self),
        }
    }

    /// Returns the directory of the dead torcd, for what else is in it.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        match &self.left {
            Left::Memory(orphan) => Some(orphan.path()),
            Left::Spilled | Left::Named => None,
        }
    }

    /// Removes it, unless it is somebody's own: all that it holds is at its place.
    pub fn remove(self) {
        match self.left {
            Left::Memory(orphan) => orphan.remove(),
            Left::Spilled => {
                match fs::remove_file(&self.database) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        tracing::warn!("cannot remove {}: {error}", self.database.display());
                    }
                    _ => {}
                }
                // The link to it leads to nothing now.
                let _ = linked();
            }
            Left::Named => {}
        }
    }
}

fn not_one() -> io::Error {
    let reason = "it is neither a snapshot nor what a torcd has left that was killed";
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

/// Returns the directory for spilled snapshots in `place`, whether it is there or not.
#[must_use]
pub fn spill_dir(place: &Path) -> PathBuf {
    place.join(format!("torc-{}", sys::process::uid()))
}

/// Finds all that is left of this user's torcds on this host; `places` are where they spill to.
#[must_use]
pub fn find(places: &[PathBuf]) -> Vec<Find> {
    let traces = memory_parents().into_iter().flat_map(|parent| private_dir::traces(&parent));
    traces.map(Find::Memory).chain(spilled(places)).collect()
}

/// Finds what may be left for `target`, to be taken over: what says that it belongs there, and what
/// does not say where it belongs without being opened. The caller has the lease of that place, so that
/// whoever else has a directory only looks at it.
///
/// # Errors
///
/// When somebody does not let go of one: without it an older state would be gone on from.
pub fn find_for(target: &Path, places: &[PathBuf]) -> Result<Vec<Remain>, Held> {
    let may_be = |find: &Find| find.target().is_none_or(|its| its == target);
    let found = find(places).into_iter().filter(may_be).map(Find::take);
    found.filter_map(Result::transpose).collect()
}

fn spilled(places: &[PathBuf]) -> impl Iterator<Item = Find> {
    let mut files: Vec<PathBuf> = places
        .iter()
        .map(|place| spill_dir(place))
        .filter(|dir| paths::check_private(dir).is_ok())
        .flat_map(|dir| spilled_in(&dir))
        .chain(linked())
        .collect();
    files.sort();
    files.dedup();
    files.into_iter().map(Find::Spilled)
}

/// Returns where the directories of torcds are, those in memory first.
#[must_use]
pub fn memory_parents() -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> = paths::memory_dirs();
    if parents.is_empty() {
        parents.extend(paths::runtime_dir());
    }
    parents
}

/// Makes a spilled snapshot known to whoever looks for it later, wherever it is.
///
/// # Errors
///
/// When the link cannot be made.
pub(super) fn announce(spilled: &Path) -> io::Result<()> {
    let dir = paths::runtime_dir().map_err(io::Error::other)?;
    let pid = std::process::id();
    let start = sys::process::start_time(pid).unwrap_or(0);
    std::os::unix::fs::symlink(spilled, dir.join(format!("{SPILLED}{pid}-{start}")))
}

/// Returns the snapshots that links of ours lead to. A link that leads to nothing is removed.
fn linked() -> Vec<PathBuf> {
    let Ok(dir) = paths::runtime_dir() else { return Vec::new() };
    let mut found = Vec::new();
    for link in entries(&dir) {
        let Ok(path) = fs::read_link(&link) else { continue };
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_file() => found.push(path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Somebody else may be tidying up too.
                let _ = fs::remove_file(&link);
            }
            _ => {}
        }
    }
    found
}

fn spilled_in(dir: &Path) -> Vec<PathBuf> {
    let is_file = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|there| there.is_file());
    entries(dir).filter(is_file).collect()
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_spilled_name(path))
}

fn is_spilled_name(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(SPILLED))
}
