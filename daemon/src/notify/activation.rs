//! The socket that a supervisor has opened for us: it has been there before us, and stays after us.

use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use thiserror::Error;
use torc_protocol::unit::unit_of;

use crate::notify::is_supervised;
use crate::sys::inherited;

/// The descriptors that a supervisor passes begin here.
const FIRST: i32 = 3;

/// Why we cannot listen where a supervisor wants us to.
#[derive(Debug, Error)]
pub enum ActivationError {
    /// What it says makes no sense.
    #[error("LISTEN_FDS or LISTEN_PID cannot be used: {0}")]
    Environment(io::Error),
    /// There is one place to listen at.
    #[error("{0} sockets were passed to torcd, which listens at one")]
    TooMany(usize),
    /// It is no socket of ours.
    #[error("the socket that was passed to torcd cannot be used: {0}")]
    Unusable(io::Error),
    /// It has no place that a client could name.
    #[error("the socket that was passed to torcd has no path")]
    Nameless,
}

/// A socket that a supervisor listens at until we do.
#[derive(Debug)]
pub struct Activated {
    /// It.
    pub listener: UnixListener,
    /// Where it is.
    pub path: PathBuf,
}

/// Returns the socket that was passed to this process, if one was. Called once, first of all.
///
/// # Errors
///
/// When it cannot be served.
pub fn activated() -> Result<Option<Activated>, ActivationError> {
    let passed = sd_notify::listen_fds().map_err(ActivationError::Environment)?.len();
    match passed {
        0 => return Ok(None),
        1 => {}
        more => return Err(ActivationError::TooMany(more)),
    }
    let listener = inherited::listener(FIRST).map_err(ActivationError::Unusable)?;
    let address = listener.local_addr().map_err(ActivationError::Unusable)?;
    let path = address.as_pathname().ok_or(ActivationError::Nameless)?.to_owned();
    Ok(Some(Activated { listener, path }))
}

/// Returns the unit of systemd that this process was started as, if it was.
#[must_use]
pub fn unit() -> Option<String> {
    if is_supervised() { unit_of(std::process::id()) } else { None }
}
