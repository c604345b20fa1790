//! A private torcd: started, waited for until it is ready, and ended with us.
//!
//! Its stdin is a pipe that we hold. When we are gone, for whatever reason, it sees the end of it,
//! stops the jobs, takes its snapshot and exits. It is in a process group of its own, so that a
//! Ctrl-C in the terminal reaches us only and we decide what becomes of the jobs.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use torc_protocol::paths;

use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::stderr;

/// After so long without a word from a torcd that starts, the user is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const READY: &str = "TORCD_READY";

/// Where the database of a private torcd lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// In memory, with snapshots at this path.
    InMemory(PathBuf),
    /// At this path.
    OnDisk(PathBuf),
    /// At this path, and nothing is written.
    ReadOnly(PathBuf),
}

/// How to start a private torcd.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The binary.
    pub binary: PathBuf,
    /// Where its database lives.
    pub home: Home,
    /// How many snapshots are kept; the rest as torcd has it.
    pub snapshot_keep: Option<u32>,
    /// Seconds between periodic snapshots; none without.
    pub snapshot_interval: Option<u64>,
    /// How many seconds the final snapshot has; the rest as torcd has it.
    pub snapshot_timeout: Option<u64>,
    /// The first place for a record that cannot get to its own.
    pub spill_dir: Option<PathBuf>,
    /// Start empty and move what is there aside.
    pub fresh: bool,
    /// Take over what a torcd holds that has died on another host.
    pub steal: bool,
    /// What torcd logs on stderr.
    pub log: Option<&'static str>,
}

impl Launch {
    /// Returns a launch with nothing special.
    #[must_use]
    pub fn new(binary: PathBuf, home: Home) -> Self {
        Self {
            binary,
            home,
            snapshot_keep: None,
            snapshot_interval: None,
            snapshot_timeout: None,
            spill_dir: None,
            fresh: false,
            steal: false,
            log: None,
        }
    }

    fn command(&self, socket: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command.arg("--lifeline").arg("--socket").arg(socket);
        match &self.home {
            Home::InMemory(snapshot) => {
                command.arg("--in-memory").arg("--snapshot").arg(snapshot);
            }
            Home::OnDisk(database) => {
                command.arg("--database").arg(database).arg("--snapshot").arg(database);
            }
            Home::ReadOnly(file) => {
                command.arg("--read-only").arg(file);
            }
        }
        if let Some(keep) = self.snapshot_keep {
            command.arg("--snapshot-keep").arg(keep.to_string());
        }
        if let Some(seconds) = self.snapshot_interval {
            command.arg("--snapshot-interval-seconds").arg(seconds.to_string());
        }
        if let Some(seconds) = self.snapshot_timeout {
            command.arg("--snapshot-timeout").arg(seconds.to_string());
        }
        if let Some(dir) = &self.spill_dir {
            command.arg("--spill-dir").arg(dir);
        }
        if self.fresh {
            command.arg("--fresh");
        }
        if self.steal {
            command.arg("--steal");
        }
        if let Some(level) = self.log {
            command.arg("--log").arg(level);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        command
    }
}

/// A private torcd that is ready. Dropping it ends it, jobs first, snapshot last.
#[derive(Debug)]
pub struct Standalone {
    child: Child,
    socket: PathBuf,
    /// What it says after it is ready is of no interest, but it shall not get a broken pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Standalone {
    /// Starts a torcd and waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or ends before it is ready; it has said why on stderr.
    pub async fn start(launch: &Launch) -> Result<Self, CliError> {
        let socket = paths::private_socket(std::process::id())?;
        let mut child = launch.command(&socket).spawn().map_err(|error| {
            let message = format!("cannot start {}: {error}", launch.binary.display());
            CliError::new(ErrorKind::NoDaemon, message)
                .hint("name the torcd to use with `--torcd-bin PATH` or TORCD_BIN")
        })?;
        let Some(stdout) = child.stdout.take() else {
            return Err(CliError::new(ErrorKind::NoDaemon, "torcd has no stdout"));
        };
        let mut stdout = BufReader::new(stdout);
        if wait_until_ready(&mut stdout, launch).await? {
            return Ok(Self { child, socket, _stdout: stdout });
        }
        Err(not_started(child.wait().await?, &launch.binary))
    }

    /// Returns where it listens.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Returns its process id; none when it has ended.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub async fn ended(mut self) -> Result<ExitStatus, CliError> {
        // `wait` drops our end of the lifeline, which a torcd that is ending does not mind.
        Ok(self.child.wait().await?)
    }
}

async fn wait_until_ready(
    stdout: &mut BufReader<ChildStdout>,
    launch: &Launch,
) -> Result<bool, CliError> {
    let mut line = String::new();
    let mut told = false;
    loop {
        let read = match timeout(PATIENCE, stdout.read_line(&mut line)).await {
            Ok(read) => read?,
            Err(_) => {
                if !std::mem::replace(&mut told, true) {
                    let path = path_of(&launch.home).display();
                    stderr::say(&format!("waiting for torcd to load {path} …"));
                }
                continue;
            }
        };
        if read == 0 || line.starts_with(READY) {
            return Ok(read > 0);
        }
        line.clear();
    }
}

fn path_of(home: &Home) -> &Path {
    match home {
        Home::InMemory(path) | Home::OnDisk(path) | Home::ReadOnly(path) => path,
    }
}

/// A torcd that exits with one of our codes has said why; any other end is ours to tell.
fn not_started(status: ExitStatus, binary: &Path) -> CliError {
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(code @ (exit_code::USAGE | exit_code::REFUSED | exit_code::NOT_DURABLE)) => {
            CliError::said(code)
        }
        Some(exit_code::FAILED | exit_code::NO_DAEMON) => CliError::said(exit_code::NO_DAEMON),
        code => {
            let message = format!("{} ended before it was ready: {status}", binary.display());
            CliError::new(ErrorKind::NoDaemon, message).hint(match code {
                Some(_) => "is that the torcd of this release? `torcd --version` tells",
                None => "a limit may be too low, which `ulimit -a` shows",
            })
        }
    }
}

/// Returns the torcd to start: `named`, else the one beside our own binary, else the first in PATH.
///
/// # Errors
///
/// When there is none.
pub fn find_torcd(named: Option<PathBuf>) -> Result<PathBuf, CliError> {
    if let Some(path) = named {
        return Ok(path);
    }
    let beside = env::current_exe().ok().map(|exe| exe.with_file_name("torcd"));
    let in_path = env::var_os("PATH")
        .into_iter()
        .flat_map(|path| env::split_paths(&path).map(|dir| dir.join("torcd")).collect::<Vec<_>>());
    beside.into_iter().chain(in_path).find(|path| path.is_file()).ok_or_else(|| {
        CliError::new(ErrorKind::NoDaemon, "cannot find torcd, neither beside torcctl nor in PATH")
            .hint("name it with `--torcd-bin PATH` or TORCD_BIN")
    })
}
