//! One job and its states.

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
    /// Waits, for now only for the delay before a retry.
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
    /// Never started.
    Canceled,
    /// Was running and was stopped.
    Terminated,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::Ready,
        Self::Pending,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Canceled,
        Self::Terminated,
    ];

    /// Returns whether nothing follows by itself.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Canceled | Self::Terminated)
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Exit code 0.
    Success,
    /// Anything else that was not our doing.
    Failure,
    /// It ran longer than it may; tried again like a failure.
    TimedOut,
    /// It was stopped on request.
    Stopped,
    /// It was taken back before it started.
    Withdrawn,
}

/// The end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub outcome: Outcome,
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
    /// How many attempts were assigned.
    pub attempts: u32,
}

/// What the engine needs to know of a kind of job.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// CPUs that it takes.
    pub cpus: u32,
    /// How often it is tried again.
    pub retries: u32,
    /// How long to wait before that, in microseconds.
    pub retry_delay: u64,
}
