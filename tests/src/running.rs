//! A program that runs, and whoever inherited its stdout and stderr.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use nix::sys::signal::Signal;

use crate::outcome::Outcome;
use crate::processes;
use crate::wait::{LIMIT, wait_until};

/// Starts a program. Its file may have been copied a moment ago, and then another thread that is
/// starting a program may have it open for writing until its own has begun.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let is_busy = |error: &io::Error| error.kind() == io::ErrorKind::ExecutableFileBusy;
    let mut child = command.spawn();
    wait_until("the file of the program is not written to", || {
        if child.as_ref().is_err_and(is_busy) {
            child = command.spawn();
        }
        !child.as_ref().is_err_and(is_busy)
    });
    child
}

/// A program that is to be started.
#[derive(Debug)]
#[must_use]
pub struct Call {
    command: Command,
    stdin: Vec<u8>,
    /// Its stdin, instead of a pipe.
    descriptor: Option<OwnedFd>,
}

impl Call {
    pub(crate) fn new(program: &Path, dir: &Path, environment: &[(&str, PathBuf)]) -> Self {
        let mut command = Command::new(program);
        command
            .current_dir(dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Self { command, stdin: Vec::new(), descriptor: None }
    }

    /// Adds arguments.
    pub fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.command.env(name, value.into());
        self
    }

    /// Runs it in this directory.
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs it as another user, which only root can.
    pub fn user(mut self, uid: u32) -> Self {
        self.command.uid(uid).gid(uid);
        self
    }

    /// Gives it this to read on stdin; nothing otherwise.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Gives it this as its stdin.
    pub fn stdin_from(mut self, stdin: OwnedFd) -> Self {
        self.descriptor = Some(stdin);
        self
    }

    /// Starts it, and waits for its end.
    #[track_caller]
    pub fn run(self) -> Outcome {
        self.start().wait()
    }

    /// Starts it.
    #[track_caller]
    pub fn start(self) -> Running {
        let Self { mut command, stdin, descriptor } = self;
        let said = format!("{command:?}");
        let input = descriptor.map_or_else(Stdio::piped, Stdio::from);
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command).unwrap_or_else(|error| panic!("{said}: {error}"));
        if let Some(pipe) = child.stdin.take() {
            feed(pipe, stdin);
        }
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        Running { said, child, stdout, stderr, heard: Vec::new() }
    }
}

/// A program that runs. It is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    said: String,
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    /// What was taken from `stderr` already.
    heard: Vec<u8>,
}

impl Running {
    /// Returns its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        processes::signal(self.pid(), signal);
    }

    /// Waits until it has written `text` to stderr.
    ///
    /// # Panics
    ///
    /// When it does not within [`LIMIT`].
    #[track_caller]
    pub fn await_stderr(&mut self, text: &str) {
        let end = std::time::Instant::now() + LIMIT;
        while !String::from_utf8_lossy(&self.heard).contains(text) {
            let left = end.saturating_duration_since(std::time::Instant::now());
            match self.stderr.recv_timeout(left) {
                Ok(piece) => self.heard.extend(piece),
                Err(_) => panic!(
                    "{} does not say '{text}' on stderr, only:\n{}",
                    self.said,
                    String::from_utf8_lossy(&self.heard)
                ),
            }
        }
    }

    /// Waits for its end, and for the end of all that write to its stdout or stderr: of torcctl,
    /// also the torcd that it started.
    ///
    /// # Panics
    ///
    /// When that takes longer than [`LIMIT`].
    #[track_caller]
    pub fn wait(mut self) -> Outcome {
        let stdout_bytes = self.rest_of("stdout", &self.stdout);
        let rest = self.rest_of("stderr", &self.stderr);
        let stderr = [std::mem::take(&mut self.heard), rest].concat();
        let status = self.child.wait().expect("a child can be waited for");
        Outcome {
            command: self.said.clone(),
            status,
            stdout: String::from_utf8_lossy(&stdout_bytes).into_owned(),
            stdout_bytes,
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Waits for its own end only, whoever else has its stdout and stderr.
    ///
    /// # Panics
    ///
    /// When it has not ended within [`LIMIT`].
    #[track_caller]
    pub fn exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(&format!("{} ends", self.said), || {
            status = self.child.try_wait().expect("a child can be waited for");
            status.is_some()
        });
        status.expect("it has ended")
    }

    #[track_caller]
    fn rest_of(&self, stream: &str, pieces: &Receiver<Vec<u8>>) -> Vec<u8> {
        let end = std::time::Instant::now() + LIMIT;
        let mut all = Vec::new();
        loop {
            match pieces.recv_timeout(end.saturating_duration_since(std::time::Instant::now())) {
                Ok(piece) => all.extend(piece),
                Err(RecvTimeoutError::Disconnected) => return all,
                Err(RecvTimeoutError::Timeout) => panic!(
                    "{} has not closed its {stream} after {} s; so far:\n{}",
                    self.said,
                    LIMIT.as_secs(),
                    String::from_utf8_lossy(&all)
                ),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes on a thread, for whoever is slow to read or does not read at all.
fn feed(mut pipe: ChildStdin, bytes: Vec<u8>) {
    if !bytes.is_empty() {
        thread::spawn(move || {
            // It need not read all.
            let _ = pipe.write_all(&bytes);
        });
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    let mut pipe = pipe.expect("the stream is a pipe");
    thread::spawn(move || {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = pipe.read(&mut piece) {
            if sender.send(piece[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
