//! The socket: its lock and its file.
//!
//! The lock is the truth about who listens; it is held for life. Only its holder removes a socket
//! that is there, and only after nobody answered on it. The socket is private from its first moment.
//! One that a supervisor has opened for us is the supervisor's: it is looked at, and neither changed
//! nor removed.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use thiserror::Error;
use torc_protocol::paths;

use crate::sys;
use crate::sys::socket::FileLock;

/// Why we cannot listen.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Somebody else does.
    #[error("a torcd is listening at {path} already{holder}")]
    InUse {
        /// The socket.
        path: PathBuf,
        /// Who, in words; empty when that is not known.
        holder: String,
    },
    /// Somebody else could put another socket in the place of this one, or it is theirs.
    #[error("the socket {path} that was passed to torcd cannot be trusted: {reason}")]
    NotOurs {
        /// The socket.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The system refuses.
    #[error("cannot listen at {path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
}

/// A socket that is ours. Dropping it removes its lock, and it too, unless it was passed to us.
#[derive(Debug)]
pub struct Listening {
    listener: Option<UnixListener>,
    path: PathBuf,
    /// It stays when we go: a supervisor has opened it, and goes on to listen.
    is_passed: bool,
    lock_path: PathBuf,
    _lock: FileLock,
}

impl Listening {
    /// Locks the socket and binds it. Changes the umask for a moment, so it is called before there
    /// are threads that make files.
    ///
    /// # Errors
    ///
    /// When another daemon has it, or the system refuses.
    pub fn bind(path: &Path) -> Result<Self, ListenError> {
        Self::lock(path, None)
    }

    /// Locks a socket that a supervisor has opened for us, so that no other daemon takes it for one
    /// whose daemon has died.
    ///
    /// # Errors
    ///
    /// When another daemon has it, somebody else could replace it, or the system refuses.
    pub fn adopt(listener: UnixListener, path: &Path) -> Result<Self, ListenError> {
        Self::lock(path, Some(listener))
    }

    fn lock(path: &Path, passed: Option<UnixListener>) -> Result<Self, ListenError> {
        let failed = |source| ListenError::Io { path: path.to_owned(), source };
        paths::check_socket_path(path).map_err(|error| failed(io::Error::other(error)))?;
        let lock_path = PathBuf::from(format!("{}.lock", path.display()));
        let Some(mut lock) = sys::socket::lock_file(&lock_path).map_err(failed)? else {
            let holder = fs::read_to_string(&lock_path).unwrap_or_default();
            let holder = if holder.is_empty() { holder } else { format!(" ({})", holder.trim()) };
            return Err(ListenError::InUse { path: path.to_owned(), holder });
        };
        sign(&mut lock).map_err(failed)?;
        let is_passed = passed.is_some();
        let listener = match passed {
            Some(listener) => {
                check_passed(path)?;
                sys::socket::listen_in_our_name(&listener).map_err(failed)?;
                listener
            }
            None => {
                remove_stale(path)?;
                sys::socket::bind_private(path).map_err(failed)?
            }
        };
        listener.set_nonblocking(true).map_err(failed)?;
        if let Some(dir) = path.parent() {
            sweep(dir);
        }
        let listener = Some(listener);
        Ok(Self { listener, path: path.to_owned(), is_passed, lock_path, _lock: lock })
    }

