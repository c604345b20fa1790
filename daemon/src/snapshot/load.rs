//! Start: find the newest good snapshot, and copy it to where the database will live.
//!
//! What holds:
//! - nothing is renamed, let alone removed, unless a good snapshot was found: a second start is told
//!   the same as the first, and never begins empty because the first one tidied up;
//! - only a file that was read and found damaged counts as damaged; one that could not be read is an
//!   error;
//! - which snapshot is the newest is read from the inside of the files, never from their times.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;
use torc_protocol::id::Generation;

use crate::snapshot::aside::{JOURNALS, move_aside};
use crate::snapshot_writer::rotation::older;
use crate::store::verify::{Identity, VerifyError, peek, verify};
use crate::sys::files::{create_private, open_regular, with_suffix};

const BLOCK: usize = 4 * 1024 * 1024;

/// What was found.
#[derive(Debug)]
pub enum Loaded {
    /// There is no snapshot; `into` was not made.
    Nothing,
    /// It is in `into` now, which nobody but us can read.
    Snapshot {
        /// Where it was.
        path: PathBuf,
        /// Which it is.
        generation: Generation,
        /// It holds every change up to this one.
        changes: u64,
        /// The new names of newer ones that are damaged.
        quarantined: Vec<PathBuf>,
    },
}

/// Why there is nothing to start from, though there is something.
#[derive(Debug, Error)]
pub enum LoadError {
    /// Some other program's file has the snapshot's name.
    #[error("{} is no snapshot: {found}", .path.display())]
    Stranger {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: VerifyError,
    },
    /// A newer torc wrote it.
    #[error("the snapshot {} is too new: {found}", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// How new.
        found: VerifyError,
    },
    /// Somebody has put something into it that torc has not made, or taken something out.
    #[error("the snapshot {} is not as torc made it: {found}", .path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// What is odd.
        found: VerifyError,
    },
    /// Somebody changes it with SQLite, or did and was interrupted.
    #[error("the snapshot {} has unfinished changes beside it, in {}", .path.display(), .journal.display())]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// What is beside it.
        journal: PathBuf,
    },
    /// There are snapshots, and none of them is good. All are where they were.
    #[error("no snapshot is good: {}", list(.0))]
    NoneGood(Vec<(PathBuf, VerifyError)>),
    /// A file could not be read, written or renamed.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl LoadError {
    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Stranger { .. } => "name another file for the snapshot; this one stays as it is",
            Self::Newer { .. } => "use the torc that wrote it, or name another file",
            Self::Altered { .. } => {
                "drop with sqlite3 what was added, or name another file; this one stays as it is"
            }
            Self::Unfinished { .. } => {
                "when a run on disk left it, go on with --on-disk; else end the program that has it \
                 open, or open it once with sqlite3"
            }
            Self::NoneGood(_) => "--fresh moves them aside and starts empty",
            Self::Io { .. } => "check that the file system is mounted and the file is yours",
        }
    }
}

fn list(failed: &[(PathBuf, VerifyError)]) -> String {
    let each = failed.iter().map(|(path, found)| format!("{}: {found}", path.display()));
    each.collect::<Vec<_>>().join("; ")
}

