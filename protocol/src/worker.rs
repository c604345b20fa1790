//! What torcd and its workers say to each other.
//!
//! The worker starts jobs of a *lane* in the order in which they came, at most `width` of the lane
//! at a time, and the next one as soon as one ends, without asking. torcd gives a lane a few more
//! jobs than its width, so no slot is idle while a result travels.

use serde::{Deserialize, Serialize};

use crate::id::{AttemptId, WorkflowId};
use crate::resources::NodeResources;
use crate::result::{AttemptResult, LogPart, StopCause};
use crate::spec::{Command, JobContext, JobSettings};
use crate::time::{Span, Timestamp};

/// The number of a lane, chosen by torcd; unique for the life of the worker.
pub type LaneId = u32;

/// What torcd wants of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkerRequest {
    /// What the jobs of a workflow share; before its first `Start`.
    Context {
        /// The workflow.
        workflow: WorkflowId,
        /// Where and as what its jobs run.
        context: JobContext,
        /// The socket of the daemon, for `TORC_SOCKET`.
        socket: String,
    },
    /// No job of this workflow will follow.
    Forget {
        /// The workflow.
        workflow: WorkflowId,
    },
    /// Opens a lane, or changes its width.
    Lane {
        /// Its number.
        lane: LaneId,
        /// How many of its jobs may run at a time.
        width: u32,
        /// Of which workflow its jobs are.
        workflow: WorkflowId,
        /// How they are run.
        settings: JobSettings,
    },
    /// Queue these, in this order.
    Start {
        /// Of this lane.
        lane: LaneId,
        /// What to run.
        jobs: Vec<StartJob>,
    },
    /// Stop these: one that has not started is withdrawn, a running one gets SIGTERM, and SIGKILL
    /// after `grace` (its own when none is given). Attempts that are unknown are passed over. A
    /// shorter grace for one that is being stopped already shortens it.
    Stop {
        /// Which; all when empty.
        attempts: Vec<AttemptId>,
        /// Why.
        cause: StopCause,
        /// How long until SIGKILL.
        grace: Option<Span>,
    },
    /// Send back a part of what a running attempt has written.
    Tail {
        /// To tell the answers apart.
        id: u64,
        /// Whose.
        attempt: AttemptId,
        /// From which byte of stdout on.
        stdout_offset: u64,
        /// From which byte of stderr on.
        stderr_offset: u64,
        /// At most so many bytes of each.
        limit: u32,
        /// Answer only when there is something new on either stream, or the attempt has ended.
        wait: bool,
    },
    /// Stop all as by `Stop` with cause `Shutdown`, report, say `Drained`, and exit.
    Drain {
        /// How long until SIGKILL.
        grace: Span,
    },
    /// Withdraw those of these that have not started. The others go on.
    Withdraw {
        /// Which.
        attempts: Vec<AttemptId>,
        /// Why.
        cause: StopCause,
    },
}

/// One attempt to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartJob {
    /// Which.
    pub attempt: AttemptId,
    /// The name of the job, for `TORC_JOB_NAME`.
    pub name: String,
    /// What to run.
    pub command: Command,
    /// What only some jobs have.
    pub extra: Option<Box<StartExtra>>,
}

/// What only some jobs have.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartExtra {
    /// Its own environment, over that of its lane.
    pub environment: Vec<(String, String)>,
    /// A script that sets the stage for the command and runs it: the command line is appended to it.
    pub invocation_script: Option<String>,
    /// The GPUs that it has for itself, as CUDA and HIP name them.
    pub gpus: Vec<String>,
    /// What is run before it, because the attempt before it failed.
    pub recovery: Option<Recovery>,
    /// The files that it reads; relative to the working directory of the workflow.
    pub inputs: Vec<String>,
    /// The files that it must have written when it ends with exit code 0.
    pub outputs: Vec<String>,
}

impl std::fmt::Debug for StartExtra {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StartExtra")
            .field("gpus", &self.gpus)
            .field("recovery", &self.recovery)
            .field("inputs", &self.inputs)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// A script that is run in the place of a job before its next attempt. When it fails, the attempt
/// is not made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// A command line.
    pub script: String,
    /// With what code the attempt before ended, for `TORC_RETURN_CODE`.
    pub return_code: i32,
}

impl std::fmt::Debug for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovery")
            .field("script", &format_args!("{} bytes", self.script.len()))
            .field("return_code", &self.return_code)
            .finish()
    }
}

/// What a worker reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkerEvent {
    /// It is there. The first message, before any request.
    Ready {
        /// What its node has.
        resources: NodeResources,
        /// Its process id.
        pid: u32,
    },
    /// An attempt has a process. That of a recovery script before it is not told of.
    Started {
        /// Which.
        attempt: AttemptId,
        /// The process, which leads a process group of its own.
        pid: u32,
        /// When.
        at: Timestamp,
    },
    /// An attempt has ended and nothing of it is left.
    Finished {
        /// Which.
        attempt: AttemptId,
        /// How, and what it gave.
        result: AttemptResult,
    },
    /// The answer to `Tail`.
    Tailed {
        /// The number of the request.
        id: u64,
        /// Stdout, then stderr; none when that attempt is not running here (any more): its
        /// `Finished` was sent before this.
        parts: Option<(LogPart, LogPart)>,
    },
    /// All has ended; the worker exits.
    Drained,
}