    /// Returns the socket, once.
    pub(super) fn take(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let socket = (!self.is_passed).then_some(&self.path);
        for path in socket.into_iter().chain([&self.lock_path]) {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

/// Writes who holds the lock, for the message to whoever wants it too.
fn sign(lock: &mut FileLock) -> io::Result<()> {
    let pid = std::process::id();
    let start = sys::process::start_time(pid).unwrap_or(0);
    let (host, boot) = (sys::host::host_name()?, sys::host::boot_id()?);
    lock.write(format!("host {host}, boot {boot}, pid {pid}, start {start}\n").as_bytes())
}

/// Checks that a socket which was passed to us is what clients find at its path, and that nobody but
/// root and us can change that. Its mode may let others in: they are told apart by their uid.
fn check_passed(path: &Path) -> Result<(), ListenError> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let not_ours =
        |reason: &str| ListenError::NotOurs { path: path.to_owned(), reason: reason.to_owned() };
    let there = fs::symlink_metadata(path)
        .map_err(|source| ListenError::Io { path: path.to_owned(), source })?;
    if !there.file_type().is_socket() {
        return Err(not_ours("something that is no socket is there"));
    }
    if ![sys::process::uid(), 0].contains(&there.uid()) {
        return Err(not_ours(&format!("it belongs to uid {}", there.uid())));
    }
    if !path.parent().is_some_and(paths::is_guarded) {
        return Err(not_ours("others can replace what is in its directory"));
    }
    Ok(())
}

/// Removes a socket whose daemon has died. We hold the lock, so no other one is starting.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Io { path: path.to_owned(), source };
    match UnixStream::connect(path) {
        Ok(_) => Err(ListenError::InUse { path: path.to_owned(), holder: String::new() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            use std::os::unix::fs::FileTypeExt;
            let there = fs::symlink_metadata(path).map_err(failed)?;
            if !there.file_type().is_socket() {
                return Err(failed(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "something that is no socket is there",
                )));
            }
            fs::remove_file(path).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Removes the sockets of private daemons that were killed together with the torcctl that they were
/// for, whose process their names tell. What cannot be removed is no harm.
fn sweep(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| {
            name.strip_prefix("exec-")?.strip_suffix(".sock.lock")?.parse::<u32>().ok()
        });
        let is_dead = owner.is_some_and(|owner| sys::process::start_time(owner).is_none());
        if is_dead && let Ok(Some(_lock)) = sys::socket::lock_file(&entry.path()) {
            let _ = fs::remove_file(entry.path().with_extension(""));
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::{ListenError, Listening, sweep};
    use crate::sys;

    #[test]
    fn a_socket_that_was_passed_to_us_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let theirs = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let listening = Listening::adopt(theirs.try_clone().unwrap(), &path).unwrap();
        let other = Listening::bind(&path).unwrap_err();
        assert!(matches!(other, ListenError::InUse { .. }), "{other}");
        drop(listening);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        UnixStream::connect(&path).unwrap();
        assert!(!dir.path().join("socket.lock").exists());
    }

    #[test]
    fn a_socket_that_others_could_replace_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let passed = UnixListener::bind(&path).unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).unwrap();
        let refused = Listening::adopt(passed.try_clone().unwrap(), &path).unwrap_err();
        assert!(matches!(refused, ListenError::NotOurs { .. }), "{refused}");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o700)).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Listening::adopt(passed.try_clone().unwrap(), &path).is_err(), "nobody finds it");
        fs::write(&path, "").unwrap();
        assert!(Listening::adopt(passed, &path).is_err(), "clients find something else");
    }

    #[test]
    fn only_the_sockets_of_the_dead_are_swept() {
        let dir = tempfile::tempdir().unwrap();
        let ours = std::process::id();
        let names = [format!("exec-{ours}.sock"), format!("exec-{}.sock", u32::MAX)];
        for name in &names {
            fs::write(dir.path().join(name), "").unwrap();
            fs::write(dir.path().join(format!("{name}.lock")), "").unwrap();
        }
        let held = dir.path().join(format!("exec-{}.sock.lock", u32::MAX - 1));
        fs::write(&held, "").unwrap();
        let lock = sys::socket::lock_file(&held).unwrap().unwrap();
        sweep(dir.path());
        let there = |name: &str| dir.path().join(name).exists();
        assert!(there(&names[0]) && there(&format!("{}.lock", names[0])));
        assert!(!there(&names[1]) && !there(&format!("{}.lock", names[1])));
        assert!(held.exists(), "somebody holds it");
        drop(lock);
        sweep(dir.path());
        assert!(!held.exists());
    }
}
