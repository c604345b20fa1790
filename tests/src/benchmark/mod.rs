//! What the benchmarks have in common: a torcd of their own, whose worker runs nothing.
//!
//! torcd starts its own program again for its worker and for what writes snapshots. So a benchmark
//! is torcd too: it calls [`stand_in`] before anything else. [`service`] is a torcd whose worker runs jobs.

pub mod service;
pub mod worker;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Returns how this process ends when it was started in the place of torcd or of one of its
/// processes; none when it is the benchmark itself.
pub fn stand_in() -> Option<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        // torcd gives it a journal, a user gives it nothing.
        Some("worker") => Some(worker::run()),
        Some("snapshot-writer" | "--in-memory" | "--database") => Some(torcd::cli::main()),
        _ => None,
    }
}

/// A torcd. It is killed when this is dropped; end it by asking it to.
#[derive(Debug)]
pub struct Torcd {
    process: Child,
    socket: PathBuf,
    _dir: TempDir,
}

impl Torcd {
    /// Starts one with its database where `home` says, which are the arguments for it, and waits
    /// until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start(home: &[&str], snapshot: &Path) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("torcd.sock");
        let mut process = Command::new(std::env::current_exe()?)
            .args(home)
            .args([OsStr::new("--socket"), socket.as_os_str()])
            .args([OsStr::new("--snapshot"), snapshot.as_os_str()])
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("torcd has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        let ready = lines.next().context("torcd did not start")??;
        ensure!(ready.starts_with("TORCD_READY"), "{ready}");
        // It may say more, and must not wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, socket, _dir: dir })
    }

    /// Returns where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns a size from `/proc/PID/status` in bytes.
    ///
    /// # Errors
    ///
    /// When there is no such line.
    pub fn memory(&self, field: &str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
        let kibibytes: u64 = kibibytes.context("no such field")?.trim().parse()?;
        Ok(kibibytes * 1024)
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// When it does not end well.
    pub fn wait(mut self) -> anyhow::Result<()> {
        let status = self.process.wait()?;
        ensure!(status.success(), "torcd ended: {status}");
        Ok(())
    }
}

impl Drop for Torcd {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
