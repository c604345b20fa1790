//! A torcd with a real worker, as a user has it for weeks.
//!
//! Its program, and torcctl, are the benchmark itself under other names: cargo builds only that for its
//! run. So a benchmark that starts one calls [`by_name`] before anything else.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;

use anyhow::{Context, ensure};
use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::{memory, processes};

/// Returns how this process ends when it was started under the name of torcd or torcctl; none when it
/// is the benchmark.
#[must_use]
pub fn by_name() -> Option<ExitCode> {
    let program = std::env::current_exe().ok()?;
    match program.file_name()?.to_str()? {
        "torcd" => Some(torcd::cli::main()),
        "torcctl" => Some(torcctl::cli::main()),
        _ => None,
    }
}

/// A torcd in a home of its own. It is killed when this is dropped.
#[derive(Debug)]
pub struct Service {
    torcd: Child,
    socket: PathBuf,
    dir: TempDir,
}

impl Service {
    /// Starts it with these arguments, and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it does not start.
    pub fn start<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> anyhow::Result<Self> {
        let dir = tempfile::Builder::new().prefix("torc-service-").tempdir_in("/tmp")?;
        for name in ["home", "run", "tmp", "work", "bin"] {
            DirBuilder::new().mode(0o700).create(dir.path().join(name))?;
        }
        let (this, bin) = (std::env::current_exe()?, dir.path().join("bin"));
        let torcd = bin.join("torcd");
        fs::hard_link(&this, &torcd).or_else(|_| fs::copy(&this, &torcd).map(drop))?;
        fs::hard_link(&torcd, bin.join("torcctl"))?;
        let mut command = program(dir.path(), "torcd");
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut torcd = command.spawn()?;
        let stdout = torcd.stdout.take().context("torcd has no stdout")?;
        let mut service = Self { torcd, socket: PathBuf::new(), dir };
        let mut lines = BufReader::new(stdout).lines();
        let ready = lines.next().context("torcd did not start")??;
        let socket = ready.split(' ').find_map(|field| field.strip_prefix("socket="));
        service.socket = socket.with_context(|| ready.clone())?.into();
        // It says more, and must not wait for a reader.
        thread::spawn(move || lines.for_each(drop));
        Ok(service)
    }

    /// Returns where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns the process id of torcd.
    #[must_use]
    pub fn torcd(&self) -> u32 {
        self.torcd.id()
    }

    /// Returns the process id of the guard of its worker.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn guard(&self) -> anyhow::Result<u32> {
        let is_guard = |pid: &u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm"));
            name.is_ok_and(|name| name.trim_end() == "torc-guard")
        };
        processes::children(self.torcd()).into_iter().find(is_guard).context("there is no guard")
    }

    /// Returns the process id of its worker.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn worker(&self) -> anyhow::Result<u32> {
        // Orphans of jobs are children of the guard too, but the worker was the first.
        let children = processes::children(self.guard()?);
        children.into_iter().min().context("there is no worker")
    }

    /// Returns a call of torcctl in the same home.
    #[must_use]
    pub fn torcctl(&self) -> Command {
        program(self.dir.path(), "torcctl")
    }

    /// Returns the working directory of torcd and of all jobs.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Returns the directory with its socket.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.dir.path().join("run/torc")
    }

    /// Ends it, and checks that it ends well and leaves nothing in memory.
    ///
    /// # Errors
    ///
    /// When it does not.
    pub fn end(mut self) -> anyhow::Result<()> {
        processes::signal(self.torcd(), Signal::SIGTERM);
        let status = self.torcd.wait()?;
        ensure!(status.success(), "torcd ended: {status}");
        let left = memory::of(self.torcd());
        ensure!(left.is_empty(), "torcd has left {left:?}");
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already when all went well.
        let _ = self.torcd.kill();
        let _ = self.torcd.wait();
        memory::clear(self.torcd());
    }
}

/// Returns a program in the home `dir`, without what is inherited otherwise.
fn program(dir: &Path, name: &str) -> Command {
    let mut command = Command::new(dir.join("bin").join(name));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", dir.join("home")).env("TMPDIR", dir.join("tmp"));
    command.env("XDG_RUNTIME_DIR", dir.join("run")).current_dir(dir.join("work"));
    command
}
