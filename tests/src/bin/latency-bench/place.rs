//! A place for snapshots whose file system can be exchanged under it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory that is a link.
pub(crate) struct Place {
    root: TempDir,
}

impl Place {
    /// Makes one on a sound disk.
    pub(crate) fn new() -> io::Result<Self> {
        let place = Self { root: tempfile::tempdir()? };
        fs::create_dir(place.sound())?;
        place.lead_to(&place.sound())?;
        Ok(place)
    }

    /// Returns the target of snapshots.
    pub(crate) fn target(&self) -> PathBuf {
        self.link().join("torc.db")
    }

    /// Has it lead to another directory, in one step.
    pub(crate) fn lead_to(&self, dir: &Path) -> io::Result<()> {
        let new = self.root.path().join("new");
        symlink(dir, &new)?;
        fs::rename(new, self.link())
    }

    /// Has it lead to the sound disk again.
    pub(crate) fn mend(&self) -> io::Result<()> {
        self.lead_to(&self.sound())
    }

    fn link(&self) -> PathBuf {
        self.root.path().join("target")
    }

    fn sound(&self) -> PathBuf {
        self.root.path().join("sound")
    }
}
