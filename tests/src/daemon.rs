//! A torcd that a test starts itself, as a service would.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;

use crate::memory;
use crate::processes;
use crate::wait::{LIMIT, wait_until};

/// A torcd that is ready. It is killed when this is dropped; end it by [`Daemon::end`] where its end
/// matters.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    socket: PathBuf,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What it had in memory stays for a later one.
    left: bool,
}

impl Daemon {
    /// Starts it and waits for its READY line.
    #[track_caller]
    pub(crate) fn start(mut command: Command, stdin: Stdio) -> Self {
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = lines(child.stdout.take().expect("stdout is a pipe"));
        let stderr = lines(child.stderr.take().expect("stderr is a pipe"));
        let mut daemon = Self { child, socket: PathBuf::new(), stdout, stderr, left: false };
        let ready = daemon.line("TORCD_READY ");
        let fields = ready.split(' ').find_map(|field| field.strip_prefix("socket="));
        daemon.socket = fields.expect("READY names the socket").into();
        assert!(ready.ends_with(&format!("pid={}", daemon.pid())), "{ready}");
        daemon
    }

    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        processes::signal(self.pid(), signal);
    }

    /// Waits for the next line on stdout that begins so, and returns the rest of it.
    #[track_caller]
    pub fn line(&self, start: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            match self.stdout.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(rest) = line.strip_prefix(start) {
                        return rest.to_owned();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("torcd has ended, and never said '{start}'\n{}", self.log())
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("torcd does not say '{start}'\n{}", self.log())
                }
            }
        }
    }

    /// Waits for the next line on stderr that contains `text`.
    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        let end = Instant::now() + LIMIT;
        loop {
            match self.stderr.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(text) => return,
                Ok(_) => {}
                Err(error) => panic!("torcd does not log '{text}': {error}"),
            }
        }
    }

    /// Returns the lines that it has written to stdout since the last that was waited for.
    #[must_use]
    pub fn lines_so_far(&self) -> Vec<String> {
        self.stdout.try_iter().collect()
    }

    /// Asks it by SIGTERM to end, and returns its exit code.
    #[track_caller]
    pub fn end(mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.exit_code()
    }

    /// Waits until it has ended, and returns its exit code.
    #[track_caller]
    pub fn exit_code(&mut self) -> i32 {
        let mut code = None;
        wait_until("torcd ends", || {
            code = self.child.try_wait().expect("a child can be waited for");
            code.is_some()
        });
        let code = code.and_then(|status| status.code());
        code.unwrap_or_else(|| panic!("torcd was killed\n{}", self.log()))
    }

    /// Closes its stdin, which is the lifeline of one that was told so.
    pub fn cut(&mut self) {
        self.child.stdin = None;
    }

    /// Kills it, which nobody survives unharmed.
    pub fn kill(mut self) {
        self.kill_and_wait();
    }

    /// Kills it, and lets stay what it had in memory. Returns its process id.
    pub fn kill_and_leave(mut self) -> u32 {
        let pid = self.pid();
        self.left = true;
        let _ = self.child.kill();
        let _ = self.child.wait();
        pid
    }

    /// Returns what it has written to stderr.
    #[must_use]
    pub fn log(&self) -> String {
        self.stderr.try_iter().collect::<Vec<_>>().join("\n")
    }

    fn kill_and_wait(&mut self) {
        let pid = self.pid();
        let _ = self.child.kill();
        let _ = self.child.wait();
        if !self.left {
            memory::clear(pid);
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill_and_wait();
        if thread::panicking() {
            eprintln!("--- torcd said\n{}\n---", self.log());
        }
    }
}

fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
