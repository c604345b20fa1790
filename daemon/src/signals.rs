//! The signals that a daemon hears, as one stream.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sys;

/// What the system asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Take a snapshot (SIGUSR1).
    Snapshot,
    /// Start nothing more, and end when what runs has ended (SIGUSR2).
    Finish,
    /// End (SIGTERM, SIGINT, and SIGHUP where that is what it means).
    End,
    /// Read the settings again (SIGHUP, else).
    Reload,
}

/// What SIGHUP means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    /// Whoever started us has gone, and we go too.
    End,
    /// Nobody can go away from us: read the settings again.
    Reload,
}

impl HangUp {
    /// Returns what it means to this process, before [`Signals::install`]: the end for a `private`
    /// daemon, and for one whose terminal would go away; not for one that was told by `nohup` to
    /// outlive it.
    #[must_use]
    pub fn here(private: bool) -> Self {
        let ends = private || (sys::inherited::has_terminal() && !sys::signals::ignores_hang_up());
        if ends { Self::End } else { Self::Reload }
    }
}

/// The handlers. From their installation on none of these signals kills us.
#[derive(Debug)]
pub struct Signals {
    snapshot: Signal,
    finish: Signal,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
    on_hang_up: HangUp,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn install(on_hang_up: HangUp) -> io::Result<Self> {
        Ok(Self {
            snapshot: signal(SignalKind::user_defined1())?,
            finish: signal(SignalKind::user_defined2())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            on_hang_up,
        })
    }

    /// Waits for the next.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.snapshot.recv() => Wish::Snapshot,
            _ = self.finish.recv() => Wish::Finish,
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hang_up.recv() => match self.on_hang_up {
                HangUp::End => Wish::End,
                HangUp::Reload => Wish::Reload,
            },
        }
    }
}
