//! Notes each attempt before its process is made; see `torc_protocol::journal`.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use torc_protocol::id::AttemptId;
use torc_protocol::journal::{entry, offset};

/// The journal; none for a worker whom nobody on its node could bury.
pub(super) struct Journal {
    file: Option<File>,
    written: AtomicU64,
}

impl Journal {
    /// Makes the file `path`, which is in memory.
    ///
    /// # Errors
    ///
    /// It cannot be made, or is there already.
    pub(super) fn create(path: Option<&Path>) -> io::Result<Self> {
        let open = |path| OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        Ok(Self { file: path.map(open).transpose()?, written: AtomicU64::new(0) })
    }

    /// Notes an attempt that is about to begin.
    ///
    /// # Errors
    ///
    /// There is no memory left. The attempt must not begin then.
    pub(super) fn note(&self, attempt: AttemptId) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let earlier = self.written.fetch_add(1, Ordering::Relaxed);
        file.write_all_at(&entry(attempt), offset(earlier))
    }
}
