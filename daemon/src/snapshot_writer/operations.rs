//! What the writer does on the target's file system, each with its name and its file in the error.
//!
//! What a signal interrupts is repeated where that repeats nothing. A sync is never repeated: after a
//! failed one the kernel takes for clean what is not on disk, and an interrupted one may have hidden
//! a failed one. Neither is a close, for the descriptor is gone.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::snapshot_writer::disk::Disk;
use crate::snapshot_writer::error::{WriterError, failed_to};
use crate::sys::files;

/// Returns the directory of the target.
pub(super) fn parent(target: &Path) -> Result<&Path, WriterError> {
    target
        .parent()
        .filter(|_| target.file_name().is_some())
        .ok_or_else(|| WriterError::NoFile(target.to_owned()))
}

/// Makes a directory and those above it that are missing; see [`sync_parents`].
pub(super) fn make_parents(disk: &impl Disk, dir: &Path) -> Result<(), WriterError> {
    match again(|| disk.look_at_dir(dir)) {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed_to("use the directory", dir)(error)),
    }
    make_parents(disk, parent(dir)?)?;
    match disk.make_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed_to("make the directory", dir)(error))
        }
        _ => Ok(()),
    }
}

/// Makes durable that there is such a directory, and those above it on its file system, whoever made
/// them: the name of a directory is lost in a power cut like that of a file.
pub(super) fn sync_parents(disk: &impl Disk, dir: &Path) -> Result<(), WriterError> {
    let look = |dir: &Path| {
        again(|| disk.look_at_dir(dir)).map_err(failed_to("look at the directory", dir))
    };
    let device = look(dir)?.dev();
    for above in dir.ancestors().skip(1) {
        if look(above)?.dev() != device {
            break;
        }
        match disk.sync_dir(above) {
            // Who may not list it will hardly have made anything in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced.map_err(failed_to("sync the directory", above))?,
        }
    }
    Ok(())
}

/// Refuses to begin what cannot fit.
pub(super) fn check_room(disk: &impl Disk, dir: &Path, needed: u64) -> Result<(), WriterError> {
    match disk.free_bytes(dir) {
        Some(free) if free < needed => {
            Err(WriterError::NoRoom { dir: dir.to_owned(), free, needed })
        }
        _ => Ok(()),
    }
}

/// Returns the paths of what is in a directory.
pub(super) fn list(disk: &impl Disk, dir: &Path) -> io::Result<Vec<PathBuf>> {
    again(|| disk.list(dir))
}

/// Returns what is at a path, not following a link; none when nothing is.
pub(super) fn look(disk: &impl Disk, path: &Path) -> Result<Option<Metadata>, WriterError> {
    match again(|| disk.look(path)) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed_to("look at", path)(error)),
    }
}

/// Returns whether two names are of one file.
pub(super) fn same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

pub(super) fn create(disk: &impl Disk, path: &Path) -> Result<File, WriterError> {
    again(|| disk.create(path)).map_err(failed_to("create", path))
}

pub(super) fn write(
    disk: &impl Disk,
    file: &File,
    path: &Path,
    mut block: &[u8],
) -> Result<(), WriterError> {
    while !block.is_empty() {
        match again(|| disk.write(file, path, block)).map_err(failed_to("write", path))? {
            0 => return Err(failed_to("write", path)(io::ErrorKind::WriteZero.into())),
            written => block = &block[written..],
        }
    }
    Ok(())
}

pub(super) fn sync(disk: &impl Disk, file: &File, path: &Path) -> Result<(), WriterError> {
    disk.sync(file, path).map_err(failed_to("sync", path))
}

pub(super) fn close(disk: &impl Disk, file: File, path: &Path) -> Result<(), WriterError> {
    match disk.close(file, path) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        closed => closed.map_err(failed_to("close", path)),
    }
}

pub(super) fn open(disk: &impl Disk, path: &Path) -> Result<File, WriterError> {
    again(|| disk.open(path)).map_err(failed_to("open", path))
}

/// Opens a file for reading it from the disk rather than from memory, where the kernel plays along.
pub(super) fn open_uncached(disk: &impl Disk, path: &Path) -> Result<File, WriterError> {
    let file = open(disk, path)?;
    let _ = disk.forget_cached(&file, path);
    Ok(file)
}

/// Reads on, and returns how many bytes came; 0 at the end.
pub(super) fn read(
    disk: &impl Disk,
    file: &File,
    path: &Path,
    block: &mut [u8],
) -> Result<usize, WriterError> {
    again(|| disk.read(file, path, block)).map_err(failed_to("read", path))
}

/// Gives a file a second name, which must be free; false where the file system has no such thing.
pub(super) fn link(disk: &impl Disk, path: &Path, name: &Path) -> Result<bool, WriterError> {
    match disk.link(path, name) {
        Ok(()) => Ok(true),
        Err(error) if files::cannot_link(&error) => Ok(false),
        Err(error) => Err(failed_to("link the snapshot before it to", name)(error)),
    }
}

pub(super) fn rename(disk: &impl Disk, path: &Path, name: &Path) -> Result<(), WriterError> {
    disk.rename(path, name).map_err(failed_to("rename a snapshot to", name))
}

/// Removes a name; that it is gone already is no error.
pub(super) fn remove(disk: &impl Disk, path: &Path) -> Result<(), WriterError> {
    match disk.remove(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed_to("remove", path)(error))
        }
        _ => Ok(()),
    }
}

pub(super) fn sync_dir(disk: &impl Disk, dir: &Path) -> Result<(), WriterError> {
    disk.sync_dir(dir).map_err(failed_to("sync the directory", dir))
}

/// Repeats a call that a signal has interrupted.
fn again<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            answer => return answer,
        }
    }
}
