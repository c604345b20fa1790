//! Files: what durable writing needs beyond std.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, PosixFadviseAdvice, posix_fadvise, posix_fallocate};
use nix::sys::statvfs::statvfs;
use nix::unistd::{Uid, close, fsync};

/// The error number that says that a file system is full.
pub const NO_SPACE: i32 = Errno::ENOSPC as i32;

/// Makes a file that was not there, open for reading and writing, with mode 0600 whatever the umask.
///
/// # Errors
///
/// When something has that name already, a symbolic link included, or the file cannot be made.
pub fn create_private(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC).bits())
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Opens a regular file for reading; never waits for the writer of a pipe, nor follows a link.
///
/// # Errors
///
/// [`io::ErrorKind::InvalidInput`] when it is not a regular file; else as the system says.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path)
        .map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ELOOP | Errno::ENXIO) => not_regular(),
            _ => error,
        })?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

/// Returns the path whose name goes on with `suffix`, whatever bytes it has.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")
}

/// Takes room for the first `bytes` of a file, so that writing them cannot fail for want of it.
///
/// # Errors
///
/// When there is not so much room.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = i64::try_from(bytes).map_err(io::Error::other)?;
    Ok(posix_fallocate(file, 0, bytes)?)
}

/// Closes a file and tells what drop would hide: that data did not reach the server.
///
/// # Errors
///
/// Whatever `close` reports. The descriptor is gone all the same.
pub fn close_checked(file: File) -> io::Result<()> {
    Ok(close(OwnedFd::from(file))?)
}

/// Makes what was written to a file durable; not repeated when a signal interrupts it, as
/// [`File::sync_all`] is, for what comes in between may have swallowed an error.
///
/// # Errors
///
/// As `fsync`.
pub fn sync_once(file: &File) -> io::Result<()> {
    Ok(fsync(file)?)
}

/// Asks the kernel to forget the cached pages of a file, so that it is read from the disk.
///
/// Only pages that are on disk can be forgotten, and a file system may ignore it.
///
/// # Errors
///
/// When the kernel refuses; nothing depends on it.
pub fn drop_cached_pages(file: &File) -> io::Result<()> {
    Ok(posix_fadvise(file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?)
}

/// Returns how many bytes this user may still write to the file system of `path`; none when that
/// file system does not count.
#[must_use]
pub fn free_bytes(path: &Path) -> Option<u64> {
    let stat = statvfs(path).ok().filter(|stat| stat.blocks() > 0)?;
    let blocks =
        if Uid::effective().is_root() { stat.blocks_free() } else { stat.blocks_available() };
    Some(blocks.saturating_mul(stat.fragment_size()))
}

/// Returns how many bytes the file system of `path` can hold; none when it does not count.
#[must_use]
pub fn size_bytes(path: &Path) -> Option<u64> {
    let stat = statvfs(path).ok().filter(|stat| stat.blocks() > 0)?;
    Some(stat.blocks().saturating_mul(stat.fragment_size()))
}

/// Returns whether an error says that there is no such file, or not even its directory.
#[must_use]
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Returns whether an error says that the file system has no hard links, or not for this file.
#[must_use]
pub fn cannot_link(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error().map(Errno::from_raw),
        Some(
            Errno::EPERM
                | Errno::EOPNOTSUPP
                | Errno::ENOSYS
                | Errno::EMLINK
                | Errno::EXDEV
                | Errno::EINVAL
        )
    )
}

/// Makes the entries of a directory durable.
///
/// # Errors
///
/// As `fsync`, except EINVAL: the file system has no such call for directories.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    match File::open(dir)?.sync_all() {
        Err(error) if error.raw_os_error() == Some(Errno::EINVAL as i32) => Ok(()),
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_private_file_is_never_one_that_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("private");
        let file = create_private(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(create_private(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let link = dir.path().join("link");
        symlink(dir.path().join("elsewhere"), &link).unwrap();
        assert_eq!(create_private(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert!(!dir.path().join("elsewhere").exists());
    }

    #[test]
    fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/etc/passwd", &link).unwrap();
        for path in [dir.path(), &link, Path::new("/dev/null")] {
            assert_eq!(open_regular(path).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        let missing = open_regular(&dir.path().join("missing")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn free_space_is_known_only_where_it_is_counted() {
        assert!(free_bytes(Path::new("/")).is_some_and(|bytes| bytes > 0));
        assert_eq!(free_bytes(Path::new("/proc")), None);
    }
}
