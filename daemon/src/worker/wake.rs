//! Wakes the main thread out of its poll.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use super::kernel;

/// A pipe with at most one byte in it.
pub(super) struct Wake {
    reader: File,
    writer: File,
    pending: AtomicBool,
}

impl Wake {
    pub(super) fn new() -> nix::Result<Self> {
        let (reader, writer) = kernel::pipe()?;
        Ok(Self { reader, writer, pending: AtomicBool::new(false) })
    }

    /// Wakes the main thread; many calls before it wakes are one.
    pub(super) fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            // It cannot fail or block: both ends are ours, and the pipe is empty.
            let _ = (&self.writer).write(&[1]);
        }
    }

    /// Takes the wake-up. The caller then looks at all that may have changed.
    pub(super) fn take(&self) {
        let _ = (&self.reader).read(&mut [0]);
        // A swap, so that what a thread did before it found `pending` set is seen after this.
        self.pending.swap(false, Ordering::AcqRel);
    }

    /// Returns what is readable when there is a wake-up.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.reader.as_fd()
    }
}
