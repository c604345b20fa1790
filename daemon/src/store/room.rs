//! Room in memory for a database.
//!
//! A database on a tmpfs needs twice its size there: its log may get as long as it is itself. What
//! must stay free beside that is the margin, which the writes of one turn have to fit into.

use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::sys;

/// The name of the file that keeps room free.
const RESERVE_NAME: &str = "reserve";
/// So many bytes are kept free: enough for the few pages that a snapshot's row and the index of the
/// log take.
const RESERVE_BYTES: u64 = 1024 * 1024;

/// The margin is an eighth of the file system, within these bounds in bytes.
const MARGIN: RangeInclusive<u64> = 4 * 1024 * 1024..=64 * 1024 * 1024;

/// Returns how many bytes must stay free on the file system of `path`.
#[must_use]
pub fn margin(path: &Path) -> u64 {
    let size = sys::files::size_bytes(path).unwrap_or(0);
    (size / 8).clamp(*MARGIN.start(), *MARGIN.end())
}

/// Returns whether less than the margin is free on the file system of `path`.
#[must_use]
pub fn is_short(path: &Path) -> bool {
    sys::files::free_bytes(path).is_some_and(|free| free < margin(path))
}

/// Returns the first of `places` that has room for so many bytes and leaves the margin free, and
/// what is free in those before it.
///
/// # Errors
///
/// Says in words what each place has, when it is not enough.
pub fn place(bytes: u64, places: &[PathBuf]) -> Result<PathBuf, String> {
    let mut short = Vec::new();
    for place in places {
        match sys::files::free_bytes(place) {
            Some(free) if free < bytes.saturating_add(margin(place)) => {
                let needed = mebibytes(bytes.saturating_add(margin(place)));
                short.push(format!(
                    "{} has {} MiB free, {needed} MiB are needed",
                    place.display(),
                    mebibytes(free)
                ));
            }
            _ => return Ok(place.clone()),
        }
    }
    if short.is_empty() {
        return Err("there is no tmpfs that can be trusted".to_owned());
    }
    Err(short.join("; "))
}

fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

/// Room beside a database that nobody else can take, for the last thing that must be written there.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Takes the room, in this directory.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn take(dir: &Path) -> io::Result<Self> {
        let path = dir.join(RESERVE_NAME);
        let reserve = Self { path };
        // One that a daemon left whose directory is ours now is as good.
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(false).open(&reserve.path)?;
        // What cannot be taken whole is given back as this is dropped.
        sys::files::allocate(&file, RESERVE_BYTES)?;
        Ok(reserve)
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Ok(()) => {}
            // The directory may have gone, and the room with it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => tracing::warn!("cannot remove {}: {error}", self.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_place_is_taken_only_when_it_has_room() {
        let here = std::env::temp_dir();
        let places = [here.clone()];
        assert_eq!(place(1, &places), Ok(here.clone()));
        let refused = place(u64::MAX, &places).unwrap_err();
        assert!(refused.starts_with(&format!("{} has ", here.display())), "{refused}");
        assert!(place(0, &[]).is_err());
        assert!(MARGIN.contains(&margin(&here)));
    }

    #[test]
    fn the_reserve_is_really_taken_and_given_back_when_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::take(dir.path()).unwrap();
        let file = dir.path().join(RESERVE_NAME);
        assert!(fs::metadata(&file).unwrap().blocks() * 512 >= RESERVE_BYTES);
        let again = Reserve::take(dir.path()).expect("what is there already will do");
        drop(again);
        assert!(!file.exists());
        drop(reserve);
    }
}
