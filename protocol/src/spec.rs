//! What is submitted: workflows that are fully resolved, with nothing left to expand.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::time::Span;

/// The head of a submission; its jobs follow in chunks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowSpec {
    /// What users call it; need not be unique.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// What all of its jobs share.
    pub context: JobContext,
    /// The kinds of job that it has; each [`JobSpec`] names one by its index.
    pub settings: Vec<JobSettings>,
    /// At most so many of its jobs run at a time, whatever the node has room for. Without it, the
    /// CPUs of the node and of the jobs decide.
    pub max_parallel_jobs: Option<u32>,
}

/// Where and as what the jobs of a workflow run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobContext {
    /// The environment of the submitter.
    pub environment: Environment,
    /// The absolute working directory.
    pub working_dir: String,
    /// The absolute directory for files of output. It is made when the first file is.
    pub output_dir: String,
}

/// An environment: `NAME=VALUE` entries, each ended by a NUL, as in `/proc/PID/environ`.
///
/// Bytes, because values need not be UTF-8. Its `Debug` hides them: they may be secrets.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(pub Bytes);

impl Environment {
    /// Returns the entries, without their NULs.
    pub fn entries(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| *byte == 0).filter(|entry| !entry.is_empty())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.entries().count())
    }
}

/// How a kind of job is run.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSettings {
    /// What becomes of its output.
    pub stdio: StdioMode,
    /// How often a failed job is tried again; 0: never.
    pub retries: u32,
    /// How long to wait before each retry.
    pub retry_delay: Span,
    /// How long one attempt may take.
    pub timeout: Option<Span>,
    /// How many CPUs it takes; at least 1.
    pub cpus: u32,
    /// How long it has between SIGTERM and SIGKILL when it is stopped.
    pub grace: Span,
    /// Added to the environment of the workflow; a later entry wins.
    pub environment: Vec<(String, String)>,
    /// Instead of the working directory of the workflow; relative to it.
    pub working_dir: Option<String>,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            stdio: StdioMode::Capture,
            retries: 0,
            retry_delay: Span(0),
            timeout: None,
            cpus: 1,
            grace: Span(5_000_000),
            environment: Vec::new(),
            working_dir: None,
        }
    }
}

impl fmt::Debug for JobSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobSettings")
            .field("stdio", &self.stdio)
            .field("retries", &self.retries)
            .field("retry_delay", &self.retry_delay)
            .field("timeout", &self.timeout)
            .field("cpus", &self.cpus)
            .field("grace", &self.grace)
            .field(
                "environment",
                &self.environment.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .field("working_dir", &self.working_dir)
            .finish()
    }
}

/// What becomes of the output of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StdioMode {
    /// Kept in the database, up to [`CAPTURE_LIMIT`] a stream; beyond it, all of the stream goes to
    /// a file in the output directory.
    Capture,
    /// Two files a job in the output directory.
    Separate,
    /// One file a job, both streams in the order of their writing.
    Combined,
    /// As `Separate`, without stdout.
    NoStdout,
    /// As `Separate`, without stderr.
    NoStderr,
    /// Thrown away.
    None,
}

/// How many bytes of a stream are kept in the database at most.
pub const CAPTURE_LIMIT: usize = 1024 * 1024;

/// One job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Unique within its workflow.
    pub name: String,
    /// What to run.
    pub command: Command,
    /// Higher ones start first.
    pub priority: i32,
    /// Index into [`WorkflowSpec::settings`].
    pub settings: u32,
}

/// What a job runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A line as one would type it: run by `bash -c` when it has shell syntax, else directly.
    Line(String),
    /// A program and its arguments, executed as they stand.
    Argv(Vec<String>),
}
