//! Why a snapshot is not on disk.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use torc_protocol::id::Generation;

use crate::store::verify::VerifyError;
use crate::sys::files::NO_SPACE;

/// A failure of the writer, in words that name the file.
#[derive(Debug, Error)]
pub(super) enum WriterError {
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error("cannot read the image: {0}")]
    Image(io::Error),
    #[error("{} is not the path of a file", .0.display())]
    NoFile(PathBuf),
    #[error("{} is in the way and stays as it is: {found}", .path.display())]
    Stranger { path: PathBuf, found: VerifyError },
    #[error("{} has {free} bytes free, {needed} are needed", .dir.display())]
    NoRoom { dir: PathBuf, free: u64, needed: u64 },
    #[error("what is read back from {} is not what was written", .0.display())]
    Altered(PathBuf),
    #[error("the image does not pass when read back from {}: {found}", .path.display())]
    Unsound { path: PathBuf, found: VerifyError },
    #[error("the image would need a write-ahead log beside {}", .0.display())]
    WriteAhead(PathBuf),
    #[error("the image is generation {found}, not {expected}")]
    OtherGeneration { found: Generation, expected: Generation },
    #[error("{} holds what another daemon has saved there meanwhile, and stays as it is", .0.display())]
    AnotherDatabase(PathBuf),
    #[error("{} holds generation {newer} of this database already, this is {ours}", .path.display())]
    Superseded { path: PathBuf, newer: Generation, ours: Generation },
}

impl WriterError {
    /// Returns the system's error number, when it was a system call that failed.
    pub(super) fn errno(&self) -> Option<i32> {
        match self {
            Self::Io { source, .. } | Self::Image(source) => source.raw_os_error(),
            Self::Unsound { found: VerifyError::Io(source), .. } => source.raw_os_error(),
            Self::NoRoom { .. } => Some(NO_SPACE),
            _ => None,
        }
    }
}

/// Names the operation and the file for an error of the system.
pub(super) fn failed_to(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> WriterError {
    move |source| WriterError::Io { doing, path: path.to_owned(), source }
}
