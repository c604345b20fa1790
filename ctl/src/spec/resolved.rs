//! What a workflow file comes to: every job spelled out, every name looked up.
//!
//! Owned and complete: nothing here refers to the file, and nothing is left that can fail. Indices
//! are into the lists of the same [`Workflow`]. What jobs of one template have in common (labels,
//! environment, scripts) is shared, so that a million of them stay small. The graph of
//! [`Job::depends_on`] has no cycle.

use std::fmt;
use std::sync::Arc;

use torc_protocol::spec::StdioMode;
use torc_protocol::time::Span;

/// Names with values, in the order of the file; the names are distinct.
pub type Variables = [(String, String)];

/// A workflow that can be run as it stands.
#[derive(Clone, Default)]
pub struct Workflow {
    /// What users call it; never empty.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// What it belongs to.
    pub project: Option<String>,
    /// Whose it is, if the file says so.
    pub user: Option<String>,
    /// JSON text.
    pub metadata: Option<String>,
    /// The environment of every job; that of the job itself wins.
    pub environment: Vec<(String, String)>,
    /// What jobs may need.
    pub resources: Vec<Resources>,
    /// What jobs read and write.
    pub files: Vec<File>,
    /// JSON values that jobs read and write.
    pub user_data: Vec<UserData>,
    /// What to do about failed jobs.
    pub handlers: Vec<Handler>,
    /// Commands that run beside the jobs.
    pub actions: Vec<Action>,
    /// How jobs are stopped and limited.
    pub execution: Execution,
    /// At least one, in the order of the file.
    pub jobs: Vec<Job>,
    /// What the file asks for and does not get, each a sentence with its place in the file.
    pub warnings: Vec<String>,
}

/// One job.
#[derive(Clone)]
pub struct Job {
    /// Unique within the workflow.
    pub name: String,
    /// The line for the shell.
    pub command: String,
    /// Higher ones start first.
    pub priority: i32,
    /// Runs only where all of them are offered.
    pub labels: Arc<[String]>,
    /// Index into [`Workflow::resources`].
    pub resources: Option<u32>,
    /// Index into [`Workflow::handlers`].
    pub handler: Option<u32>,
    /// Its own variables; they win over those of the workflow.
    pub environment: Arc<Variables>,
    /// What runs the command: a script or command line to which the command is given.
    pub invocation_script: Option<Arc<str>>,
    /// Whether it is canceled when a job that it waits for does not complete; else it runs then.
    pub cancel_on_blocking_job_failure: bool,
    /// Whether it ends by itself when told to, if the file says so.
    pub supports_termination: Option<bool>,
    /// What becomes of its output: as the job says, else as the workflow says.
    pub stdio: Option<Stdio>,
    /// The jobs that it waits for, inferred ones included: sorted, each once.
    pub depends_on: Box<[u32]>,
    /// The files that it reads: sorted, each once.
    pub inputs: Box<[u32]>,
    /// The files that it writes: sorted, each once. No other job writes them.
    pub outputs: Box<[u32]>,
    /// The user data that it reads: sorted, each once.
    pub input_user_data: Box<[u32]>,
    /// The user data that it writes: sorted, each once. No other job writes them.
    pub output_user_data: Box<[u32]>,
}

/// What becomes of the output of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stdio {
    /// Where it goes.
    pub mode: StdioMode,
    /// Whether it is dropped when the job completes.
    pub delete_on_success: bool,
}

/// What a job needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Unique among the resources.
    pub name: String,
    /// At least 1.
    pub cpus: u32,
    /// Whole GPUs.
    pub gpus: u32,
    /// At least 1.
    pub nodes: u32,
    /// Bytes; none: no limit.
    pub memory: Option<u64>,
    /// How long it is expected to run; it does not start when less time is left. Not a limit.
    pub runtime: Option<Span>,
}

/// A file that jobs read or write.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Unique among the files.
    pub name: String,
    /// As in the workflow file: absolute, or relative to the working directory of the run.
    pub path: String,
    /// Its name in the world outside.
    pub identifier: Option<String>,
    /// When it was last changed, in seconds since the Unix epoch, if the workflow file says so.
    pub modified: Option<f64>,
}

/// A JSON value that jobs read or write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserData {
    /// Unique among the user data.
    pub name: String,
    /// JSON text; none until a job has written it.
    pub data: Option<String>,
    /// Whether it is forgotten when the workflow ends.
    pub is_ephemeral: bool,
}

/// What to do about failed jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handler {
    /// Unique among the handlers.
    pub name: String,
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

/// What to do about some exit codes. The first rule that names the code applies, else the first
/// that matches all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The codes that it names; never 0.
    pub exit_codes: Vec<i32>,
    /// Whether it applies to every code but 0.
    pub match_all: bool,
    /// Runs before the next attempt.
    pub recovery_script: Option<String>,
    /// How many more attempts there are.
    pub max_retries: u32,
}

/// Commands that run when something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// When.
    pub trigger: Trigger,
    /// Lines for the shell, run in this order; at least one.
    pub commands: Vec<String>,
    /// The jobs that [`Trigger::JobsReady`] and [`Trigger::JobsComplete`] wait for: sorted, each
    /// once; empty means all jobs.
    pub jobs: Vec<u32>,
    /// Whether it runs each time, not once only.
    pub persistent: bool,
}

/// What starts an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// The workflow starts.
    WorkflowStart,
    /// The workflow has ended.
    WorkflowComplete,
    /// All of the jobs are ready.
    JobsReady,
    /// All of the jobs have ended.
    JobsComplete,
    /// A worker starts.
    WorkerStart,
    /// A worker ends.
    WorkerComplete,
}

/// How jobs are stopped and limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// How long before the end of the allotted time jobs are killed.
    pub sigkill_headroom: Span,
    /// How long before the kill they are told to end.
    pub sigterm_lead: Span,
    /// The exit code of a job that ran out of time.
    pub timeout_exit_code: i32,
    /// The exit code of a job that took too much memory.
    pub oom_exit_code: i32,
    /// The number of the signal that tells a job to end.
    pub termination_signal: i32,
    /// Whether jobs are held to the resources that they ask for.
    pub limit_resources: bool,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            sigkill_headroom: Span(60_000_000),
            sigterm_lead: Span(30_000_000),
            timeout_exit_code: 152,
            oom_exit_code: 137,
            termination_signal: 15,
            limit_resources: true,
        }
    }
}

// The values of variables may be secrets: Debug shows their names only.

impl fmt::Debug for Workflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workflow")
            .field("name", &self.name)
            .field("environment", &names(&self.environment))
            .field("resources", &self.resources)
            .field("files", &self.files)
            .field("user_data", &self.user_data)
            .field("handlers", &self.handlers)
            .field("actions", &self.actions)
            .field("execution", &self.execution)
            .field("jobs", &self.jobs)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .field("command", &self.command)
            .field("environment", &names(&self.environment))
            .field("depends_on", &self.depends_on)
            .finish_non_exhaustive()
    }
}

fn names(variables: &Variables) -> Vec<&str> {
    variables.iter().map(|(name, _)| name.as_str()).collect()
}
