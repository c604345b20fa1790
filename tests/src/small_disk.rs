//! A disk with little room, which can be full: a tmpfs of its own.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use tempfile::TempDir;

/// A mounted disk, unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    root: TempDir,
}

impl SmallDisk {
    /// Mounts an empty one with room for so many bytes; none where that may not be done, which is
    /// said aloud.
    #[must_use]
    pub fn mount(bytes: u64) -> Option<Self> {
        let mount = || -> io::Result<Self> {
            let root = tempfile::Builder::new().prefix("torc-small-").tempdir_in("/tmp")?;
            let options = format!("size={bytes},mode=0700");
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount(Some("tmpfs"), root.path(), Some("tmpfs"), flags, Some(options.as_str()))?;
            Ok(Self { root })
        };
        mount()
            .inspect_err(|error| eprintln!("SKIPPED: a tmpfs cannot be mounted here: {error}"))
            .ok()
    }

    /// Returns where it is mounted.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.root.path()
    }

    /// Returns a path on it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// Leaves not a byte of room.
    ///
    /// # Panics
    ///
    /// When it cannot be written to for another reason than that it is full.
    pub fn fill(&self) {
        let mut file = File::create(self.filling()).expect("a file can be made");
        for block in [1 << 20, 4096, 1] {
            let zeros = vec![0; block];
            let error = loop {
                if let Err(error) = file.write_all(&zeros) {
                    break error;
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{error}");
        }
    }

    /// Gives the room back that [`Self::fill`] has taken.
    ///
    /// # Panics
    ///
    /// When it was not full.
    pub fn make_room(&self) {
        fs::remove_file(self.filling()).expect("it was filled");
    }

    fn filling(&self) -> PathBuf {
        self.path("filling")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(self.dir(), MntFlags::MNT_DETACH);
    }
}
