//! Frames to torcd, from any thread, in the order of their sending.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use torc_protocol::worker::WorkerEvent;

use super::frame::frame;
use super::kernel;
use super::lock::lock;

/// A buffer that grew beyond this is given back after use.
const KEPT_CAPACITY: usize = 64 * 1024;

/// How long news that nobody waits for may be held back: with thousands of short jobs a second, it
/// is told by the dozen, and torcd is woken as seldom.
const HOLD: Duration = Duration::from_millis(5);
/// More than this is not held back.
const HELD_BYTES: usize = 32 * 1024;

/// The way to torcd. Once it is broken, all that is sent is dropped.
pub(super) struct Outbox {
    inner: Mutex<Inner>,
    broken: AtomicBool,
}

struct Inner {
    file: File,
    buffer: BytesMut,
    /// Until when the buffer may wait, when something is in it.
    held_until: Option<Instant>,
}

impl Outbox {
    pub(super) fn new(file: File) -> Self {
        let inner = Inner { file, buffer: BytesMut::new(), held_until: None };
        Self { inner: Mutex::new(inner), broken: AtomicBool::new(false) }
    }

    /// Sends `event`, and before it what is held back; waits while torcd does not read.
    pub(super) fn send(&self, event: WorkerEvent) {
        let frame = frame(event);
        self.with_inner(|inner| {
            inner.buffer.extend_from_slice(&frame?);
            inner.flush()
        });
    }

    /// Holds `event` back until the next [`Outbox::send`] or [`Outbox::flush`] of any thread, so
    /// that several travel as one. Returns whether it is the first: then the caller sees to it that
    /// one of these comes within [`HOLD`].
    #[must_use]
    pub(super) fn hold(&self, event: WorkerEvent) -> bool {
        let mut is_first = false;
        let frame = frame(event);
        self.with_inner(|inner| {
            is_first = inner.held_until.is_none();
            inner.held_until.get_or_insert_with(|| Instant::now() + HOLD);
            inner.buffer.extend_from_slice(&frame?);
            if inner.buffer.len() > HELD_BYTES { inner.flush() } else { Ok(()) }
        });
        is_first
    }

    /// Returns until when something is held back.
    pub(super) fn held_until(&self) -> Option<Instant> {
        lock(&self.inner).held_until
    }

    /// Sends what is held back.
    pub(super) fn flush(&self) {
        self.with_inner(Inner::flush);
    }

    fn with_inner(&self, act: impl FnOnce(&mut Inner) -> anyhow::Result<()>) {
        if !self.is_broken() && act(&mut lock(&self.inner)).is_err() {
            self.broken.store(true, Ordering::Release);
        }
    }

    /// Drops all that is sent from here on, and what is held back.
    pub(super) fn give_up(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Returns whether torcd cannot be reached any more.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

impl Inner {
    fn flush(&mut self) -> anyhow::Result<()> {
        self.held_until = None;
        if self.buffer.is_empty() {
            return Ok(());
        }
        write_all(&self.file, &self.buffer)?;
        self.buffer.clear();
        if self.buffer.capacity() > KEPT_CAPACITY {
            self.buffer = BytesMut::new();
        }
        Ok(())
    }
}

/// Writes all of `bytes`, whether or not the descriptor blocks: it may be shared with the parent.
pub(super) fn write_all(mut file: &File, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                kernel::wait_writable(file.as_fd());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
