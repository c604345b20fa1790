//! Unit files on disk: written whole or not at all, and never over a file of somebody else.
//!
//! The first line of a file of ours says so and has a checksum of the rest, so that a file that was
//! changed since counts as the user's own.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::commands::service::unit::Unit;
use crate::error::{CliError, ErrorKind};

const MARK: &str = "# Written by `torcctl service install`, checksum ";

/// What is at the place of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A file that we wrote, as we would write it now.
    Same,
    /// A file that we wrote at another time.
    Ours,
    /// Something else.
    Foreign,
}

/// Where a unit of this user is, or would be.
#[derive(Debug)]
pub(super) struct Place {
    /// The unit.
    pub(super) unit: Unit,
    /// Its file.
    pub(super) path: PathBuf,
}

impl Place {
    /// Returns the place of a unit in this directory.
    pub(super) fn new(dir: &Path, unit: Unit) -> Self {
        Self { unit, path: dir.join(unit.name()) }
    }

    /// Looks at what is there; `text` is what we would write.
    pub(super) fn look(&self, text: &str) -> Result<Found, CliError> {
        let is_file = match fs::symlink_metadata(&self.path) {
            Ok(there) => there.is_file(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
            Err(error) => return Err(self.failed("look at", &error)),
        };
        if !is_file {
            return Ok(Found::Foreign);
        }
        let there = fs::read(&self.path).map_err(|error| self.failed("read", &error))?;
        let there = String::from_utf8_lossy(&there);
        Ok(match rest_of_ours(&there) {
            Some(rest) if rest == text => Found::Same,
            Some(_) => Found::Ours,
            None => Found::Foreign,
        })
    }

    /// Returns why we leave a file of somebody else as it is.
    pub(super) fn foreign(&self, then: &str) -> CliError {
        let message = format!(
            "{} is not as `torcctl service install` has written it, and stays as it is",
            self.path.display()
        );
        CliError::new(ErrorKind::Refused, message).hint(format!(
            "{then}; your own settings are safe from it in a drop-in, which \
             `systemctl --user edit {}` makes",
            self.unit
        ))
    }

    /// Writes the file: after a crash, the one before or this one is there.
    pub(super) fn write(&self, text: &str) -> Result<(), CliError> {
        let new = self.path.with_extension(format!("new-{}", std::process::id()));
        let write = || {
            if let Some(dir) = self.path.parent() {
                fs::create_dir_all(dir)?;
            }
            let mut file = fs::File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o644)
                .open(&new)?;
            file.write_all(marked(text).as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&new);
            self.failed("write", &error)
        })
    }

    /// Removes the file.
    pub(super) fn remove(&self) -> Result<(), CliError> {
        fs::remove_file(&self.path).map_err(|error| self.failed("remove", &error))
    }

    fn failed(&self, what: &str, error: &io::Error) -> CliError {
        let message = format!("cannot {what} {}: {error}", self.path.display());
        CliError::new(ErrorKind::Failed, message)
            .hint("its directory has to be yours, and to have room")
    }
}

fn marked(text: &str) -> String {
    format!("{MARK}{:016x}\n{text}", checksum(text))
}

/// Returns what follows the mark of a file that is as we wrote it.
fn rest_of_ours(file: &str) -> Option<&str> {
    let (sum, rest) = file.strip_prefix(MARK)?.split_once('\n')?;
    (u64::from_str_radix(sum, 16) == Ok(checksum(rest))).then_some(rest)
}

/// FNV-1a: against accidents, not against an enemy.
fn checksum(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(dir: &Path) -> Place {
        Place::new(&dir.join("systemd/user"), Unit::Service)
    }

    #[test]
    fn what_we_wrote_is_told_from_what_was_changed_since() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        assert_eq!(place.look("a\n").unwrap(), Found::Nothing);
        place.write("a\n").unwrap();
        assert_eq!(place.look("a\n").unwrap(), Found::Same);
        assert_eq!(place.look("b\n").unwrap(), Found::Ours);
        let written = fs::read_to_string(&place.path).unwrap();
        fs::write(&place.path, format!("{written}c\n")).unwrap();
        assert_eq!(place.look("a\n").unwrap(), Found::Foreign);
        place.remove().unwrap();
        assert_eq!(place.look("a\n").unwrap(), Found::Nothing);
    }

    #[test]
    fn a_link_and_a_file_without_our_mark_are_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        fs::create_dir_all(place.path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink("/dev/null", &place.path).unwrap();
        assert_eq!(place.look("").unwrap(), Found::Foreign, "a masked unit");
        fs::remove_file(&place.path).unwrap();
        fs::write(&place.path, "a\n").unwrap();
        assert_eq!(place.look("a\n").unwrap(), Found::Foreign);
    }

    #[test]
    fn nothing_but_the_file_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let place = place(dir.path());
        place.write("a\n").unwrap();
        place.write("b\n").unwrap();
        let names = fs::read_dir(place.path.parent().unwrap()).unwrap();
        let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["torcd.service"]);
    }
}
