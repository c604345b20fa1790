//! The output of one attempt, on its way from the daemon or a file to our streams.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use bytes::Bytes;
use tokio::task::spawn_blocking;
use torc_protocol::id::AttemptId;
use torc_protocol::request::{JobSelector, Logs};
use torc_protocol::result::LogPart;

use super::line_buffer::LineBuffer;
use crate::client::Client;
use crate::commands::running::sinks::{Sink, write_all};
use crate::error::CliError;

/// How much is asked for or read at a time, in bytes.
const PIECE: u32 = 256 * 1024;

/// One stream of an attempt.
#[derive(Debug)]
struct Stream {
    sink: Sink,
    /// How much of it has been taken.
    offset: u64,
    lines: Option<LineBuffer>,
}

/// Writes what an attempt has written and, while it runs, what it writes, until it has ended.
///
/// With `whole_lines` no line is torn, so that lines of several jobs can be mixed.
pub(super) async fn print(
    client: &mut Client,
    attempt: AttemptId,
    whole_lines: bool,
) -> Result<(), CliError> {
    let mut stdout = Stream::new(Sink::Stdout, whole_lines);
    let mut stderr = Stream::new(Sink::Stderr, whole_lines);
    loop {
        let chunk = client
            .call(Logs {
                job: JobSelector::Id(attempt.job),
                attempt: Some(attempt.number),
                stdout_offset: stdout.offset,
                stderr_offset: stderr.offset,
                limit: PIECE,
                wait: true,
            })
            .await?;
        stdout.take(chunk.stdout).await?;
        stderr.take(chunk.stderr).await?;
        if chunk.ended {
            stdout.finish().await?;
            return stderr.finish().await;
        }
    }
}

impl Stream {
    fn new(sink: Sink, whole_lines: bool) -> Self {
        Self { sink, offset: 0, lines: whole_lines.then(LineBuffer::default) }
    }

    async fn take(&mut self, part: LogPart) -> Result<(), CliError> {
        match part {
            LogPart::Bytes(bytes) => self.write(bytes).await,
            LogPart::File { path, bytes } => self.copy(path.into(), bytes).await,
        }
    }

    async fn copy(&mut self, path: PathBuf, end: u64) -> Result<(), CliError> {
        while self.offset < end {
            let (path, offset) = (path.clone(), self.offset);
            let length = (end - offset).min(PIECE.into()) as usize;
            let piece = spawn_blocking(move || read(&path, offset, length));
            let piece = piece.await.map_err(io::Error::other)??;
            if piece.is_empty() {
                // Somebody has cut the file; what is not there cannot be shown.
                self.offset = end;
                return Ok(());
            }
            self.write(piece).await?;
        }
        Ok(())
    }

    async fn write(&mut self, piece: Bytes) -> Result<(), CliError> {
        self.offset += piece.len() as u64;
        let ready = match &mut self.lines {
            Some(lines) => lines.take(&piece),
            None => piece,
        };
        Ok(write_all(self.sink, ready).await?)
    }

    async fn finish(&mut self) -> Result<(), CliError> {
        match &mut self.lines {
            Some(lines) => Ok(write_all(self.sink, lines.rest()).await?),
            None => Ok(()),
        }
    }
}

fn read(path: &PathBuf, offset: u64, length: usize) -> io::Result<Bytes> {
    let file = File::open(path)?;
    let mut piece = vec![0; length];
    let read = file.read_at(&mut piece, offset)?;
    piece.truncate(read);
    Ok(piece.into())
}
