//! What the workers of dead daemons had begun, which only their notes tell.
//!
//! The next daemon on the same record reads the notes, records what they say, and then removes them.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use torc_protocol::id::AttemptId;
use torc_protocol::journal;
use torc_protocol::paths::DATABASE_NAME;

use crate::snapshot::lease::Predecessor;
use crate::snapshot::remains::memory_parents;
use crate::store::private_dir::{self, Trace};

/// The name of the worker's journal in a directory of ours.
pub(super) const JOURNAL_NAME: &str = "begun";

/// The attempts, and the notes of them.
#[derive(Debug, Default)]
pub(super) struct Begun {
    pub(super) attempts: HashSet<AttemptId>,
    dirs: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Begun {
    /// Reads what daemons have left that died over the record at `place`, and those that had its
    /// leases before us. Where a database is with the notes, they are read with it.
    pub(super) fn of(place: &Path, predecessors: &[Predecessor]) -> Self {
        let prefixes: Vec<String> =
            predecessors.iter().map(|dead| private_dir::prefix(dead.pid, dead.start)).collect();
        let is_theirs = |trace: &Trace| {
            let name = trace.path.file_name().and_then(|name| name.to_str());
            let had_lease = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
            trace.purpose.as_ref().is_some_and(|purpose| purpose.target == place)
                || name.is_some_and(had_lease)
        };
        let mut begun = Self::default();
        let traces = memory_parents().into_iter().flat_map(|parent| private_dir::traces(&parent));
        for Trace { path, .. } in traces.filter(is_theirs) {
            if !path.join(DATABASE_NAME).exists() {
                begun.read(&path);
                begun.dirs.push(path);
            }
        }
        begun
    }

    /// Adds what others had begun.
    pub(super) fn add(&mut self, other: Self) {
        self.attempts.extend(other.attempts);
        self.dirs.extend(other.dirs);
        self.files.extend(other.files);
    }

    /// Reads the notes in a directory, which stay.
    pub(super) fn read(&mut self, dir: &Path) {
        for path in notes(dir) {
            let noted = fs::read(path).unwrap_or_default();
            self.attempts.extend(journal::attempts(&noted));
        }
    }

    /// Reads the notes in a directory that is ours now, and makes room for those of our own worker.
    ///
    /// # Errors
    ///
    /// When the old ones cannot be renamed.
    pub(super) fn take_over(&mut self, dir: &Path) -> io::Result<()> {
        self.read(dir);
        let current = dir.join(JOURNAL_NAME);
        let free = (1_u32..).map(|number| dir.join(format!("{JOURNAL_NAME}.{number}")));
        if current.exists()
            && let Some(earlier) = free.into_iter().find(|path| !path.exists())
        {
            fs::rename(&current, earlier)?;
        }
        self.files.extend(notes(dir));
        Ok(())
    }

    /// Removes the notes, once what they say is recorded.
    pub(super) fn clear(self) {
        for file in self.files {
            // What stays says nothing new to the next who reads it.
            let _ = fs::remove_file(file);
        }
        for dir in self.dirs {
            // Another daemon may be sweeping at the same time.
            let _ = fs::remove_dir_all(dir);
        }
    }
}

fn notes(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_note = |name: &str| name == JOURNAL_NAME || name.starts_with("begun.");
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_note))
        .map(|entry| entry.path())
        .collect()
}

/// Removes what killed daemons have left in `parent`, unless it holds a database, or notes that the
/// next daemon on theirs needs.
pub(super) fn sweep(parent: &Path) {
    private_dir::sweep(parent, |dir| {
        let has_notes = |path: &PathBuf| fs::metadata(path).is_ok_and(|notes| notes.len() > 0);
        dir.join(DATABASE_NAME).exists() || notes(dir).iter().any(has_notes)
    });
}
