//! One job and its states.

use crate::engine::resources::Need;

/// Names a workflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkflowKey(pub u64);

/// Names a job: its workflow, and its place in it in the order of submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobKey {
    /// The workflow.
    pub workflow: WorkflowKey,
    /// Its place.
    pub index: u32,
}

/// The state of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Waits for other jobs, or for the delay before a retry.
    Blocked,
    /// Could run.
    Ready,
    /// Assigned to the worker.
    Pending,
    /// Has a process.
    Running,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Never started, or not again.
    Canceled,
    /// Was running and was stopped.
    Terminated,
    /// Is not to run until somebody enables it.
    Disabled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Blocked,
        Self::Ready,
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
        Self::Disabled,
    ];

    /// Returns whether nothing follows by itself, and what waits for the job has its answer.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled | Self::Terminated)
    }

    /// Returns whether the job is neither with the worker nor ended.
    #[must_use]
    pub fn is_waiting(self) -> bool {
        matches!(self, Self::Blocked | Self::Ready | Self::Disabled)
    }

    /// Returns whether the worker has the job.
    #[must_use]
    pub fn is_assigned(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Success,
    /// Anything else that was not our doing.
    Failure,
    /// A failure that is not tried again, whatever the rules say.
    Unretryable,
    /// It ran longer than it may; tried again like a failure.
    TimedOut,
    /// It was stopped on request.
    Stopped,
    /// It was stopped, and is to be run again: the attempt does not count among those that a retry
    /// takes.
    Interrupted,
    /// It was taken back before it started.
    Withdrawn,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub outcome: Outcome,
    /// With which exit code, for the rules.
    pub code: i32,
    /// How long it took, in microseconds.
    pub took: u64,
}

/// What the engine keeps of a job: as little as will do, for there may be millions.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Higher ones start first.
    pub priority: i32,
    /// Which of the workflow's settings.
    pub settings: u32,
    /// Where it is.
    pub state: State,
    /// How many attempts were assigned and not withdrawn, in all runs.
    pub attempts: u32,
    /// How many of them do not count among the tries of this run: those it had before, and those
    /// that were interrupted.
    pub first: u32,
}

/// When a failure is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The exit codes that it names.
    pub codes: Vec<i32>,
    /// It holds for every code that no other rule names.
    pub any: bool,
    /// How often it lets a job be tried again.
    pub retries: u32,
}

/// What the engine needs to know of a kind of job.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What it takes of the node.
    pub need: Need,
    /// When it is tried again.
    pub rules: Vec<Rule>,
    /// How long to wait before that, in microseconds.
    pub retry_delay: u64,
    /// It is canceled when a job that it waits for does not complete; else it runs once all have
    /// ended.
    pub cancel_on_failure: bool,
    /// How long it takes at most, in microseconds.
    pub runtime: Option<u64>,
    /// No worker here may run it.
    pub held: bool,
}

impl Settings {
    /// Returns how often a job that ended with this code is tried again: what the first rule says
    /// that names it, else the first that holds for any.
    #[must_use]
    pub fn retries(&self, code: i32) -> u32 {
        let named = self.rules.iter().find(|rule| rule.codes.contains(&code));
        named.or_else(|| self.rules.iter().find(|rule| rule.any)).map_or(0, |rule| rule.retries)
    }
}
