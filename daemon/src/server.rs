//! The socket: its lock, its file, and who may connect.
//!
//! The lock is the truth about who listens; it is held for life. Only its holder removes a socket
//! that is there, and only after nobody answered on it. The socket is private from its first moment,
//! and every peer's uid is checked besides. A connection for which there is no seat, because all that
//! there are work, is told so; none is left to wait without an end.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use torc_protocol::paths;

use crate::handlers::Handlers;
use crate::seats::{Limits, Seats};
use crate::session;
use crate::sys;
use crate::sys::socket::FileLock;

/// So many connections are served at a time at the most.
const CONNECTIONS: u64 = 1_024;
/// So many more are told at a time that there is no seat for them.
const TURNED_AWAY: usize = 16;
/// So many open files are kept for what is not a connection.
const OTHER_FILES: u64 = 128;
/// How long to wait when the system cannot give us a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    /// The system refuses.
    #[error("cannot listen at {path}: {source}")]
    Io {
        /// The socket.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
}

/// A socket that is ours. Dropping it removes it and its lock.
#[derive(Debug)]
pub struct Listening {
    listener: Option<StdListener>,
    path: PathBuf,
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
        let failed = |source| ListenError::Io { path: path.to_owned(), source };
        paths::check_socket_path(path).map_err(|error| failed(io::Error::other(error)))?;
        let lock_path = PathBuf::from(format!("{}.lock", path.display()));
        let Some(mut lock) = sys::socket::lock_file(&lock_path).map_err(failed)? else {
            let holder = fs::read_to_string(&lock_path).unwrap_or_default();
            let holder = if holder.is_empty() { holder } else { format!(" ({})", holder.trim()) };
            return Err(ListenError::InUse { path: path.to_owned(), holder });
        };
        sign(&mut lock).map_err(failed)?;
        remove_stale(path)?;
        let listener = sys::socket::bind_private(path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        if let Some(dir) = path.parent() {
            sweep(dir);
        }
        Ok(Self { listener: Some(listener), path: path.to_owned(), lock_path, _lock: lock })
    }

    /// Serves connections until `stop`.
    ///
    /// # Errors
    ///
    /// When the socket cannot be used.
    pub async fn serve(
        &mut self,
        handlers: Arc<Handlers>,
        sessions: TaskTracker,
        stop: CancellationToken,
    ) -> io::Result<()> {
        let Some(listener) = self.listener.take() else { return Ok(()) };
        let listener = UnixListener::from_std(listener)?;
        let connections = connections(sys::process::open_files_limit());
        let door = Door {
            seats: Seats::new(Limits::new(connections)),
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
            handlers,
            sessions,
            stop: stop.clone(),
        };
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return Ok(()),
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if is_ours(&stream) => door.let_in(stream).await,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// What a connection needs that is let in.
struct Door {
    seats: Seats,
    turned_away: Arc<Semaphore>,
    handlers: Arc<Handlers>,
    sessions: TaskTracker,
    stop: CancellationToken,
}

impl Door {
    async fn let_in(&self, stream: UnixStream) {
        let stop = self.stop.clone();
        if let Some(seat) = self.seats.take().await {
            let handlers = self.handlers.clone();
            self.sessions.spawn(async move { session::run(stream, seat, &handlers, stop).await });
        } else if let Ok(permit) = self.turned_away.clone().try_acquire_owned() {
            let connections = self.seats.limits().connections;
            self.sessions.spawn(async move {
                tokio::select! {
                    () = session::turn_away(stream, connections) => {}
                    () = stop.cancelled() => {}
                }
                drop(permit);
            });
        }
    }
}

/// Returns how many connections are served at a time where so many files can be open: without a
/// connection to spare we could not even refuse, and snapshots need files too.
fn connections(open_files: u64) -> usize {
    let room = open_files.saturating_sub(OTHER_FILES).max(open_files / 2);
    room.clamp(1, CONNECTIONS) as usize
}

impl Drop for Listening {
    fn drop(&mut self) {
        for path in [&self.path, &self.lock_path] {
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

/// Removes a socket whose daemon has died. We hold the lock, so no other one is starting.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    let failed = |source| ListenError::Io { path: path.to_owned(), source };
    match StdStream::connect(path) {
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

fn is_ours(stream: &UnixStream) -> bool {
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == sys::process::uid() => true,
        Ok(peer) => {
            tracing::warn!("refused a connection of uid {}", peer.uid());
            false
        }
        Err(error) => {
            tracing::warn!("refused a connection whose owner is unknown: {error}");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{connections, sweep};
    use crate::sys;

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

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(connections(1_024), 896);
        assert_eq!(connections(64), 32);
        assert_eq!(connections(0), 1);
        assert_eq!(connections(u64::MAX), 1_024);
    }
}
