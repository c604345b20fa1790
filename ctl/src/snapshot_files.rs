//! Snapshots that are files: `torcd snapshots`, which looks at them for us, and `torcd --recover`,
//! which brings home what others have left.
//!
//! Both are processes that end when they are done; no torcd needs to run. What they cannot do they
//! say on stderr, which is ours.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};
use torc_protocol::paths;
use torc_protocol::view::SnapshotFileView;

use crate::error::{CliError, ErrorKind};
use crate::exit_code;

/// Returns the snapshots of `target`: those there, and what belongs there and is elsewhere.
///
/// # Errors
///
/// When they cannot be looked for.
pub async fn list(torcd: &Path, target: &Path) -> Result<Vec<SnapshotFileView>, CliError> {
    ask(torcd, [OsStr::new("list"), OsStr::new("--target"), target.as_os_str()]).await
}

/// Returns what a whole reading of these files has found.
///
/// # Errors
///
/// When they cannot be read at all.
pub async fn verify(torcd: &Path, files: &[PathBuf]) -> Result<Vec<SnapshotFileView>, CliError> {
    let files = files.iter().map(|file| file.as_os_str());
    ask(torcd, [OsStr::new("verify")].into_iter().chain(files)).await
}

/// Returns what torcds of this user have left that are gone, wherever it belongs. `spill_dir` is
/// looked into too.
///
/// # Errors
///
/// When it cannot be looked for.
pub async fn remains(
    torcd: &Path,
    spill_dir: Option<&Path>,
) -> Result<Vec<SnapshotFileView>, CliError> {
    let named = spill_dir.map(|dir| [OsStr::new("--spill-dir"), dir.as_os_str()]);
    ask(torcd, [OsStr::new("remains")].into_iter().chain(named.into_iter().flatten())).await
}

/// A record that is to be brought home.
#[derive(Debug)]
pub struct Homecoming<'a> {
    /// Where to.
    pub target: &'a Path,
    /// The record. It is named even when it belongs there: a torcd that found nothing would begin an
    /// empty one.
    pub from: &'a Path,
    /// Another place where torcds may have left some.
    pub spill_dir: Option<&'a Path>,
    /// What torcd logs on stderr.
    pub log: &'a str,
}

impl Homecoming<'_> {
    /// Starts a torcd that takes the record over, takes a snapshot, and ends: with 0 when that is on
    /// disk, with 7 when another torcd has the place. What goes wrong it says on stderr, which is
    /// ours. A Ctrl-C in the terminal does not reach it.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn start(&self, torcd: &Path) -> Result<Child, CliError> {
        let mut command = Command::new(torcd);
        command.arg("--in-memory").arg("--snapshot").arg(self.target).arg("--recover");
        command.arg("--from").arg(self.from);
        if let Some(dir) = self.spill_dir {
            command.arg("--spill-dir").arg(dir);
        }
        // Not that of the user's torcd, which may run.
        command.arg("--socket").arg(paths::private_socket(std::process::id())?);
        command.arg("--log").arg(self.log).stdin(Stdio::null()).stdout(Stdio::null());
        command.process_group(0).spawn().map_err(|error| not_started(torcd, &error))
    }
}

async fn ask(
    torcd: &Path,
    arguments: impl IntoIterator<Item = &OsStr>,
) -> Result<Vec<SnapshotFileView>, CliError> {
    let mut command = Command::new(torcd);
    command.arg("snapshots").args(arguments);
    // It goes with us when nobody waits for it any more.
    command.stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
    let output = command.output().await.map_err(|error| not_started(torcd, &error))?;
    let told = std::str::from_utf8(&output.stdout).ok().and_then(views);
    match (output.status.code(), told) {
        (Some(0), Some(views)) => Ok(views),
        (Some(1), _) => Err(CliError::said(exit_code::FAILED)),
        (_, _) => {
            let (torcd, status) = (torcd.display(), output.status);
            let message = format!("{torcd} does not tell of snapshots ({status})");
            Err(CliError::new(ErrorKind::NoDaemon, message)
                .hint("is that the torcd of this release? `torcd --version` tells"))
        }
    }
}

fn not_started(torcd: &Path, error: &io::Error) -> CliError {
    CliError::new(ErrorKind::NoDaemon, format!("cannot start {}: {error}", torcd.display()))
        .hint("name the torcd to use with `--torcd-bin PATH` or TORCD_BIN")
}

/// Reads a view a line; none when a line is something else.
fn views(text: &str) -> Option<Vec<SnapshotFileView>> {
    text.lines().map(|line| serde_json::from_str(line).ok()).collect()
}
