//! Why a daemon cannot start, and the exit code for it.
//!
//! The codes are those of torcctl, which passes them on.

use std::fmt;
use std::io;

use crate::notify::activation::ActivationError;
use crate::server::socket::ListenError;
use crate::snapshot::lease::LeaseError;
use crate::snapshot::load::LoadError;
use crate::store::home::OpenError;

/// The system refuses.
pub(super) const FAILED: u8 = 1;
/// The command line, or what it names, cannot be used.
pub(super) const USAGE: u8 = 2;
/// There is no such thing.
pub(super) const NOT_FOUND: u8 = 6;
/// Somebody else has it, or it must not be replaced.
pub(super) const IN_USE: u8 = 7;

/// A failure to start.
#[derive(Debug)]
pub struct StartError {
    /// The exit code.
    pub exit_code: u8,
    message: String,
    hint: Option<String>,
}

impl StartError {
    /// Returns an error without a hint.
    pub fn new(exit_code: u8, message: impl Into<String>) -> Self {
        Self { exit_code, message: message.into(), hint: None }
    }

    /// Returns this error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns all of it as one line of a log.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; hint: {hint}", self.message),
            None => self.message.clone(),
        }
    }

    /// Returns what makes an error of the system's refusal to do `what`.
    pub fn system(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::new(FAILED, format!("cannot {what}: {error}"))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ListenError> for StartError {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::InUse { .. } => Self::new(IN_USE, error.to_string())
                .hint("use it, end it with `torcctl daemon stop`, or name another `--socket`"),
            ListenError::NotOurs { .. } => Self::new(USAGE, error.to_string()).hint(
                "a good place is `ListenStream=%t/torc/torcd.sock` with `DirectoryMode=0700`",
            ),
            ListenError::Io { .. } => Self::new(USAGE, error.to_string())
                .hint("name another place with `--socket PATH` or TORC_SOCKET"),
        }
    }
}

impl From<ActivationError> for StartError {
    fn from(error: ActivationError) -> Self {
        Self::new(USAGE, error.to_string())
            .hint("the unit needs one `ListenStream=` with the path of a socket, and no other")
    }
}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::new(USAGE, error.to_string()).hint("name another database; this one stays as it is")
    }
}

impl From<LeaseError> for StartError {
    fn from(error: LeaseError) -> Self {
        match &error {
            LeaseError::Held { may_be_dead: false, .. } => Self::new(IN_USE, error.to_string())
                .hint("wait until it has ended, or name other files with `--db` and `--snapshot`"),
            LeaseError::Held { may_be_dead: true, .. } => Self::new(IN_USE, error.to_string())
                .hint("if that daemon has died, `--steal` takes over; else name another file"),
            LeaseError::Io { .. } => Self::new(USAGE, error.to_string())
                .hint("name a file in a directory that you can write to"),
        }
    }
}

impl From<LoadError> for StartError {
    fn from(error: LoadError) -> Self {
        let hint = error.hint();
        Self::new(USAGE, error.to_string()).hint(hint)
    }
}
