//! torcd's side of `torcd snapshot-writer`: starts one, and listens to it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;
use tokio_util::codec::FramedRead;
use torc_protocol::codec::Codec;
use torc_protocol::id::Generation;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase};

use crate::snapshot_writer::event::{WriterEvent, WriterReport};

/// How long a writer that has closed its output has to be gone.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// What to write, and where.
#[derive(Clone, Debug)]
pub struct WriteRequest {
    /// The newest snapshot's place; absolute.
    pub target: PathBuf,
    /// How many snapshots stay, this one included; at least 1.
    pub keep: u32,
    /// Which snapshot the image is.
    pub generation: Generation,
}

/// Has a process of `program`, which is torcd itself but in tests, write the image to disk, and tells
/// `on_phase` each step it comes to.
///
/// `image` is a regular file in memory that nobody changes any more; it is read from its start.
///
/// Waits for as long as the target's file system makes the writer wait. When the future is dropped,
/// the writer is abandoned, and goes on: it holds nothing of torcd's but the image.
///
/// # Errors
///
/// When the snapshot is not on disk; the one before it is untouched.
pub async fn write(
    program: &Path,
    image: File,
    request: WriteRequest,
    mut on_phase: impl FnMut(SnapshotPhase),
) -> Result<WriterReport, SnapshotFailure> {
    let mut phase = SnapshotPhase::Write;
    let failed = |phase, error: &io::Error, what: &str| SnapshotFailure {
        path: request.target.display().to_string(),
        phase,
        errno: error.raw_os_error(),
        reason: format!("{what}: {error}"),
        kept: None,
    };
    let (child, mut events) = start(program, image, &request)
        .map_err(|error| failed(phase, &error, "cannot start the snapshot writer"))?;
    loop {
        match events.next().await {
            Some(Ok(WriterEvent::Phase(next))) => {
                phase = next;
                on_phase(next);
            }
            Some(Ok(WriterEvent::LeftOver(reason))) => {
                tracing::warn!("an older snapshot stays: {reason}");
            }
            Some(Ok(WriterEvent::Done(report))) => return Ok(report),
            Some(Ok(WriterEvent::Failed(failure))) => return Err(failure),
            Some(Err(error)) => {
                let error = io::Error::other(error);
                return Err(failed(phase, &error, "the snapshot writer is not understood"));
            }
            None => {
                let end = io::Error::other(end_of(child).await);
                return Err(failed(phase, &end, "the snapshot writer ended without a report"));
            }
        }
    }
}

type Events = FramedRead<ChildStdout, Codec<WriterEvent, ()>>;

/// Starts a writer with nothing of ours but the image. A process group of its own keeps the signals
/// of a terminal away from it.
fn start(program: &Path, image: File, request: &WriteRequest) -> io::Result<(Child, Events)> {
    let mut child = Command::new(program)
        .arg0("torcd")
        .arg("snapshot-writer")
        .arg("--target")
        .arg(&request.target)
        .args(["--keep", &request.keep.to_string()])
        .args(["--generation", &request.generation.to_string()])
        .env_clear()
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::from(image))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(false)
        .spawn()?;
    let stdout = child.stdout.take().ok_or_else(|| io::Error::other("it has no output"))?;
    Ok((child, FramedRead::new(stdout, Codec::default())))
}

async fn end_of(mut child: Child) -> String {
    match timeout(EXIT_TIMEOUT, child.wait()).await {
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it closed its output and runs on".to_owned(),
    }
}
