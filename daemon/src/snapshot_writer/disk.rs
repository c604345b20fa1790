//! Every operation of the writer on the target's file system, but for those that only check what is
//! in a file (`store::verify`).
//!
//! One function an operation, each with its name and its file in the error, so that a fault can be
//! put before or after any of them.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::snapshot_writer::error::{WriterError, failed_to};
use crate::sys::files;

/// Returns the directory of the target.
pub(super) fn parent(target: &Path) -> Result<&Path, WriterError> {
    target
        .parent()
        .filter(|_| target.file_name().is_some())
        .ok_or_else(|| WriterError::NoFile(target.to_owned()))
}

/// Makes a directory and those above it that are missing, and makes their entries durable.
pub(super) fn make_parents(dir: &Path) -> Result<(), WriterError> {
    // The dot makes the kernel insist on a directory.
    match fs::metadata(dir.join(".")) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed_to("use the directory", dir)(error)),
    }
    let above = parent(dir)?;
    make_parents(above)?;
    match fs::create_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed_to("make the directory", dir)(error)),
        Ok(()) => sync_dir(above),
    }
}

/// Refuses to begin what cannot fit.
pub(super) fn check_room(dir: &Path, needed: u64) -> Result<(), WriterError> {
    match files::free_bytes(dir) {
        Some(free) if free < needed => {
            Err(WriterError::NoRoom { dir: dir.to_owned(), free, needed })
        }
        _ => Ok(()),
    }
}

/// Returns the names in a directory.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
}

/// Returns what is at a path, not following a link; none when nothing is.
pub(super) fn look(path: &Path) -> Result<Option<Metadata>, WriterError> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed_to("look at", path)(error)),
    }
}

/// Returns whether two names are of one file.
pub(super) fn same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

pub(super) fn create(path: &Path) -> Result<File, WriterError> {
    files::create_private(path).map_err(failed_to("create", path))
}

pub(super) fn write(file: &mut File, path: &Path, block: &[u8]) -> Result<(), WriterError> {
    file.write_all(block).map_err(failed_to("write", path))
}

pub(super) fn sync(file: &File, path: &Path) -> Result<(), WriterError> {
    file.sync_all().map_err(failed_to("sync", path))
}

pub(super) fn close(file: File, path: &Path) -> Result<(), WriterError> {
    files::close_checked(file).map_err(failed_to("close", path))
}

pub(super) fn open(path: &Path) -> Result<File, WriterError> {
    files::open_regular(path).map_err(failed_to("open", path))
}

/// Opens a file for reading it from the disk rather than from memory, where the kernel plays along.
pub(super) fn open_uncached(path: &Path) -> Result<File, WriterError> {
    let file = open(path)?;
    let _ = files::drop_cached_pages(&file);
    Ok(file)
}

/// Reads on, and returns how many bytes came; 0 at the end.
pub(super) fn read(file: &mut File, path: &Path, block: &mut [u8]) -> Result<usize, WriterError> {
    loop {
        match file.read(block) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result.map_err(failed_to("read", path)),
        }
    }
}

/// Gives a file a second name, which must be free; false where the file system has no such thing.
pub(super) fn link(path: &Path, name: &Path) -> Result<bool, WriterError> {
    match fs::hard_link(path, name) {
        Ok(()) => Ok(true),
        Err(error) if files::cannot_link(&error) => Ok(false),
        Err(error) => Err(failed_to("link the snapshot before it to", name)(error)),
    }
}

pub(super) fn rename(path: &Path, name: &Path) -> Result<(), WriterError> {
    fs::rename(path, name).map_err(failed_to("rename a snapshot to", name))
}

/// Removes a name; that it is gone already is no error.
pub(super) fn remove(path: &Path) -> Result<(), WriterError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed_to("remove", path)(error))
        }
        _ => Ok(()),
    }
}

pub(super) fn sync_dir(dir: &Path) -> Result<(), WriterError> {
    files::sync_dir(dir).map_err(failed_to("sync the directory", dir))
}
