//! What the engine wants done. The order matters: they are carried out first to last.

use crate::engine::job::{JobKey, State, WorkflowKey};
use crate::engine::lane::LaneNumber;

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Record that a job is in another state, and how many attempts it has had.
    Set {
        /// Which job.
        job: JobKey,
        /// Where it is now.
        state: State,
        /// How many of its attempts were assigned and not withdrawn.
        attempts: u32,
    },
    /// Record that every job of the workflow that is blocked, ready or disabled, by all that came
    /// before in this turn too, is canceled: so many.
    CancelWaiting(WorkflowKey, u64),
    /// Open a lane at the worker, or change its width.
    Lane {
        /// Its number.
        lane: LaneNumber,
        /// Whose jobs it takes.
        workflow: WorkflowKey,
        /// Which of the workflow's settings.
        settings: u32,
        /// How many run at a time.
        width: u32,
    },
    /// Give an attempt to the worker; the job is pending.
    Assign {
        /// Into this lane.
        lane: LaneNumber,
        /// Which job.
        job: JobKey,
        /// Which of its attempts.
        attempt: u32,
        /// The indices of the GPUs that are leased to it until it ends.
        gpus: Vec<u32>,
    },
    /// Take an attempt back from the worker, or stop it.
    Stop {
        /// Which job.
        job: JobKey,
        /// Which of its attempts.
        attempt: u32,
    },
    /// Take an attempt back from the worker if it has not started there; else it goes on.
    Withdraw {
        /// Which job.
        job: JobKey,
        /// Which of its attempts.
        attempt: u32,
    },
    /// Run a hook, and say with [`hook_ended`](crate::engine::Engine::hook_ended) when it has ended.
    Fire {
        /// Of which workflow.
        workflow: WorkflowKey,
        /// Which of its hooks, as they were submitted.
        hook: u32,
    },
    /// Stop a hook that was fired and has not ended.
    StopHook {
        /// Of which workflow.
        workflow: WorkflowKey,
        /// Which of its hooks.
        hook: u32,
    },
    /// The workflow has ended or is paused, and the engine has forgotten it; the counts are in the
    /// order of [`State::ALL`].
    Finish(WorkflowKey, Finish, [u64; State::ALL.len()]),
}

/// How a workflow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Every job completed.
    Completed,
    /// Some job did not complete.
    Failed,
    /// It was canceled.
    Canceled,
    /// What is left may not run here: jobs that are disabled, that are held, or that no worker of
    /// this size can run, and what waits for them.
    Paused,
}