fn failed_to(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LoadError {
    move |source| LoadError::Io { doing, path: path.to_owned(), source }
}

/// Copies the newest good snapshot of `target` to the new file `into`, and gives those that are
/// newer and damaged the name `<name>.corrupt-<time>`.
///
/// Blocks as long as the target's file system does.
///
/// # Errors
///
/// When there are snapshots but none can be used, or what is there is not a snapshot. `into` does
/// not exist then, and nothing has another name.
pub fn load(target: &Path, into: &Path) -> Result<Loaded, LoadError> {
    let mut failed = Vec::new();
    for candidate in ranked(candidates(target)?) {
        let path = candidate.path;
        let found = match candidate.peeked {
            Ok(_) => {
                refuse_journal(&path)?;
                copy(&path, into)?;
                verify(into)
            }
            Err(found) => Err(found),
        };
        match found {
            Ok(identity) => return finish(path, &identity, failed, into),
            Err(VerifyError::Io(error)) => {
                let _ = fs::remove_file(into);
                return Err(failed_to("read", &path)(error));
            }
            Err(found) => {
                let _ = fs::remove_file(into);
                failed.push((path, found));
            }
        }
    }
    if failed.is_empty() { Ok(Loaded::Nothing) } else { Err(LoadError::NoneGood(failed)) }
}

fn finish(
    path: PathBuf,
    identity: &Identity,
    failed: Vec<(PathBuf, VerifyError)>,
    into: &Path,
) -> Result<Loaded, LoadError> {
    let quarantined = set_damaged_aside(failed).inspect_err(|_| {
        let _ = fs::remove_file(into);
    })?;
    let (generation, changes) = (identity.generation, identity.changes);
    Ok(Loaded::Snapshot { path, generation, changes, quarantined })
}

/// Gives snapshots that were found damaged the name `<name>.corrupt-<time>`, because there is
/// something better to start from. Returns their new names.
///
/// # Errors
///
/// When one cannot be renamed. Those renamed before it stay so.
pub fn set_damaged_aside(failed: Vec<(PathBuf, VerifyError)>) -> Result<Vec<PathBuf>, LoadError> {
    let damaged = failed.into_iter().filter(|(_, found)| matches!(found, VerifyError::Corrupt(_)));
    damaged
        .map(|(path, _)| {
            move_aside(&path, "corrupt")
                .map_err(|error| failed_to("set aside the damaged snapshot", &path)(error))
        })
        .collect()
}

/// A file that may be a good snapshot.
#[derive(Debug)]
struct Candidate {
    path: PathBuf,
    peeked: Result<Identity, VerifyError>,
}

/// Returns what has the name of a snapshot, newest name first. Strangers and empty files are left
/// out; a stranger in the first place is an error.
fn candidates(target: &Path) -> Result<Vec<Candidate>, LoadError> {
    let mut candidates = Vec::new();
    let path = target.to_owned();
    match peek(target) {
        Err(VerifyError::Empty) => {}
        Err(VerifyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
        Err(found) if is_stranger(&found) => return Err(LoadError::Stranger { path, found }),
        Err(found @ VerifyError::Newer(_)) => return Err(LoadError::Newer { path, found }),
        Err(found @ VerifyError::Altered(_)) => return Err(LoadError::Altered { path, found }),
        Err(VerifyError::Io(error)) => return Err(failed_to("read", target)(error)),
        peeked @ (Ok(_) | Err(_)) => {
            refuse_journal(target)?;
            candidates.push(Candidate { path, peeked });
        }
    }
    for path in older(target).map_err(failed_to("list what is beside", target))?.into_values() {
        let peeked = peek(&path);
        let passed_over = match &peeked {
            Err(VerifyError::Empty) => true,
            Err(VerifyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => true,
            Err(found) => is_stranger(found),
            Ok(_) => false,
        };
        if !passed_over {
            candidates.push(Candidate { path, peeked });
        }
    }
    Ok(candidates)
}

fn is_stranger(found: &VerifyError) -> bool {
    match found {
        VerifyError::NotSqlite | VerifyError::Foreign(_) => true,
        VerifyError::Io(error) => error.kind() == io::ErrorKind::InvalidInput,
        VerifyError::Empty
        | VerifyError::Newer(_)
        | VerifyError::Altered(_)
        | VerifyError::Corrupt(_) => false,
    }
}

/// Orders candidates by the generation inside. Only those of one database can be compared: that of
/// the first that can be read. Others come last, and after them what cannot be read at all.
fn ranked(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    let instance = candidates
        .iter()
        .find_map(|candidate| candidate.peeked.as_ref().ok())
        .map(|identity| identity.instance.clone());
    candidates.sort_by_key(|candidate| match &candidate.peeked {
        Err(VerifyError::Corrupt(_)) => (0, Reverse(Generation(0))),
        Ok(identity) if Some(&identity.instance) == instance.as_ref() => {
            (1, Reverse(identity.generation))
        }
        Ok(_) => (2, Reverse(Generation(0))),
        Err(_) => (3, Reverse(Generation(0))),
    });
    candidates
}

/// Fails when there are changes beside a database that are not in it: what we copied would be an
/// older state, or no state at all.
fn refuse_journal(path: &Path) -> Result<(), LoadError> {
    for suffix in JOURNALS {
        let journal = with_suffix(path, suffix);
        if fs::symlink_metadata(&journal).is_ok_and(|there| there.len() > 0) {
            return Err(LoadError::Unfinished { path: path.to_owned(), journal });
        }
    }
    Ok(())
}

fn copy(path: &Path, into: &Path) -> Result<(), LoadError> {
    let source = open_regular(path).map_err(failed_to("read", path))?;
    let copy = create_private(into).map_err(failed_to("create", into))?;
    copy_bytes(path, source, into, copy).inspect_err(|_| {
        let _ = fs::remove_file(into);
    })
}

/// Not `io::copy`, which does not say whose error it was.
fn copy_bytes(path: &Path, mut source: File, into: &Path, mut copy: File) -> Result<(), LoadError> {
    let mut block = vec![0; BLOCK];
    loop {
        match source.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(length) => copy.write_all(&block[..length]).map_err(failed_to("write", into))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed_to("read", path)(error)),
        }
    }
}

#[cfg(test)]
mod tests;
