//! Who may connect, and what they are given.
//!
//! Every peer's uid is checked. A connection for which there is no seat, because all that there are
//! work, is told so; none is left to wait without an end.
//!
//! - `socket`: where they connect: its file and its lock.

pub mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::handlers::Handlers;
use crate::seats::{Limits, Seats};
use crate::server::socket::Listening;
use crate::session;
use crate::sys;

/// So many connections are served at a time at the most.
const CONNECTIONS: u64 = 1_024;
/// So many more are told at a time that there is no seat for them.
const TURNED_AWAY: usize = 16;
/// So many open files are kept for what is not a connection.
const OTHER_FILES: u64 = 128;
/// How long to wait when the system cannot give us a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Listening {
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
        let Some(listener) = self.take() else { return Ok(()) };
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
    use super::connections;

    #[test]
    fn connections_leave_files_for_the_rest() {
        assert_eq!(connections(1_024), 896);
        assert_eq!(connections(64), 32);
        assert_eq!(connections(0), 1);
        assert_eq!(connections(u64::MAX), 1_024);
    }
}
