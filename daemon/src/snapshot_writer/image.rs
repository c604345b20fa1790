//! The image: copied to the target's file system, and checked as it is read back from there.

use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use sha2::{Digest, Sha256};
use torc_protocol::id::Generation;

use crate::snapshot_writer::disk::Disk;
use crate::snapshot_writer::error::WriterError;
use crate::snapshot_writer::operations;
use crate::snapshot_writer::temporary::Temporary;
use crate::store::verify::Identity;

/// How much is written at a time. A network file system takes as long for 4 KiB as for 1 MiB.
pub(super) const BLOCK: usize = 4 * 1024 * 1024;

/// A checksum.
pub(super) type Sum = [u8; 32];

/// A database as one file in memory, that nobody changes any more.
#[derive(Debug)]
pub(super) struct Image {
    file: File,
    bytes: u64,
}

impl Image {
    pub(super) fn new(file: File) -> Result<Self, WriterError> {
        let metadata = file.metadata().map_err(WriterError::Image)?;
        if !metadata.is_file() {
            let reason = "standard input is not a regular file";
            return Err(WriterError::Image(io::Error::new(io::ErrorKind::InvalidInput, reason)));
        }
        Ok(Self { file, bytes: metadata.len() })
    }

    /// Returns its size.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies it, and returns the checksum of what was written.
    pub(super) fn copy_to<D: Disk>(
        &self,
        temporary: &Temporary<'_, D, File>,
    ) -> Result<Sum, WriterError> {
        let mut sum = Sha256::new();
        let mut block = vec![0; BLOCK];
        let mut offset = 0;
        while offset < self.bytes {
            let length = BLOCK.min(usize::try_from(self.bytes - offset).unwrap_or(BLOCK));
            let part = &mut block[..length];
            self.file.read_exact_at(part, offset).map_err(WriterError::Image)?;
            sum.update(&*part);
            temporary.write(part)?;
            offset += length as u64;
        }
        Ok(sum.finalize().into())
    }
}

/// Checks that the file at `path` has the bytes that were written, that they are a whole database,
/// and that it is the snapshot it should be.
pub(super) fn check(
    disk: &impl Disk,
    path: &Path,
    expected: Sum,
    generation: Generation,
) -> Result<Identity, WriterError> {
    if read_sum(disk, path)? != expected {
        return Err(WriterError::Altered(path.to_owned()));
    }
    let identity =
        disk.verify(path).map_err(|found| WriterError::Unsound { path: path.to_owned(), found })?;
    if identity.generation != generation {
        let found = identity.generation;
        return Err(WriterError::OtherGeneration { found, expected: generation });
    }
    if identity.write_ahead {
        return Err(WriterError::WriteAhead(path.to_owned()));
    }
    Ok(identity)
}

fn read_sum(disk: &impl Disk, path: &Path) -> Result<Sum, WriterError> {
    let file = operations::open_uncached(disk, path)?;
    let mut sum = Sha256::new();
    let mut block = vec![0; BLOCK];
    loop {
        match operations::read(disk, &file, path, &mut block)? {
            0 => return Ok(sum.finalize().into()),
            length => sum.update(&block[..length]),
        }
    }
}

/// Returns a checksum as `sha256sum` prints it.
pub(super) fn hexadecimal(sum: &Sum) -> String {
    sum.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
