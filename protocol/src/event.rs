//! What happened, as it is told to those who watch.

use serde::{Deserialize, Serialize};

use crate::id::{AttemptNumber, JobId, WorkflowId};
use crate::result::Usage;
use crate::status::{JobStatus, WorkflowStatus};
use crate::time::Timestamp;
use crate::view::JobCounts;

/// One thing that happened, after it was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one with every event of a daemon; a watcher resumes from it.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// In which workflow.
    pub workflow_id: WorkflowId,
    /// What.
    #[serde(rename = "event")]
    pub kind: EventKind,
}

/// The kinds of event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A workflow was submitted.
    WorkflowSubmitted {
        /// Its name.
        name: String,
        /// How many jobs it has.
        jobs: u64,
    },
    /// A workflow that had ended is run again.
    WorkflowRestarted {
        /// Its name.
        name: String,
        /// How many of its jobs are to run.
        jobs: u64,
    },
    /// A job has a process.
    JobStarted {
        /// Which job.
        job_id: JobId,
        /// Its name.
        name: String,
        /// Which of its attempts.
        attempt: AttemptNumber,
        /// The process id on its node.
        pid: u32,
    },
    /// An attempt ended.
    JobFinished {
        /// Which job.
        job_id: JobId,
        /// Its name.
        name: String,
        /// Which of its attempts.
        attempt: AttemptNumber,
        /// What the job is now; `ready` when it is tried again at once, `blocked` when after a
        /// delay.
        status: JobStatus,
        /// As [`crate::result::AttemptResult::return_code`].
        return_code: i32,
        /// Why, in words; empty for a plain success.
        reason: String,
        /// What it used.
        usage: Usage,
    },
    /// Jobs that had not started were canceled.
    JobsCanceled {
        /// How many.
        count: u64,
    },
    /// An action of the workflow has ended.
    ActionFinished {
        /// Its number among the jobs.
        job_id: JobId,
        /// Its name.
        name: String,
        /// How it ended.
        status: JobStatus,
        /// As [`crate::result::AttemptResult::return_code`].
        return_code: i32,
        /// Why, in words; empty for a plain success.
        reason: String,
    },
    /// Every job of a workflow has ended, or none that is left can run.
    WorkflowFinished {
        /// How.
        status: WorkflowStatus,
        /// How many of its jobs are in which state.
        counts: JobCounts,
    },
}
