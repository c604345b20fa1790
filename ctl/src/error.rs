//! The one error type of commands: what failed, in words, with a remedy, and the exit code.

use std::fmt;
use std::io;
use std::process::ExitCode;

use torc_protocol::connection::ConnectionError;
use torc_protocol::paths::PathError;
use torc_protocol::response::{ErrorCode, RequestError};

use crate::{exit_code, stderr};

/// What kind of failure it is; this alone decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The user asked for something that makes no sense.
    Usage,
    /// No daemon could be reached or started.
    NoDaemon,
    /// A wait timed out.
    TimedOut,
    /// A snapshot is not durable.
    NotDurable,
    /// What was named is not there.
    NotFound,
    /// A rule of ours refuses.
    Refused,
    /// Whoever read our output has gone; said to nobody.
    BrokenPipe,
    /// Another program that we started has told the user; only its exit code is left to pass on.
    Said(u8),
    /// Anything else.
    Failed,
}

/// A failed command.
#[derive(Debug)]
pub struct CliError {
    /// The kind.
    pub kind: ErrorKind,
    /// What failed, naming the thing; a sentence without its period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl CliError {
    /// Returns an error without a hint.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Returns an error of kind [`ErrorKind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Returns an error about which the user has been told, with the exit code for it.
    #[must_use]
    pub fn said(code: u8) -> Self {
        Self::new(ErrorKind::Said(code), "torcd has said why")
    }

    /// Returns this error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the exit code for this error.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ErrorKind::Usage => exit_code::USAGE,
            ErrorKind::NoDaemon => exit_code::NO_DAEMON,
            ErrorKind::TimedOut => exit_code::TIMED_OUT,
            ErrorKind::NotDurable => exit_code::NOT_DURABLE,
            ErrorKind::NotFound => exit_code::NOT_FOUND,
            ErrorKind::Refused => exit_code::REFUSED,
            ErrorKind::BrokenPipe => exit_code::DONE,
            ErrorKind::Said(code) => code,
            ErrorKind::Failed => exit_code::FAILED,
        }
    }

    /// Says it on stderr and returns the exit code.
    pub fn report(&self) -> ExitCode {
        if !matches!(self.kind, ErrorKind::BrokenPipe | ErrorKind::Said(_)) {
            stderr::say(&self.to_string());
        }
        ExitCode::from(self.exit_code())
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

impl From<RequestError> for CliError {
    fn from(error: RequestError) -> Self {
        let kind = match error.code {
            ErrorCode::InvalidRequest => ErrorKind::Usage,
            ErrorCode::NotFound => ErrorKind::NotFound,
            ErrorCode::WrongState => ErrorKind::Refused,
            ErrorCode::Unavailable => ErrorKind::NoDaemon,
            ErrorCode::Internal => ErrorKind::Failed,
        };
        Self { kind, message: error.message, hint: error.hint }
    }
}

impl From<ConnectionError> for CliError {
    fn from(error: ConnectionError) -> Self {
        Self::new(ErrorKind::NoDaemon, format!("the connection to torcd failed: {error}"))
            .hint("`torcctl status` tells whether torcd still runs; its log says why it ended")
    }
}

impl From<PathError> for CliError {
    fn from(error: PathError) -> Self {
        Self::usage(error.to_string())
            .hint("name another place with `--socket PATH` or TORC_SOCKET")
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(ErrorKind::BrokenPipe, "broken pipe"),
            _ => Self::new(ErrorKind::Failed, error.to_string()),
        }
    }
}
