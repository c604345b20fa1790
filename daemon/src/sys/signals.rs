//! Dispositions of signals.

use std::io;

use nix::sys::signal::{SigHandler, Signal, signal};

const IGNORED: [Signal; 5] =
    [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE, Signal::SIGXFSZ];

/// Makes this process deaf to the signals that ask for its end, and turns a broken pipe and a file
/// over the size limit into errors of the call.
///
/// # Errors
///
/// When the kernel refuses.
#[expect(unsafe_code, reason = "signal is unsafe for the handlers it could install")]
pub fn ignore_termination() -> io::Result<()> {
    for ignored in IGNORED {
        // SAFETY: ignoring a signal installs no handler, so no code runs in signal context.
        unsafe { signal(ignored, SigHandler::SigIgn) }?;
    }
    Ok(())
}

/// Makes a write beyond the limit of file sizes an error, instead of the end of this process.
///
/// # Errors
///
/// When the kernel refuses.
#[expect(unsafe_code, reason = "signal is unsafe for the handlers it could install")]
pub fn survive_file_size_limit() -> io::Result<()> {
    // SAFETY: ignoring a signal installs no handler, so no code runs in signal context.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
    Ok(())
}
