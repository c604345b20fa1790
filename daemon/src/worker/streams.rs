//! The pipes between a job and the sinks of its output.
//!
//! The writing ends stay open here until the job has ended. So a pipe never reports its end, and
//! the slot thread is woken by output and by the death of the leader, but not by each stream that
//! closes; and a process that escaped with a pipe cannot hold up the end of the attempt.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use torc_protocol::result::Output;
use torc_protocol::spec::StdioMode;

use super::attempt::Attempt;
use super::kernel;
use super::outbox::Outbox;
use super::output::{self, FileStem, Sink};
use super::tail::Kept;

/// How much is read at a time: what a pipe holds.
const READ_SIZE: usize = 64 * 1024;

/// How often what is left of a stream is read after the end of its job. Far more than a pipe can
/// hold; the bound is for an escaped process that never stops writing.
const DRAIN_ROUNDS: usize = 64;

/// The output of one job.
pub(super) struct Streams {
    streams: [Option<Stream>; 2],
    is_combined: bool,
}

struct Stream {
    reader: File,
    writer: File,
    sink: Sink,
}

impl Streams {
    /// Opens the pipes and sinks that `mode` asks for.
    ///
    /// # Errors
    ///
    /// No pipe can be made.
    pub(super) fn open(mode: StdioMode, stem: &FileStem, attempt: &Attempt) -> nix::Result<Self> {
        let mut streams = [None, None];
        for (stream, sink) in streams.iter_mut().zip(output::open(mode, stem, &attempt.tail)) {
            if let Some(sink) = sink {
                let (reader, writer) = kernel::pipe()?;
                *stream = Some(Stream { reader, writer, sink });
            }
        }
        Ok(Self { streams, is_combined: mode == StdioMode::Combined })
    }

    /// Returns what the job gets as its stdout and stderr; `null` where nothing is kept.
    pub(super) fn writers<'a>(&'a self, null: &'a File) -> [BorrowedFd<'a>; 2] {
        let [stdout, stderr] = self
            .streams
            .each_ref()
            .map(|stream| stream.as_ref().map(|stream| stream.writer.as_fd()));
        let stdout = stdout.unwrap_or(null.as_fd());
        let fallback = if self.is_combined { stdout } else { null.as_fd() };
        [stdout, stderr.unwrap_or(fallback)]
    }

    /// Waits for output or for the end of `process`, takes the output, and returns whether the
    /// process has ended.
    ///
    /// # Errors
    ///
    /// Waiting or reading failed; it would do so again.
    pub(super) fn pump(
        &mut self,
        process: &OwnedFd,
        attempt: &Attempt,
        outbox: &Outbox,
    ) -> io::Result<bool> {
        let [out, err, ended] = self.poll(Some(process.as_fd()), None)?;
        self.take([out, err], attempt, outbox)?;
        Ok(ended)
    }

    /// Takes what is left in the pipes, without waiting for more.
    ///
    /// # Errors
    ///
    /// As [`Streams::pump`].
    pub(super) fn drain(&mut self, attempt: &Attempt, outbox: &Outbox) -> io::Result<()> {
        for _ in 0..DRAIN_ROUNDS {
            let [out, err, _] = self.poll(None, Some(Duration::ZERO))?;
            if !out && !err {
                break;
            }
            self.take([out, err], attempt, outbox)?;
        }
        Ok(())
    }

    /// Ends the streams, and returns where they are, given what was kept of them, and why that is not
    /// all that was to be kept.
    pub(super) fn finish(self, kept: [Kept; 2]) -> ([Output; 2], Option<String>) {
        let [stdout, stderr] = self.streams;
        let [kept_stdout, kept_stderr] = kept;
        let finish = |stream: Option<Stream>, kept| {
            stream.map_or((Output::None, None), |stream| stream.sink.finish(kept))
        };
        let (stdout, lost) = finish(stdout, kept_stdout);
        let (stderr, lost_too) = finish(stderr, kept_stderr);
        ([stdout, stderr], lost.or(lost_too))
    }

    /// Ends the streams, and throws away what was kept of them, files too.
    pub(super) fn discard(self) {
        for stream in self.streams.into_iter().flatten() {
            stream.sink.discard();
        }
    }

    fn poll(
        &self,
        process: Option<BorrowedFd<'_>>,
        limit: Option<Duration>,
    ) -> io::Result<[bool; 3]> {
        let [out, err] = self
            .streams
            .each_ref()
            .map(|stream| stream.as_ref().map(|stream| stream.reader.as_fd()));
        if out.is_none() && err.is_none() && process.is_none() {
            return Ok([false; 3]);
        }
        kernel::wait_readable([out, err, process], limit)
    }

    fn take(&mut self, ready: [bool; 2], attempt: &Attempt, outbox: &Outbox) -> io::Result<()> {
        if ready == [false; 2] {
            return Ok(());
        }
        let mut buffer = vec![0; READ_SIZE];
        for (stream, _) in self.streams.iter_mut().zip(ready).filter(|(_, ready)| *ready) {
            let Some(stream) = stream else { continue };
            let length = stream.reader.read(&mut buffer)?;
            for answer in stream.sink.write(&buffer[..length], &attempt.tail) {
                outbox.send(answer);
            }
        }
        Ok(())
    }
}
