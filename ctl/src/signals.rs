//! The signals that ask us to end, as one stream.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit_code;

/// A request to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndSignal {
    /// Ctrl-C.
    Interrupt,
    /// The usual request of a system that ends.
    Terminate,
    /// The terminal is gone.
    Hangup,
}

impl EndSignal {
    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        }
    }

    /// Returns the exit code of a program that it has ended in good order.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Interrupt => exit_code::INTERRUPTED,
            Self::Terminate => exit_code::TERMINATED,
            Self::Hangup => exit_code::HUNG_UP,
        }
    }
}

/// The stream. From its making on, none of these signals ends us by itself.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// When the system refuses a handler.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one. Safe to drop and call again.
    pub async fn next(&mut self) -> EndSignal {
        tokio::select! {
            _ = self.interrupt.recv() => EndSignal::Interrupt,
            _ = self.terminate.recv() => EndSignal::Terminate,
            _ = self.hangup.recv() => EndSignal::Hangup,
        }
    }
}
