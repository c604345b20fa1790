//! What torcds have left that were killed, or that could not bring their last snapshot to its place.
//!
//! - **Memory**: the directory of a torcd that was killed, with its database as of its last commit.
//! - **Spilled**: a snapshot in another place than it should be in, which it names itself.
//!
//! Only private directories of ours are looked into, so nobody else can plant one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use torc_protocol::paths;
use torc_protocol::view::SnapshotPlace;

use crate::store::home::OpenError;
use crate::store::lineage::Lineage;
use crate::store::private_dir::{self, Orphan, Purpose};
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
}

impl Remain {
    /// Returns what is in the directory of a dead torcd, if it has a database.
    fn of_orphan(orphan: Orphan) -> Option<Self> {
        let database = orphan.database()?;
        Some(Self { left: Left::Memory(orphan), database })
    }

    /// Returns what is at `path`: the directory of a dead torcd, the database in one, or a snapshot.
    ///
    /// # Errors
    ///
    /// When there is nothing, or its torcd lives.
    pub fn at(path: &Path) -> io::Result<Self> {
        let there = fs::symlink_metadata(path)?;
        let dir = if there.is_dir() { Some(path) } else { path.parent() };
        if let Some(remain) = dir.and_then(private_dir::orphan).and_then(Self::of_orphan)
            && (there.is_dir() || remain.database == path)
        {
            return Ok(remain);
        }
        if !there.is_file() {
            let reason = "it is neither a snapshot nor what a torcd has left that was killed";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Ok(Self { left: Left::Spilled, database: path.to_owned() })
    }

    /// Returns the file of the record.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Returns what kind of place it is in.
    #[must_use]
    pub fn place(&self) -> SnapshotPlace {
        match self.left {
            Left::Memory(_) => SnapshotPlace::Memory,
            Left::Spilled => SnapshotPlace::Spilled,
        }
    }

    /// Returns what its torcd was for, as far as that is known without opening it.
    #[must_use]
    pub fn purpose(&self) -> Option<&Purpose> {
        match &self.left {
            Left::Memory(orphan) => orphan.purpose(),
            Left::Spilled => None,
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
            Left::Spilled => Lineage::open_snapshot(&self.database),
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
            Left::Spilled => Err(self),
        }
    }

    /// Returns the directory of the dead torcd, for what else is in it.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        match &self.left {
            Left::Memory(orphan) => Some(orphan.path()),
            Left::Spilled => None,
        }
    }

    /// Removes it: all that it holds is at its place.
    pub fn remove(self) {
        match self.left {
            Left::Memory(orphan) => orphan.remove(),
            Left::Spilled => match fs::remove_file(&self.database) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!("cannot remove {}: {error}", self.database.display());
                }
                _ => {}
            },
        }
    }
}

/// Returns the directory for spilled snapshots in `place`, whether it is there or not.
#[must_use]
pub fn spill_dir(place: &Path) -> PathBuf {
    place.join(format!("torc-{}", sys::process::uid()))
}

/// Finds all that is left of this user's torcds on this host; `places` are where they spill to.
#[must_use]
pub fn find(places: &[PathBuf]) -> Vec<Remain> {
    let orphans = memory_parents().into_iter().flat_map(|parent| private_dir::orphans(&parent));
    orphans.filter_map(Remain::of_orphan).chain(spilled(places)).collect()
}

/// Finds what may be left for `target`, whose lease the caller has, and what of the rest does not
/// say where it belongs without being opened.
#[must_use]
pub fn find_for(target: &Path, places: &[PathBuf]) -> Vec<Remain> {
    let orphans =
        memory_parents().into_iter().flat_map(|parent| private_dir::orphans_of(&parent, target));
    orphans.filter_map(Remain::of_orphan).chain(spilled(places)).collect()
}

fn spilled(places: &[PathBuf]) -> impl Iterator<Item = Remain> {
    let mut files: Vec<PathBuf> = places
        .iter()
        .map(|place| spill_dir(place))
        .filter(|dir| paths::check_private(dir).is_ok())
        .flat_map(|dir| spilled_in(&dir))
        .chain(linked())
        .collect();
    files.sort();
    files.dedup();
    files.into_iter().map(|database| Remain { left: Left::Spilled, database })
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
    let ours = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(SPILLED))
    };
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).filter(ours)
}
