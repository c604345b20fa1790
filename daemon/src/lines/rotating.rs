//! A log that is a file: when it is full it gets a number, and the oldest of those is dropped.
//!
//! The file is looked for anew when asked to, so that something else can move it away too. Lines are
//! never torn between two files. What is no regular file, `/dev/null` say, is written to and let be.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::lines::Target;
use crate::sys::files::with_suffix;
use crate::sys::socket::{FileLock, lock_file};

/// A file that has so many bytes gets a number.
const FULL: u64 = 4 * 1024 * 1024;
/// There are so many files at the most.
const FILES: u32 = 5;
/// So many daemons of a user have a log of their own without being told which.
const DAEMONS: u32 = 100;

/// A log that is ours alone.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    /// None when it could not be opened, until the next try.
    file: Option<File>,
    bytes: u64,
    full: u64,
    /// Where files cannot be locked we trust that nobody else writes.
    _lock: Option<FileLock>,
}

/// Why a file is not our log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It is the log of somebody else.
    #[error("another torcd writes the log {0}")]
    InUse(PathBuf),
    /// It cannot be written.
    #[error("cannot write the log {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
}

impl Rotating {
    /// Opens the log at `path`, and makes it with mode 0600 if there is none.
    ///
    /// # Errors
    ///
    /// When another daemon has it, or it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        let lock = match lock_file(&with_suffix(path, ".lock")) {
            Ok(None) => return Err(LogError::InUse(path.to_owned())),
            Ok(lock) => lock,
            Err(_) => None,
        };
        let mut log = Self { path: path.to_owned(), file: None, bytes: 0, full: FULL, _lock: lock };
        match log.begin() {
            Ok(()) => Ok(log),
            Err(source) => Err(LogError::Io { path: path.to_owned(), source }),
        }
    }

    /// As [`Rotating::open`]; when another daemon has the log, the next free one of `NAME-2`,
    /// `NAME-3` and so on.
    ///
    /// # Errors
    ///
    /// When none can be opened.
    pub fn open_next(path: &Path) -> Result<Self, LogError> {
        let mut opened = Self::open(path);
        for number in 2..=DAEMONS {
            if !matches!(opened, Err(LogError::InUse(_))) {
                break;
            }
            opened = Self::open(&numbered(path, number));
        }
        opened
    }

    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn begin(&mut self) -> io::Result<()> {
        self.file = None;
        let mut options = File::options();
        let file = options.append(true).create(true).mode(0o600).open(&self.path)?;
        let there = file.metadata()?;
        // What is no regular file never gets full.
        (self.bytes, self.full) =
            if there.is_file() { (there.len(), self.full) } else { (0, u64::MAX) };
        self.file = Some(file);
        Ok(())
    }

    /// Gives all files the next number, and begins a new one.
    fn rotate(&mut self) -> io::Result<()> {
        let name = |number: u32| with_suffix(&self.path, &format!(".{number}"));
        for number in (1..FILES - 1).rev() {
            match fs::rename(name(number), name(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&self.path, name(1))?;
        self.begin()
    }
}

/// Returns `torcd-2.log` for `torcd.log`.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let part = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_os_string();
    let mut name = part(path.file_stem());
    name.push(format!("-{number}"));
    let mut numbered = path.with_file_name(name);
    if let Some(extension) = path.extension() {
        numbered.as_mut_os_string().push(".");
        numbered.as_mut_os_string().push(extension);
    }
    numbered
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.file.is_none() {
            self.begin()?;
        } else if self.bytes > 0 && self.bytes.saturating_add(line.len() as u64) > self.full {
            // A log that cannot be rotated is better than none.
            if self.rotate().is_err() && self.file.is_none() {
                self.begin()?;
            }
        }
        let Some(file) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        file.write_all(line)?;
        self.bytes += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Target for Rotating {
    fn reopen(&mut self) {
        // The next line tries again.
        let _ = self.begin();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn small(path: &Path) -> Rotating {
        Rotating { full: 10, ..Rotating::open(path).unwrap() }
    }

    fn names(dir: &Path) -> Vec<String> {
        let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_full_log_gets_a_number_and_the_oldest_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut log = small(&path);
        for number in 0..9 {
            // Two fit into a file.
            log.write_all(format!("{number:03}\n").as_bytes()).unwrap();
            log.write_all(format!("{number:03}\n").as_bytes()).unwrap();
        }
        log.write_all(b"longer than a whole file\n").unwrap();
        log.write_all(b"x\n").unwrap();
        assert_eq!(names(dir.path()), ["log", "log.1", "log.2", "log.3", "log.4", "log.lock"]);
        let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(text("log"), "x\n");
        assert_eq!(text("log.1"), "longer than a whole file\n");
        assert_eq!(text("log.4"), "006\n006\n");
        for name in ["log", "log.1"] {
            let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_was_there_counts_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        small(&path).write_all(b"before\n").unwrap();
        let mut log = small(&path);
        log.write_all(b"a\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\na\n");
        log.write_all(b"bb\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "bb\n");
    }

    #[test]
    fn a_log_that_was_moved_away_is_begun_anew_when_asked_to() {
        let dir = tempfile::tempdir().unwrap();
        let (path, moved) = (dir.path().join("log"), dir.path().join("moved"));
        let mut log = small(&path);
        log.write_all(b"a\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        log.write_all(b"b\n").unwrap();
        log.reopen();
        log.write_all(b"c\n").unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "a\nb\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "c\n");
    }

    #[test]
    fn a_log_that_cannot_be_opened_for_a_while_goes_on_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let (inner, away) = (dir.path().join("inner"), dir.path().join("away"));
        fs::create_dir(&inner).unwrap();
        let mut log = small(&inner.join("log"));
        fs::rename(&inner, &away).unwrap();
        log.reopen();
        assert!(log.write_all(b"a\n").is_err());
        fs::rename(&away, &inner).unwrap();
        log.write_all(b"b\n").unwrap();
        assert_eq!(fs::read_to_string(inner.join("log")).unwrap(), "b\n");
    }

    #[test]
    fn what_is_no_regular_file_is_never_moved() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("log");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let mut log = small(&link);
        log.reopen();
        for _ in 0..10 {
            log.write_all(b"0123456789\n").unwrap();
        }
        assert_eq!(names(dir.path()), ["log", "log.lock"]);
    }

    #[test]
    fn two_daemons_have_two_logs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("torcd.log");
        let first = Rotating::open_next(&path).unwrap();
        assert_eq!(first.path(), path);
        assert!(matches!(Rotating::open(&path), Err(LogError::InUse(_))));
        let second = Rotating::open_next(&path).unwrap();
        assert_eq!(second.path(), dir.path().join("torcd-2.log"));
        drop(first);
        assert_eq!(Rotating::open_next(&path).unwrap().path(), path);
    }
}
