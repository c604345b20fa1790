//! `torcd --daemonize`: a daemon that leaves whoever starts it, and the process that waits until it
//! is ready.
//!
//! A process with threads cannot be forked, so this one has none, and starts torcd anew. That one
//! makes a session of its own and lets go of all that it was given but two descriptors, which it
//! holds until it is ready: the pipe on which it says so, and the standard error of the caller, for
//! what is wrong until then. No process that it starts has either. When the one that waits is killed,
//! the daemon goes on: nobody hears that it is ready.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::FAILED;
use crate::daemon::{READY, StartError};
use crate::lines::Lines;
use crate::sys::{inherited, process};

/// What `torcd` is told by the one that waits for it.
const DETACHED: &str = "--detached";
const DAEMONIZE: &str = "--daemonize";

/// Starts a daemon and returns how that went when it is ready or has ended.
pub(super) fn start_and_wait() -> ExitCode {
    match start().and_then(wait) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: cannot start torcd: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn start() -> io::Result<Child> {
    // By its own name where that is known, for whoever looks at processes.
    let program = std::env::current_exe().unwrap_or_else(|_| process::own_executable());
    let arguments = std::env::args_os()
        .skip(1)
        .map(|argument| if argument == DAEMONIZE { OsString::from(DETACHED) } else { argument });
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    for variable in inherited::OF_A_SUPERVISOR {
        command.env_remove(variable);
    }
    command.spawn()
}

fn wait(mut child: Child) -> io::Result<ExitCode> {
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    while stdout.read_until(b'\n', &mut line)? > 0 {
        // That nobody reads it does not change what it says.
        let _ = io::stdout().write_all(&line);
        if line.starts_with(READY.as_bytes()) {
            return Ok(ExitCode::SUCCESS);
        }
        line.clear();
    }
    Ok(ExitCode::from(code_of(child.wait()?)))
}

fn code_of(status: ExitStatus) -> u8 {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        // Who ends in good order without being ready has still not done what was asked for.
        Some(0) => FAILED,
        Some(code) => code,
        None => {
            eprintln!("error: torcd ended before it was ready: {status}");
            FAILED
        }
    }
}

/// What a daemon still has of whoever started it, until it is ready.
#[derive(Debug)]
pub(super) struct Caller {
    /// Its READY line goes there, and is the last.
    pub(super) stdout: Lines,
    /// Closed before that line is written.
    pub(super) stderr: Lines,
}

impl Caller {
    /// Leaves whoever started us, but for these two.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub(super) fn leave() -> Result<Self, StartError> {
        let failed = StartError::system("leave whoever started torcd");
        let lines = || {
            inherited::new_session()?;
            inherited::close_what_was_left_open()?;
            let stderr = Shared(Arc::new(Mutex::new(Some(inherited::take_stderr()?))));
            let stdout =
                UntilReady { stdout: Some(inherited::take_stdout()?), stderr: stderr.clone() };
            drop(inherited::take_stdin()?);
            Ok(Self { stdout: Lines::to(stdout, "stdout")?, stderr: Lines::to(stderr, "stderr")? })
        };
        lines().map_err(failed)
    }
}

/// A file that can be closed by another thread.
#[derive(Clone, Debug)]
struct Shared(Arc<Mutex<Option<File>>>);

impl Shared {
    /// Waits for a line that is being written.
    fn close(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => file.write(bytes),
            None => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard output up to the line that says that the daemon is ready.
#[derive(Debug)]
struct UntilReady {
    stdout: Option<File>,
    stderr: Shared,
}

impl Write for UntilReady {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Some(stdout) = &mut self.stdout else { return Ok(line.len()) };
        let is_ready = line.starts_with(READY.as_bytes());
        if is_ready {
            self.stderr.close();
        }
        let written = stdout.write_all(line);
        if is_ready {
            self.stdout = None;
        }
        written.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn all_is_closed_when_the_daemon_is_ready() {
        let pipe = || {
            let (reader, writer) = io::pipe().unwrap();
            (reader, File::from(std::os::fd::OwnedFd::from(writer)))
        };
        let ((mut stdout, out), (mut stderr, err)) = (pipe(), pipe());
        let mut stderr_lines = Shared(Arc::new(Mutex::new(Some(err))));
        let mut lines = UntilReady { stdout: Some(out), stderr: stderr_lines.clone() };
        stderr_lines.write_all(b"a warning\n").unwrap();
        lines.write_all(b"TORC_SNAPSHOT_DONE=x\n").unwrap();
        lines.write_all(b"TORCD_READY socket=x\n").unwrap();
        lines.write_all(b"TORC_SNAPSHOT_DONE=y\n").unwrap();
        stderr_lines.write_all(b"a later one\n").unwrap();
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a warning\n");
        text.clear();
        stdout.read_to_string(&mut text).unwrap();
        assert_eq!(text, "TORC_SNAPSHOT_DONE=x\nTORCD_READY socket=x\n");
    }
}
