//! What is submitted: workflows that are fully resolved, with nothing left to expand.
//!
//! Commands, scripts, environments and user data may hold secrets. No `Debug` of what has them shows
//! more than how long they are, so that nothing that is logged can give them away.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::result::{OUT_OF_MEMORY_CODE, TIMEOUT_CODE};
use crate::time::{Span, Timestamp};

/// The head of a submission; its files and jobs follow in chunks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkflowSpec {
    /// What users call it; need not be unique.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// What else its author says of it: a JSON object.
    pub metadata: Option<String>,
    /// What all of its jobs share.
    pub context: JobContext,
    /// The kinds of job that it has; each [`JobSpec`] names one by its index.
    #[serde(default = "one_kind")]
    pub settings: Vec<JobSettings>,
    /// What is done at certain points of its life.
    #[serde(default)]
    pub actions: Vec<ActionSpec>,
    /// How it is run this time.
    #[serde(default)]
    pub options: RunOptions,
}

/// The kinds of job of a workflow that names none, in JSON: one, with every default.
fn one_kind() -> Vec<JobSettings> {
    vec![JobSettings::default()]
}

/// How a workflow is run. A later run of the same workflow may have others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// At most so many of its jobs run at a time, whatever the node has room for. Without it, the
    /// resources of the node and of the jobs decide.
    pub max_parallel_jobs: Option<u32>,
    /// Resources that it has for itself, instead of sharing those of the node with others.
    pub capacity: Capacity,
    /// Without any, it runs the jobs without labels; else those that have some, all among these.
    pub labels: Vec<String>,
    /// When all of it is to be over.
    pub time_limit: Option<TimeLimit>,
    /// When to give up because of failed jobs.
    pub halt: Option<Halt>,
}

/// Resources; what is not given is as the node has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Capacity {
    /// CPUs.
    pub cpus: Option<u32>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// GPUs.
    pub gpus: Option<u32>,
}

impl Capacity {
    /// Returns whether nothing is given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// When a run has to be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeLimit {
    /// When what runs is asked to end, and nothing is started any more.
    pub stop_at: Timestamp,
    /// How long it then has before it is killed.
    pub grace: Span,
}

/// When to give up because of failed jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Halt {
    /// So many have to fail.
    pub after: HaltAfter,
    /// What runs is stopped too, instead of being waited for.
    #[serde(default)]
    pub now: bool,
}

/// How many failed jobs are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltAfter {
    /// This many.
    Jobs(u64),
    /// This share of all jobs, in hundredths of a percent.
    Share(u32),
}

/// Something that is done at a point in the life of a workflow.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// When.
    pub trigger: Trigger,
    /// For a trigger that is about jobs: which, by their place in the submission.
    #[serde(default)]
    pub jobs: Vec<u32>,
    /// What: command lines, one after the other until one fails.
    pub commands: Vec<String>,
    /// It is done again when the workflow is run again.
    #[serde(default)]
    pub persistent: bool,
}

impl fmt::Debug for ActionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActionSpec")
            .field("trigger", &self.trigger)
            .field("jobs", &self.jobs)
            .field("commands", &format_args!("{} commands", self.commands.len()))
            .field("persistent", &self.persistent)
            .finish()
    }
}

/// When an action is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// When the workflow is there.
    OnWorkflowStart,
    /// When every job has ended.
    OnWorkflowComplete,
    /// When its jobs could all run, or have run.
    OnJobsReady,
    /// When its jobs have all ended.
    OnJobsComplete,
    /// When a worker takes up the workflow.
    OnWorkerStart,
    /// When a worker has nothing more to do for it.
    OnWorkerComplete,
}

impl Trigger {
    /// Returns the word for this trigger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnWorkflowStart => "on_workflow_start",
            Self::OnWorkflowComplete => "on_workflow_complete",
            Self::OnJobsReady => "on_jobs_ready",
            Self::OnJobsComplete => "on_jobs_complete",
            Self::OnWorkerStart => "on_worker_start",
            Self::OnWorkerComplete => "on_worker_complete",
        }
    }
}

/// A file that jobs read or write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Unique within its workflow.
    pub name: String,
    /// Where it is; relative to the working directory of the workflow.
    pub path: String,
}

/// A value that jobs read or write.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserDataSpec {
    /// Unique within its workflow.
    pub name: String,
    /// JSON.
    pub data: Option<String>,
    /// It belongs to one run, not to the workflow.
    #[serde(default)]
    pub is_ephemeral: bool,
}

impl fmt::Debug for UserDataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.data.as_ref().map_or(0, String::len);
        f.debug_struct("UserDataSpec")
            .field("name", &self.name)
            .field("data", &format_args!("{bytes} bytes"))
            .field("is_ephemeral", &self.is_ephemeral)
            .finish()
    }
}

/// Where and as what the jobs of a workflow run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobContext {
    /// The environment of the submitter.
    #[serde(default)]
    pub environment: Environment,
    /// The absolute working directory.
    pub working_dir: String,
    /// The absolute directory for files of output. It is made when the first file is.
    pub output_dir: String,
}

