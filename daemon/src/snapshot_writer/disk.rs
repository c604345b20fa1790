//! The seam between the writer and the target's file system: every call that the writer makes there
//! is a method of [`Disk`].
//!
//! The tests put other disks in its place, which fail, shorten, hang, kill, forget or lie at the n-th
//! call. The program itself knows [`RealDisk`] alone, which has no size and no choices: what it
//! compiles to are the calls.
//!
//! A method is one call, as the system answers it. What is repeated, tolerated or said of a failure
//! is decided above (`operations`).

use std::fmt::Debug;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::store::verify::{self, Header, Identity, VerifyError};
use crate::sys::files;

/// The file system that the target is on.
///
/// Paths are absolute. The path that comes with an open file is the one that it was opened by.
///
/// # Errors
///
/// Each method fails as the system call behind it, with the system's number.
pub trait Disk: Debug {
    /// Describes a directory; fails for anything else.
    fn look_at_dir(&self, dir: &Path) -> io::Result<Metadata>;
    /// Makes a directory.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;
    /// Returns how many bytes may still be written there; none when that is not known.
    fn free_bytes(&self, dir: &Path) -> Option<u64>;
    /// Returns the paths of what is in a directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    /// Describes what is at a path, not following a link.
    fn look(&self, path: &Path) -> io::Result<Metadata>;
    /// Makes a file that was not there, with mode 0600.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Writes the beginning of `block`, and returns how much of it.
    fn write(&self, file: &File, path: &Path, block: &[u8]) -> io::Result<usize>;
    /// Makes what was written durable. Never repeated by itself, not even when it is interrupted.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()>;
    /// Closes a file that was written. The file is closed then, whatever the answer.
    fn close(&self, file: File, path: &Path) -> io::Result<()>;
    /// Opens a regular file for reading.
    fn open(&self, path: &Path) -> io::Result<File>;
    /// Asks that a file be read from the disk, not from what is cached of it.
    fn forget_cached(&self, file: &File, path: &Path) -> io::Result<()>;
    /// Reads on, and returns how many bytes came; 0 at the end.
    fn read(&self, file: &File, path: &Path, block: &mut [u8]) -> io::Result<usize>;
    /// Gives a file a second name, which must be free.
    fn link(&self, path: &Path, name: &Path) -> io::Result<()>;
    /// Gives a file another name, in place of whatever has it.
    fn rename(&self, path: &Path, name: &Path) -> io::Result<()>;
    /// Removes a name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// As [`verify::identify`].
    fn identify(&self, path: &Path) -> Result<Header, VerifyError>;
    /// As [`verify::peek`].
    fn peek(&self, path: &Path) -> Result<Identity, VerifyError>;
    /// As [`verify::verify`].
    fn verify(&self, path: &Path) -> Result<Identity, VerifyError>;
}

/// The file system as it is.
#[derive(Clone, Copy, Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn look_at_dir(&self, dir: &Path) -> io::Result<Metadata> {
        // The dot makes the kernel insist on a directory.
        fs::metadata(dir.join("."))
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir(dir)
    }

    fn free_bytes(&self, dir: &Path) -> Option<u64> {
        files::free_bytes(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn look(&self, path: &Path) -> io::Result<Metadata> {
        fs::symlink_metadata(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        files::create_private(path)
    }

    fn write(&self, mut file: &File, _: &Path, block: &[u8]) -> io::Result<usize> {
        file.write(block)
    }

    fn sync(&self, file: &File, _: &Path) -> io::Result<()> {
        files::sync_once(file)
    }

    fn close(&self, file: File, _: &Path) -> io::Result<()> {
        files::close_checked(file)
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        files::open_regular(path)
    }

    fn forget_cached(&self, file: &File, _: &Path) -> io::Result<()> {
        files::drop_cached_pages(file)
    }

    fn read(&self, mut file: &File, _: &Path, block: &mut [u8]) -> io::Result<usize> {
        file.read(block)
    }

    fn link(&self, path: &Path, name: &Path) -> io::Result<()> {
        fs::hard_link(path, name)
    }

    fn rename(&self, path: &Path, name: &Path) -> io::Result<()> {
        fs::rename(path, name)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        files::sync_dir(dir)
    }

    fn identify(&self, path: &Path) -> Result<Header, VerifyError> {
        verify::identify(path)
    }

    fn peek(&self, path: &Path) -> Result<Identity, VerifyError> {
        verify::peek(path)
    }

    fn verify(&self, path: &Path) -> Result<Identity, VerifyError> {
        verify::verify(path)
    }
}
