//! What snapshots there are, for `torcctl snapshot list`, `verify` and `recover`.
//!
//! Runs in a process of its own, which may hang on the file system that it looks at. Nothing is
//! changed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use torc_protocol::view::{Fate, SnapshotFileView, SnapshotPlace};

use crate::snapshot::remains::{self, Find};
use crate::snapshot_writer::rotation::older;
use crate::store::lineage::Lineage;
use crate::store::verify::{self, VerifyError};
use crate::sys::files::{is_gone, with_suffix};

/// Lists the snapshots at `target` and beside it, and what is left elsewhere that belongs there.
///
/// # Errors
///
/// When its directory cannot be read.
pub fn list(target: &Path, places: &[PathBuf]) -> io::Result<Vec<SnapshotFileView>> {
    let mut views = Vec::new();
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        _ => views.push(look(target, SnapshotPlace::Target, false)),
    }
    views.extend(older(target)?.values().map(|path| look(path, SnapshotPlace::Older, false)));
    for (word, place) in [("corrupt", SnapshotPlace::Damaged), ("old", SnapshotPlace::SetAside)] {
        views.extend(named(target, word)?.iter().map(|path| look(path, place, false)));
    }
    for view in &mut views {
        view.target = Some(target.display().to_string());
    }
    let wanted = target.display().to_string();
    let left = left(places).into_iter();
    views.extend(left.filter(|view| view.target.as_deref() == Some(&wanted)));
    Ok(views)
}

/// Reads every page of these files.
#[must_use]
pub fn check(files: &[PathBuf]) -> Vec<SnapshotFileView> {
    files.iter().map(|path| look(path, SnapshotPlace::Named, true)).collect()
}

/// Lists all that is left of this user's torcds which is not at its place.
#[must_use]
pub fn left(places: &[PathBuf]) -> Vec<SnapshotFileView> {
    remains::find(places).into_iter().filter_map(look_at_remain).collect()
}

/// Returns the files beside `target` that were moved there with this word in their names.
fn named(target: &Path, word: &str) -> io::Result<Vec<PathBuf>> {
    let (Some(dir), Some(base)) = (target.parent(), target.file_name()) else {
        return Ok(Vec::new());
    };
    let mark = format!(".{word}-");
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let rest = base.to_str().and_then(|base| name.strip_prefix(base)).unwrap_or_default();
        let journal = ["-wal", "-journal", "-shm", ".lease"];
        rest.contains(&mark) && !journal.iter().any(|suffix| name.ends_with(suffix))
    };
    let paths = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?,
    };
    let mut found: Vec<PathBuf> = paths.into_iter().filter(is_one).collect();
    found.sort();
    Ok(found)
}

/// Looks at one file: at all of it, or at what it says of itself.
fn look(path: &Path, place: SnapshotPlace, deep: bool) -> SnapshotFileView {
    let mut view = bare(path, place);
    if size(&with_suffix(path, "-wal")).is_some_and(|size| size > 0) {
        let problem = "its log beside it holds more: a torcd works on it, or was killed, and the next \
                       one on it reads both";
        return SnapshotFileView { problem: Some(problem.to_owned()), ..view };
    }
    let found = if deep { verify::verify(path) } else { verify::peek(path) };
    match found {
        Ok(_) => match Lineage::open_snapshot(path) {
            Ok(record) => fill(&mut view, &record),
            Err(error) => view.problem = Some(error.to_string()),
        },
        Err(error) => view.problem = Some(error.to_string()),
    }
    view
}

/// Looks at one that is not at its place. Nobody is kept from taking it over while a file system
/// does not answer: what is at the place is opened first.
fn look_at_remain(find: Find) -> Option<SnapshotFileView> {
    let there = find.target().map(|target| (target.to_owned(), at_place(target)));
    let remain = find.look()?;
    let mut view = bare(remain.database(), remain.place());
    match remain.open() {
        Ok(record) => {
            fill(&mut view, &record);
            let there = there.or_else(|| {
                let target = remain.target(&record)?;
                Some((target.clone(), at_place(&target)))
            });
            view.fate = there.as_ref().and_then(|(_, there)| there.fate(&record));
            view.target = there.map(|(target, _)| target.display().to_string());
            // SQLite brings the log into the file when the last one closes it.
            drop(record);
            view.bytes = size(remain.database());
        }
        // Its torcd was killed before there was anything in it.
        Err(error) if error.is_empty() => {
            view.fate = Some(Fate::Superseded);
            view.target = there.map(|(target, _)| target.display().to_string());
        }
        Err(error) => {
            view.problem = Some(error.to_string());
            view.target = there.map(|(target, _)| target.display().to_string());
        }
    }
    Some(view)
}

/// What is at the place of a record.
enum AtPlace {
    Nothing,
    Snapshot(Box<Lineage>),
    /// Something that cannot be read.
    Unknown,
}

impl AtPlace {
    /// Returns what is to become of a record that belongs here; none when that cannot be told.
    fn fate(&self, record: &Lineage) -> Option<Fate> {
        match self {
            Self::Nothing => Some(Fate::Newer),
            Self::Snapshot(there) => record.fate(there).ok(),
            Self::Unknown => None,
        }
    }
}

fn at_place(target: &Path) -> AtPlace {
    match verify::peek(target) {
        Ok(_) => Lineage::open_snapshot(target)
            .map_or(AtPlace::Unknown, |there| AtPlace::Snapshot(Box::new(there))),
        Err(VerifyError::Empty) => AtPlace::Nothing,
        Err(VerifyError::Io(error)) if is_gone(&error) => AtPlace::Nothing,
        Err(_) => AtPlace::Unknown,
    }
}

fn bare(path: &Path, place: SnapshotPlace) -> SnapshotFileView {
    SnapshotFileView {
        path: path.display().to_string(),
        place,
        target: None,
        problem: None,
        instance: None,
        generation: None,
        changes: None,
        taken_at: None,
        host: None,
        bytes: size(path),
        fate: None,
    }
}

fn size(path: &Path) -> Option<u64> {
    fs::symlink_metadata(path).ok().map(|there| there.len())
}

fn fill(view: &mut SnapshotFileView, record: &Lineage) {
    view.instance = Some(record.instance.clone());
    view.changes = Some(record.changes);
    if let Some(taken) = &record.last {
        view.generation = Some(taken.generation);
        view.taken_at = Some(taken.at);
        view.host = Some(taken.host.clone());
        view.target = Some(taken.path.display().to_string());
    }
}
