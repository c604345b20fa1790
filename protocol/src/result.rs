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
    /// It exited with code 0, but these files that it should have written are not there.
    Incomplete(Vec<String>),
    /// It was not started, because the recovery script before it failed, or was stopped; the code is
    /// that script's.
    NotRecovered(i32),
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
    /// The time of the whole run was over.
    TimeLimit,
    /// Too many other jobs had failed.
    Halted,
    /// It took more memory than it may.
    OutOfMemory,
    /// torc had to end, and the next torcd runs it again.
    Again,
}

/// The code that is recorded for a job which a time limit ended, unless its settings say otherwise.
pub const TIMEOUT_CODE: i32 = 152;
/// The code that is recorded for a job that took too much memory, unless its settings say otherwise:
/// that of SIGKILL.
pub const OUT_OF_MEMORY_CODE: i32 = 137;

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
    /// set of the worker that started it, which the kernel counts in (a few MiB). Under a limit of
    /// memory, what all of these processes together were seen to take, if that is more.
    pub peak_memory: u64,
}

/// All that a worker reports of an attempt that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// How it ended.
    pub ending: Ending,
    /// Set when it was torc that ended it.
    pub stopped: Option<StopCause>,
    /// The code that is recorded when a time limit ended it, or the limit of its memory.
    pub limit_code: i32,
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
    /// Why its output is not whole, although it should have been kept. Then the attempt has failed,
    /// however the process ended.
    pub lost_output: Option<String>,
    /// The exit code of the recovery script that was run before it, if one was.
    pub recovery_code: Option<i32>,
    /// What became of its files; none for a job without files, or that was not started.
    pub files: Option<Box<FileStamps>>,
}

/// How the files of a job were: its inputs when it was started, its outputs when it had ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileStamps {
    /// In the order of [`crate::worker::StartExtra::inputs`]; none for one that was not there.
    pub inputs: Vec<Option<FileStamp>>,
    /// In the order of [`crate::worker::StartExtra::outputs`].
    pub outputs: Vec<Option<FileStamp>>,
}

/// A time in nanoseconds, which people see in seconds.
mod nanoseconds {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_f64(*time as f64 / 1e9)
        } else {
            serializer.serialize_i64(*time)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        if deserializer.is_human_readable() {
            f64::deserialize(deserializer).map(|seconds| (seconds * 1e9).round() as i64)
        } else {
            i64::deserialize(deserializer)
        }
    }
}

/// By what a file that has changed is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileStamp {
    /// When it was modified, in nanoseconds since 1970; in JSON a number of seconds.
    #[serde(with = "nanoseconds")]
    pub modified: i64,
    /// How long it is, in bytes.
    pub bytes: u64,
}

impl AttemptResult {
    /// Returns the result of an attempt that used nothing and gave nothing, decided at `at`.
    #[must_use]
    pub fn bare(ending: Ending, at: Timestamp) -> Self {
        Self {
            ending,
            stopped: None,
            limit_code: TIMEOUT_CODE,
            started_at: at,
            finished_at: at,
            usage: Usage::default(),
            stdout: Output::None,
            stderr: Output::None,
            lost_output: None,
            recovery_code: None,
            files: None,
        }
    }

    /// Returns the code that is recorded: the exit code, 128 + the signal as shells have it, or
    /// [`Self::limit_code`].
    #[must_use]
    pub fn return_code(&self) -> i32 {
        if let Some(StopCause::Timeout | StopCause::TimeLimit | StopCause::OutOfMemory) =
            self.stopped
        {
            return self.limit_code;
        }
        match &self.ending {
            Ending::Exited(code) | Ending::NotStarted(code, _) | Ending::NotRecovered(code) => {
                *code
            }
            Ending::Incomplete(_) => 0,
            Ending::Signaled(signal) => 128 + signal,
            Ending::Lost(_) | Ending::Withdrawn => -1,
        }
    }

    /// Returns the state that this gives the job, retries aside.
    #[must_use]
    pub fn status(&self) -> JobStatus {
        match (&self.ending, self.stopped) {
            (Ending::Withdrawn, Some(StopCause::Timeout)) => JobStatus::Terminated,
            (Ending::Withdrawn, _) => JobStatus::Canceled,
            (_, Some(StopCause::OutOfMemory)) => JobStatus::Failed,
            (_, Some(_)) => JobStatus::Terminated,
            (Ending::Exited(0), None) if self.lost_output.is_none() => JobStatus::Completed,
            (_, None) => JobStatus::Failed,
        }
    }

    /// Returns in words why it is not simply `exit 0`; empty when it is.
    #[must_use]
    pub fn reason(&self) -> String {
        let mut ending = match &self.ending {
            Ending::Exited(0) => String::new(),
            Ending::Exited(code) => format!("exit code {code}"),
            Ending::Signaled(signal) => format!("signal {signal}"),
            Ending::NotStarted(_, text) => text.clone(),
            Ending::Lost(text) => format!("lost: {text}"),
            Ending::Withdrawn => "not started".to_owned(),
            Ending::Incomplete(paths) => match &paths[..] {
                [path] => format!("output file missing: {path}"),
                paths => format!("output files missing: {}", paths.join(", ")),
            },
            Ending::NotRecovered(0) => "in the recovery script".to_owned(),
            Ending::NotRecovered(code) => format!("the recovery script failed: exit code {code}"),
        };
        if let Some(lost) = &self.lost_output {
            let separator = if ending.is_empty() { "" } else { "; " };
            ending = format!("{ending}{separator}output lost: {lost}");
        }
        let stopped = match self.stopped {
            None => return ending,
            Some(StopCause::Canceled) => "canceled",
            Some(StopCause::Timeout) => "timed out",
            Some(StopCause::Shutdown) => "torc was ended",
            Some(StopCause::TimeLimit) => "the time limit of the run",
            Some(StopCause::Halted) => "too many jobs failed",
            Some(StopCause::OutOfMemory) => "out of memory",
            Some(StopCause::Again) => "torc was ended, to be run again",
        };
        // The last look came just before SIGKILL.
        let amount = match (self.stopped, self.usage.peak_memory) {
            (Some(StopCause::OutOfMemory), bytes @ 1..) => format!(" at {} MiB", bytes >> 20),
            _ => String::new(),
        };
        let ending = if ending.is_empty() { ending } else { format!(" ({ending})") };
        format!("{stopped}{amount}{ending}")
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

/// Where the output of one stream is. Its `Debug` does not show what a job has written.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Inline(bytes) => write!(f, "Inline({} bytes)", bytes.len()),
            Self::File { path, bytes, error } => f
                .debug_struct("File")
                .field("path", path)
                .field("bytes", bytes)
                .field("error", error)
                .finish(),
        }
    }
}

/// A part of a stream, from an offset that was asked for. Its `Debug` does not show what a job has
/// written.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogPart {
    /// These bytes; empty when there is nothing beyond the offset. In JSON a string, or
    /// `{"base64": "…"}` when they are not UTF-8.
    Bytes(#[serde(with = "crate::json::octets")] Bytes),
    /// The stream is in a file that the asker reads by itself.
    File {
        /// Absolute path.
        path: String,
        /// How long it is so far.
        bytes: u64,
    },
}

impl fmt::Debug for LogPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "Bytes({} bytes)", bytes.len()),
            Self::File { path, bytes } => {
                f.debug_struct("File").field("path", path).field("bytes", bytes).finish()
            }
        }
    }
}
