//! The settings of torcd and torcctl: what there is, where it is read from, and what counts.
//!
//! - [`key`]: the one table of settings, from which the documentation is checked.
//! - [`value`]: what a setting can be, read from the text of a variable or a flag.
//! - [`mod@file`]: one `torc.toml`, with the place of every value.
//! - [`trust`]: which files are read at all.
//! - [`sources`]: all files and the environment of a process.
//! - [`settings`]: the layers on each other. Flags win over the environment, that over the file of the
//!   project, of the user, of the system; every value knows where it comes from.
//!
//! A file that is not there is nothing. One that is there and wrong is an error that names the place;
//! nothing of it is used.

pub mod file;
pub mod key;
pub mod settings;
pub mod sources;
pub mod trust;
pub mod value;

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Where the value of a setting stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file; line and column are counted from 1, columns in characters.
    File {
        /// Which of the files.
        layer: Layer,
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The character in the line.
        column: usize,
    },
    /// In this environment variable.
    Variable(&'static str),
    /// In this flag.
    Flag(&'static str),
}

/// The files, in the order in which a later one goes before an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Of this host, for every user.
    System,
    /// Of this user.
    User,
    /// Of the working directory, or the nearest directory of ours above it that has one.
    Project,
}

/// Why there are no settings.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{place}: {message}")]
pub struct ConfigError {
    /// Where: `FILE:LINE:COLUMN`, a file, a variable or a flag.
    place: String,
    /// What is wrong there.
    message: String,
    /// What to do about it.
    pub hint: String,
}

impl ConfigError {
    /// Returns the complaint about a value that came from `origin`.
    #[must_use]
    pub fn at(origin: &Origin, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let place = match origin {
            Origin::File { path, line, column, .. } => {
                format!("{}:{line}:{column}", path.display())
            }
            Origin::Variable(_) | Origin::Flag(_) => origin.to_string(),
        };
        Self { place, message: message.into(), hint: hint.into() }
    }

    /// Returns the complaint about a file as a whole.
    fn of_file(path: &Path, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let place = path.display().to_string();
        Self { place, message: message.into(), hint: hint.into() }
    }
}

impl Layer {
    /// Returns what it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Project => "project",
        }
    }
}

impl Origin {
    /// Returns how far up it is: of two values the one with the higher rank counts.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::File { layer: Layer::System, .. } => 1,
            Self::File { layer: Layer::User, .. } => 2,
            Self::File { layer: Layer::Project, .. } => 3,
            Self::Variable(_) => 4,
            Self::Flag(_) => 5,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests;
