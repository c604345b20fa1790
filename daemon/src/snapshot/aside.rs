//! Moves files out of the way, to names that nothing had.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::snapshot_writer::rotation::{numbered, older};
use crate::sys::files::{create_private, with_suffix};

/// What SQLite puts beside a database that is being changed.
pub(super) const JOURNALS: [&str; 2] = ["-journal", "-wal"];

/// Moves the snapshots of `target` aside, for a fresh start: the newest to `<name>.old-<time>`, the
/// older ones to that with their numbers. Returns the new name, and whether there was anything.
///
/// The older ones go first, for a later start would take them for the latest otherwise.
///
/// # Errors
///
/// When one cannot be renamed, or is not a regular file. Those renamed before it stay so.
pub fn set_aside(target: &Path) -> io::Result<(PathBuf, bool)> {
    let older = older(target)?;
    let there = match fs::symlink_metadata(target) {
        Ok(metadata) if metadata.is_file() => true,
        Ok(_) => {
            let reason = format!("{} is not a regular file", target.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    let names = (0..).map(|attempt| name(target, "old", attempt));
    let is_free = |name: &PathBuf| fs::symlink_metadata(name).is_err();
    let aside = names.into_iter().find(is_free).unwrap_or_default();
    let moved = there || !older.is_empty();
    for (number, path) in older {
        rename_new(&path, &numbered(&aside, number))?;
    }
    if there {
        rename_new(target, &aside)?;
    }
    for suffix in JOURNALS {
        match rename_new(&with_suffix(target, suffix), &with_suffix(&aside, suffix)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved?,
        }
    }
    Ok((aside, moved))
}

/// Moves a file to `<name>.<word>-<time>`, and returns that name.
pub(super) fn move_aside(path: &Path, word: &str) -> io::Result<PathBuf> {
    let mut attempt = 0;
    loop {
        let aside = name(path, word, attempt);
        match rename_new(path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            moved => return moved.map(|()| aside),
        }
    }
}

/// The time is UTC; a number follows where one second is not enough to tell two files apart.
fn name(path: &Path, word: &str, attempt: u32) -> PathBuf {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let number = if attempt == 0 { String::new() } else { format!("-{attempt}") };
    with_suffix(path, &format!(".{word}-{time}{number}"))
}

/// Renames a file to a name that nothing has: an empty file takes the name first, which only one can
/// do, and which every file system can.
pub(super) fn rename_new(path: &Path, name: &Path) -> io::Result<()> {
    fs::symlink_metadata(path)?;
    create_private(name)?;
    fs::rename(path, name).inspect_err(|_| {
        let _ = fs::remove_file(name);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("torc.db");
        let moved: Vec<_> = (0..3)
            .map(|number| {
                fs::write(&path, number.to_string()).unwrap();
                move_aside(&path, "corrupt").unwrap()
            })
            .collect();
        for (number, path) in moved.iter().enumerate() {
            assert_eq!(fs::read_to_string(path).unwrap(), number.to_string());
        }
        assert_eq!(names(dir.path()).len(), 3);
        assert_eq!(move_aside(&path, "corrupt").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(names(dir.path()).len(), 3, "a failed move left something");
    }

    #[test]
    fn the_older_ones_and_the_journal_go_with_the_newest() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("torc.db");
        assert!(!set_aside(&target).unwrap().1);
        for name in ["torc.db", "torc.db.1", "torc.db.7", "torc.db-wal", "torc.db.2026", "notes"] {
            fs::write(dir.path().join(name), name).unwrap();
        }
        let (aside, moved) = set_aside(&target).unwrap();
        assert!(moved);
        let base = aside.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(base.starts_with("torc.db.old-"), "{base}");
        let mut expected = vec!["notes".to_owned(), "torc.db.2026".to_owned(), base.clone()];
        expected.extend(["-wal", ".1", ".7"].map(|suffix| format!("{base}{suffix}")));
        assert_eq!(names(dir.path()), expected);
        assert_eq!(fs::read_to_string(numbered(&aside, 7)).unwrap(), "torc.db.7");
        assert!(!set_aside(&target).unwrap().1);
    }

    #[test]
    fn a_directory_is_not_moved() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(set_aside(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
