//! Dispositions of signals.

use std::fs;
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

/// Returns whether this process ignores SIGHUP, as `nohup` has it do.
#[must_use]
pub fn ignores_hang_up() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    is_in(&status, "SigIgn:", Signal::SIGHUP)
}

/// Returns whether a signal is in a set that `/proc/PID/status` shows.
fn is_in(status: &str, set: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix(set));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal as i32 - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_signals_is_read() {
        let status = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert!(is_in(status, "SigIgn:", Signal::SIGHUP));
        assert!(is_in(status, "SigIgn:", Signal::SIGPIPE));
        assert!(!is_in(status, "SigIgn:", Signal::SIGINT));
        assert!(!is_in(status, "SigBlk:", Signal::SIGHUP));
        assert!(!is_in("", "SigIgn:", Signal::SIGHUP));
    }
}