/// An environment: `NAME=VALUE` entries, each ended by a NUL, as in `/proc/PID/environ`.
///
/// Bytes, because values need not be UTF-8. Its `Debug` hides them: they may be secrets.
/// In JSON it is an object; a value that is not UTF-8 is `{"base64": "…"}`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Environment(#[serde(with = "crate::json::environment")] pub Bytes);

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
#[serde(default, deny_unknown_fields)]
pub struct JobSettings {
    /// What becomes of its output.
    pub stdio: StdioMode,
    /// Its output is thrown away when it completes.
    pub delete_on_success: bool,
    /// When a failed job is tried again: the first rule that names its exit code counts, else the
    /// first for any.
    pub retry: Vec<RetryRule>,
    /// How long to wait before each retry.
    pub retry_delay: Span,
    /// How long one attempt may take.
    pub timeout: Option<Span>,
    /// The name of what it requires, where it has one.
    pub requirements: Option<String>,
    /// How many CPUs it takes; at least 1.
    pub cpus: u32,
    /// How much memory it takes, in bytes.
    pub memory: Option<u64>,
    /// It is killed when it takes more memory than that.
    pub limit_memory: bool,
    /// How many GPUs it takes.
    pub gpus: u32,
    /// How long it is expected to run: it is not started when there is less time left.
    pub runtime: Option<Span>,
    /// How long it has between the signal to end and SIGKILL when it is stopped.
    pub grace: Span,
    /// The signal by which it is asked to end.
    pub termination_signal: i32,
    /// The code that is recorded when a time limit ended it.
    pub timeout_code: i32,
    /// The code that is recorded when it took too much memory.
    pub out_of_memory_code: i32,
    /// Added to the environment of the workflow; a later entry wins.
    #[serde(with = "crate::json::pairs")]
    pub environment: Vec<(String, String)>,
    /// Instead of the working directory of the workflow; relative to it.
    pub working_dir: Option<String>,
    /// It does not run when a job that it waits for did not complete. Otherwise it runs when all
    /// of them have ended.
    pub cancel_on_blocking_job_failure: bool,
    /// Only a run that has all of these labels runs it.
    pub labels: Vec<String>,
}

/// When a failed job is tried again.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryRule {
    /// For these exit codes.
    pub exit_codes: Vec<i32>,
    /// For any exit code.
    pub any: bool,
    /// How many more times at most.
    pub max_retries: u32,
    /// A command line that is run before the next attempt.
    pub recovery_script: Option<String>,
}

impl fmt::Debug for RetryRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryRule")
            .field("exit_codes", &self.exit_codes)
            .field("any", &self.any)
            .field("max_retries", &self.max_retries)
            .field("has_recovery_script", &self.recovery_script.is_some())
            .finish()
    }
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            stdio: StdioMode::Capture,
            delete_on_success: false,
            retry: Vec::new(),
            retry_delay: Span(0),
            timeout: None,
            requirements: None,
            cpus: 1,
            memory: None,
            limit_memory: true,
            gpus: 0,
            runtime: None,
            grace: Span(5_000_000),
            termination_signal: SIGTERM,
            timeout_code: TIMEOUT_CODE,
            out_of_memory_code: OUT_OF_MEMORY_CODE,
            environment: Vec::new(),
            working_dir: None,
            cancel_on_blocking_job_failure: true,
            labels: Vec::new(),
        }
    }
}

/// The number of SIGTERM on every Linux.
const SIGTERM: i32 = 15;

impl JobSettings {
    /// Returns the rule by which a job that ended with this code is tried again, if there is one.
    #[must_use]
    pub fn retry_rule(&self, code: i32) -> Option<&RetryRule> {
        let named = self.retry.iter().find(|rule| rule.exit_codes.contains(&code));
        named.or_else(|| self.retry.iter().find(|rule| rule.any))
    }
}

impl fmt::Debug for JobSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobSettings")
            .field("stdio", &self.stdio)
            .field("retry", &self.retry)
            .field("timeout", &self.timeout)
            .field("requirements", &self.requirements)
            .field("cpus", &self.cpus)
            .field("memory", &self.memory)
            .field("gpus", &self.gpus)
            .field(
                "environment",
                &self.environment.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            )
            .field("working_dir", &self.working_dir)
            .finish_non_exhaustive()
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

/// One job. The numbers are places in the submission, counted from 0: of jobs, files and user data.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Unique within its workflow.
    pub name: String,
    /// What to run.
    pub command: Command,
    /// Higher ones start first.
    #[serde(default)]
    pub priority: i32,
    /// Index into [`WorkflowSpec::settings`].
    #[serde(default)]
    pub settings: u32,
    /// The jobs that it waits for; they may come later in the submission.
    #[serde(default)]
    pub depends_on: Vec<u32>,
    /// The files that it reads.
    #[serde(default)]
    pub inputs: Vec<u32>,
    /// The files that it writes. One that is missing after exit code 0 makes it fail.
    #[serde(default)]
    pub outputs: Vec<u32>,
    /// The user data that it reads.
    #[serde(default)]
    pub input_user_data: Vec<u32>,
    /// The user data that it writes.
    #[serde(default)]
    pub output_user_data: Vec<u32>,
    /// Its own environment, over that of its settings.
    #[serde(default, with = "crate::json::pairs")]
    pub environment: Vec<(String, String)>,
    /// A script that runs its command, which is its arguments.
    pub invocation_script: Option<String>,
}

impl fmt::Debug for JobSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobSpec")
            .field("name", &self.name)
            .field("settings", &self.settings)
            .field("depends_on", &self.depends_on)
            .finish_non_exhaustive()
    }
}

/// What a job runs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// A line as one would type it: run by `bash -c` when it has shell syntax, else directly.
    Line(String),
    /// A program and its arguments, executed as they stand.
    Argv(Vec<String>),
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "Command({} bytes)", line.len()),
            Self::Argv(argv) => write!(f, "Command({} words)", argv.len()),
        }
    }
}

impl Default for Command {
    fn default() -> Self {
        Self::Line(String::new())
    }
}
