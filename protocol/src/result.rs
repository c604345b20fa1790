//! What an attempt gave.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::status::JobStatus;
use crate::time::{Span, Timestamp};

/// How the process of an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It exited with this code.
    Exited(i32),
    /// This signal ended it.
    Signaled(i32),
    /// It could not be started; the text says what failed, the code is what a shell would give:
    /// 127 for a command that is not there, 126 for one that cannot be executed, 125 otherwise.
    NotStarted(i32, String),
    /// Nobody saw the end, and the text says why: the worker or the machine died.
    Lost(String),
    /// It was withdrawn before it was started.
    Withdrawn,
}

/// Why torc itself stopped an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Somebody canceled it.
    Canceled,
    /// It ran longer than its own `timeout`.
    Timeout,
    /// torc had to end.
    Shutdown,
}

/// The exit code that is recorded for a job which a time limit ended.
pub const TIMEOUT_CODE: i32 = 152;

/// What an attempt used, as the kernel's accounting gives it (`wait4`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From before the process was made until its end was seen.
    pub wall: Span,
    /// Processor time in user mode, of the process and of all descendants that were waited for.
    pub user_cpu: Span,
    /// The same in the kernel.
    pub system_cpu: Span,
    /// The largest resident set of any one of these processes, in bytes. Never below the resident
    /// set of the worker that started it, which the kernel counts in (a few MiB).
    pub peak_memory: u64,
}

/// All that a worker reports of an attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// How it ended.
    pub ending: Ending,
    /// Set when it was torc that ended it.
    pub stopped: Option<StopCause>,
    /// When it was started; for one that never was, when that was decided.
    pub started_at: Timestamp,
    /// When its end was seen.
    pub finished_at: Timestamp,
    /// What it used.
    pub usage: Usage,
    /// What it wrote to stdout; in mode `combined`, both streams.
    pub stdout: Output,
    /// What it wrote to stderr.
    pub stderr: Output,
}

impl AttemptResult {
    /// Returns the code that is recorded: the exit code, 128 + the signal as shells have it, or
    /// [`TIMEOUT_CODE`].
    #[must_use]
    pub fn return_code(&self) -> i32 {
        if self.stopped == Some(StopCause::Timeout) {
            return TIMEOUT_CODE;
        }
        match &self.ending {
            Ending::Exited(code) | Ending::NotStarted(code, _) => *code,
            Ending::Signaled(signal) => 128 + signal,
            Ending::Lost(_) | Ending::Withdrawn => -1,
        }
    }

    /// Returns the state that this gives the job, retries aside.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match (&self.ending, self.stopped) {
            (Ending::Withdrawn, _) => JobStatus::Canceled,
            (_, Some(_)) => JobStatus::Terminated,
            (Ending::Exited(0), None) => JobStatus::Completed,
            (_, None) => JobStatus::Failed,
        }
    }

    /// Returns in words why it is not simply `exit 0`; empty when it is.
    #[must_use]
    pub fn reason(&self) -> String {
        let ending = match &self.ending {
            Ending::Exited(0) => String::new(),
            Ending::Exited(code) => format!("exit code {code}"),
            Ending::Signaled(signal) => format!("signal {signal}"),
            Ending::NotStarted(_, text) => text.clone(),
            Ending::Lost(text) => format!("lost: {text}"),
            Ending::Withdrawn => "not started".to_owned(),
        };
        let stopped = match self.stopped {
            None => return ending,
            Some(StopCause::Canceled) => "canceled",
            Some(StopCause::Timeout) => "timed out",
            Some(StopCause::Shutdown) => "torc was ended",
        };
        if ending.is_empty() { stopped.to_owned() } else { format!("{stopped} ({ending})") }
    }
}

/// One of the two streams of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamKind {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

impl StreamKind {
    /// Returns the word for this stream.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

impl fmt::Display for StreamKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Where the output of one stream is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Nowhere: none was asked for, or nothing was written.
    #[default]
    None,
    /// Here.
    Inline(Bytes),
    /// In this file, complete unless `error` says otherwise.
    File {
        /// Absolute path.
        path: String,
        /// How long it is.
        bytes: u64,
        /// What failed while it was written, and how much is missing.
        error: Option<String>,
    },
}

/// A part of a stream, from an offset that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LogPart {
    /// These bytes; empty when there is nothing beyond the offset.
    Bytes(Bytes),
    /// The stream is in a file that the asker reads by itself.
    File {
        /// Absolute path.
        path: String,
        /// How long it is so far.
        bytes: u64,
    },
}
