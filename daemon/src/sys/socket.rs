//! The socket's file and its lock.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::socket::Backlog;
use nix::sys::stat::{Mode, fstat, lstat, umask};
use nix::unistd::Uid;

/// Binds a socket that only its owner can connect to from its first moment on.
///
/// Changes the process's umask for that moment, so it is called before there are threads that make
/// files.
///
/// # Errors
///
/// When the address cannot be had.
pub fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let before = umask(Mode::from_bits_truncate(0o177));
    let bound = UnixListener::bind(path);
    umask(before);
    bound
}

/// Makes us the one who listens at a socket that somebody else has opened: by that, clients know
/// whose process is behind it.
///
/// # Errors
///
/// When the system refuses.
pub fn listen_in_our_name(listener: &UnixListener) -> io::Result<()> {
    Ok(nix::sys::socket::listen(listener, Backlog::MAXCONN)?)
}

/// A file that is locked as long as this lives.
#[derive(Debug)]
pub struct FileLock(Flock<File>);

impl FileLock {
    /// Replaces what is in the file.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&mut self, text: &[u8]) -> io::Result<()> {
        // In this order there is no moment at which it says nothing.
        self.0.write_all_at(text, 0)?;
        self.0.set_len(text.len() as u64)
    }
}

/// Opens and locks a file for as long as the returned value lives; none when somebody else has.
///
/// # Errors
///
/// When the file cannot be opened, is a symbolic link or a pipe, belongs to somebody else, or has
/// another name: in a directory that others can write to, they may have put it there, and it would be
/// written to.
pub fn lock_file(path: &Path) -> io::Result<Option<FileLock>> {
    lock(path, FlockArg::LockExclusiveNonblock)
}

/// As [`lock_file`], but any number can have it together; none when somebody has it alone.
///
/// # Errors
///
/// As [`lock_file`].
pub fn share_file(path: &Path) -> io::Result<Option<FileLock>> {
    lock(path, FlockArg::LockSharedNonblock)
}

fn lock(path: &Path, how: FlockArg) -> io::Result<Option<FileLock>> {
    loop {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
            .open(path)?;
        check_ours(&file)?;
        let locked = match Flock::lock(file, how) {
            Ok(locked) => locked,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, errno)) => return Err(errno.into()),
        };
        // Its last holder removes it: what we have locked must still be what the path names.
        let ours = fstat(locked.as_fd())?;
        match lstat(path) {
            Ok(there) if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino) => {
                return Ok(Some(FileLock(locked)));
            }
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn check_ours(file: &File) -> io::Result<()> {
    let there = file.metadata()?;
    let ours = Uid::effective().as_raw();
    let wrong = if !there.is_file() {
        "it is not a regular file".to_owned()
    } else if there.uid() != ours {
        format!("it belongs to uid {}, we are {ours}", there.uid())
    } else if there.nlink() > 1 {
        "it has other names, and what has them is not ours to write to".to_owned()
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("the lock is not ours: {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_may_have_put_there_is_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let treasure = dir.path().join("treasure");
        std::fs::write(&treasure, "gold").unwrap();
        let path = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink(&treasure, path("symlink")).unwrap();
        std::fs::hard_link(&treasure, path("hard link")).unwrap();
        nix::unistd::mkfifo(&path("pipe"), Mode::S_IRWXU).unwrap();
        std::fs::create_dir(path("directory")).unwrap();
        for name in ["symlink", "hard link", "pipe", "directory"] {
            lock_file(&path(name)).expect_err(name);
        }
        assert_eq!(std::fs::read(&treasure).unwrap(), b"gold");
    }

    #[test]
    fn a_lock_has_one_holder_and_survives_that_its_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = lock_file(&path).unwrap().unwrap();
        assert!(lock_file(&path).unwrap().is_none());
        std::fs::remove_file(&path).unwrap();
        drop(first);
        assert!(lock_file(&path).unwrap().is_some());
    }

    #[test]
    fn a_socket_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let _listener = bind_private(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
