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
    /// Record that every job of the workflow that was ready or blocked is canceled: so many.
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
    },
    /// Take an attempt back from the worker, or stop it.
    Stop {
        /// Which job.
        job: JobKey,
        /// Which of its attempts.
        attempt: u32,
    },
    /// Every job of the workflow has ended; the counts are in the order of [`State::ALL`].
    Finish(WorkflowKey, Finish, [u64; State::ALL.len()]),
}

/// How a workflow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// Every job completed.
    Completed,
    /// Some job failed or was terminated.
    Failed,
    /// It was canceled.
    Canceled,
}
