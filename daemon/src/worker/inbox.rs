//! The requests of torcd, and the greeting before them.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::codec::Decoder;
use torc_protocol::codec::Codec;
use torc_protocol::hello;
use torc_protocol::worker::WorkerRequest;

use super::{kernel, outbox};

const READ_SIZE: usize = 64 * 1024;

/// What torcd sends.
pub(super) struct Inbox {
    file: File,
    codec: Codec<WorkerRequest, ()>,
    buffer: BytesMut,
    scratch: Vec<u8>,
}

/// What one read gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// More bytes, maybe whole requests.
    Bytes,
    /// Torcd has closed its end.
    End,
}

impl Inbox {
    pub(super) fn new(file: File) -> Self {
        let scratch = vec![0; READ_SIZE];
        Self { file, codec: Codec::default(), buffer: BytesMut::new(), scratch }
    }

    /// Returns what is readable when a request has arrived.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Reads once.
    ///
    /// # Errors
    ///
    /// Those of the descriptor, except that it has nothing now.
    pub(super) fn read(&mut self) -> io::Result<Arrived> {
        match self.file.read(&mut self.scratch) {
            Ok(0) => Ok(Arrived::End),
            Ok(length) => {
                self.buffer.extend_from_slice(&self.scratch[..length]);
                Ok(Arrived::Bytes)
            }
            Err(error) if is_transient(&error) => Ok(Arrived::Bytes),
            Err(error) => Err(error),
        }
    }

    /// Returns the next request that has arrived as a whole.
    ///
    /// # Errors
    ///
    /// Says that what arrived is not a request.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<WorkerRequest>> {
        let request = self.codec.decode(&mut self.buffer).context("reading a request of torcd")?;
        if self.buffer.is_empty() && self.buffer.capacity() > READ_SIZE {
            self.buffer = BytesMut::new();
        }
        Ok(request)
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// Says hello on `output` and hears torcd's on `input`.
///
/// # Errors
///
/// The other side is gone, is not torcd, or speaks another protocol.
pub(super) fn greet(input: &File, output: &File) -> anyhow::Result<()> {
    let mut stream = Blocking { input, output };
    match hello::exchange(&mut stream).now_or_never() {
        Some(result) => result.map(drop).context("greeting torcd"),
        None => bail!("greeting torcd: the stream did not block"),
    }
}

/// A pair of descriptors that is never pending, so that what is written for an event loop can be
/// used without one.
struct Blocking<'a> {
    input: &'a File,
    output: &'a File,
}

impl AsyncRead for Blocking<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        target: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match self.input.read(target.initialize_unfilled()) {
                Ok(length) => {
                    target.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if is_transient(&error) => {
                    kernel::wait_readable([Some(self.input.as_fd())], None)?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Blocking<'_> {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(outbox::write_all(self.output, bytes).map(|()| bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
