//! Loads a workflow file: reads it, understands it, checks it, expands it.

use std::path::Path;

use thiserror::Error;

use crate::error::CliError;
use crate::spec::complaint::{Complaints, Source};
use crate::spec::expansion::MAX_JOBS;
use crate::spec::file::bytes::{self, ReadError};
use crate::spec::file::{self, Format};
use crate::spec::resolve;
use crate::spec::resolved::Workflow;

/// Why there is no workflow.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The file is wrong.
    #[error(transparent)]
    Invalid(#[from] Box<Complaints>),
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Invalid(complaints) | LoadError::Read(ReadError::NotText(complaints)) => {
                (*complaints).into()
            }
            LoadError::Read(error) => {
                let hint = match &error {
                    ReadError::Io { .. } => "name a workflow file that can be read",
                    ReadError::TooLarge(_) => {
                        "use parameters, so that one entry stands for many jobs"
                    }
                    ReadError::Terminal => "pipe it into it, or name a file",
                    ReadError::NotText(_) => "name a file that is text",
                };
                Self::usage(error.to_string()).hint(hint)
            }
        }
    }
}

/// Loads the workflow file at `path`; `-` is stdin. Its ending says how it is written.
///
/// # Errors
///
/// When it cannot be read, or when anything is wrong with it.
pub fn load(path: &Path) -> Result<Workflow, LoadError> {
    let source = bytes::read(path)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    Ok(understand(&source, Format::of(path), directory)?)
}

/// Understands the text of a workflow file. Relative paths of tables begin at `directory`.
///
/// # Errors
///
/// All that is wrong with it.
pub fn understand(
    source: &Source,
    format: Option<Format>,
    directory: &Path,
) -> Result<Workflow, Box<Complaints>> {
    understand_within(source, format, directory, MAX_JOBS)
}

/// As [`understand`], with at most `limit` jobs instead of [`MAX_JOBS`].
///
/// # Errors
///
/// All that is wrong with it.
pub fn understand_within(
    source: &Source,
    format: Option<Format>,
    directory: &Path,
    limit: u64,
) -> Result<Workflow, Box<Complaints>> {
    let mut complaints = Complaints::new(source.clone());
    match file::parse(source, format, &mut complaints) {
        Some(root) => resolve::resolve(root, directory, limit, complaints).map_err(Box::new),
        None => Err(Box::new(complaints)),
    }
}
