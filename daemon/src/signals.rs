//! The signals that a daemon hears, as one stream.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Take a snapshot (SIGUSR1).
    Snapshot,
    /// End (SIGTERM, SIGINT, SIGHUP).
    End,
}

/// The handlers. From their installation on none of these signals kills us.
#[derive(Debug)]
pub struct Signals {
    snapshot: Signal,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            snapshot: signal(SignalKind::user_defined1())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.snapshot.recv() => Wish::Snapshot,
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hang_up.recv() => Wish::End,
        }
    }
}
