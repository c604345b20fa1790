//! What comes in to the dispatcher, and the handle by which others send it.

use std::sync::mpsc;

use tokio::sync::{oneshot, watch};
use torc_protocol::event::Event;
use torc_protocol::id::{Generation, WorkflowId};
use torc_protocol::request::{
    Cancel, JobSelector, Restart, SetDisabled, SubmitFiles, WorkflowSelector,
};
use torc_protocol::response::{
    Canceled, Deleted, Disabled, ErrorCode, Explanation, RequestError, Submitted,
};
use torc_protocol::result::StopCause;
use torc_protocol::spec::{JobSpec, WorkflowSpec};
use torc_protocol::time::Span;
use torc_protocol::view::{JobCounts, SnapshotFailure, SnapshotView, WorkflowView};

use crate::event_bus::Subscription;
use crate::nodes::NodeEvent;
use crate::store::shadow::Shadow;
use crate::store::sql::Connection;
use crate::store::tables::snapshot::Author;

/// Where the answer to an input goes.
pub type Reply<T> = oneshot::Sender<Result<T, RequestError>>;

/// One thing that comes in.
#[expect(missing_debug_implementations, reason = "holds functions")]
pub enum Input {
    /// Begin a submission.
    Begin {
        /// Its head.
        spec: Box<WorkflowSpec>,
        /// What names it for good.
        key: Option<String>,
        /// That it is begun, or that it need not be.
        reply: Reply<Begun>,
    },
    /// Add files and user data to a submission.
    AddFiles {
        /// Its number.
        draft: WorkflowId,
        /// What is added.
        added: SubmitFiles,
        /// Taken in.
        reply: Reply<()>,
    },
    /// Add jobs to a submission.
    AddJobs {
        /// Its number.
        draft: WorkflowId,
        /// The jobs.
        jobs: Vec<JobSpec>,
        /// Taken in.
        reply: Reply<()>,
    },
    /// Make a submission visible.
    Commit {
        /// Its number.
        draft: WorkflowId,
        /// Whether to watch it from its first event on.
        watch: bool,
        /// What was submitted; without a watch when it existed.
        reply: Reply<(Submitted, Option<Subscription>)>,
    },
    /// Forget a submission.
    Drop {
        /// Its number.
        draft: WorkflowId,
    },
    /// Run a workflow again.
    Restart {
        /// Which, and how.
        request: Box<Restart>,
        /// What is run, and its events when they are asked for.
        reply: Reply<(Submitted, Option<Subscription>)>,
    },
    /// Remove a workflow.
    Delete {
        /// Which.
        workflow: WorkflowSelector,
        /// What it was.
        reply: Reply<Deleted>,
    },
    /// Set jobs aside, or take them back.
    SetDisabled {
        /// Which.
        request: SetDisabled,
        /// How many.
        reply: Reply<Disabled>,
    },
    /// Say why a job is as it is.
    Explain {
        /// Which.
        job: JobSelector,
        /// Why.
        reply: Reply<Explanation>,
    },
    /// Watch a workflow.
    Watch {
        /// Which.
        workflow: WorkflowSelector,
        /// The first event wanted.
        from_seq: Option<u64>,
        /// The watch.
        reply: Reply<Watching>,
    },
    /// Cancel.
    Cancel {
        /// What.
        request: Cancel,
        /// How much.
        reply: Reply<Canceled>,
    },
    /// Read from a database that only its owner can read.
    Read(Box<dyn FnOnce(&Connection) + Send>),
    /// Answer when all that came in before is recorded.
    Recorded {
        /// It is.
        reply: Reply<()>,
    },
    /// Say how much is going on.
    Totals {
        /// This much.
        reply: Reply<Totals>,
    },
    /// Record that a snapshot begins.
    BeginSnapshot {
        /// Who takes it.
        author: Author,
        /// Where it goes.
        path: String,
        /// Its number, and the changes that it will hold at least.
        reply: Reply<(Generation, u64)>,
    },
    /// Record what became of a snapshot.
    EndSnapshot {
        /// Its number.
        generation: Generation,
        /// What became of it.
        outcome: Result<SnapshotView, SnapshotFailure>,
    },
    /// Copy a database that only its owner can read, little by little.
    Copy {
        /// Over this.
        into: Shadow,
        /// The copy.
        reply: Reply<Shadow>,
    },
    /// Something happened at the node.
    Node(NodeEvent),
    /// Start nothing from now on, and let go on what runs.
    Hold {
        /// Told what is left, whenever that changes.
        left: LeftSender,
    },
    /// Start jobs again: nobody waits for the end of those that run any more.
    GoOn,
    /// End all attempts and start none.
    Stop(StopRequest),
    /// Close the database. The last input of all.
    Close {
        /// Told when it is.
        closed: oneshot::Sender<()>,
    },
}

/// What has become of the wish to submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// A submission with this number takes what follows.
    Draft(WorkflowId),
    /// This workflow was submitted with the same key.
    Existing(WorkflowId),
}

/// A watch that was begun.
#[derive(Debug)]
pub struct Watching {
    /// The state before `next_seq`, when `history` cannot say.
    pub state: Option<WorkflowView>,
    /// Events before `next_seq`.
    pub history: Vec<Event>,
    /// The number of the first event that is neither in `state` nor in `history`.
    pub next_seq: u64,
    /// The events from there on; none when the workflow has ended.
    pub live: Option<Subscription>,
}

/// How much is going on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Totals {
    /// Workflows that have not ended.
    pub workflows: u64,
    /// All of their jobs.
    pub jobs: JobCounts,
    /// Transactions so far.
    pub changes: u64,
    /// Nothing is started, and the daemon ends when nothing runs any more.
    pub held: bool,
    /// Nothing is recorded any more, and all jobs are stopped.
    pub broken: bool,
}

/// What is left of the attempts that ran when the daemon was told to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// So many are known to run.
    pub running: u64,
    /// None is left at all.
    pub ended: bool,
}

/// Where it is told.
pub type LeftSender = watch::Sender<Left>;

/// What becomes of jobs when the daemon stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// Those that run are terminated, the others are left for a later daemon.
    Terminate,
    /// All are left for a later daemon: those that run are stopped, and run again there.
    Interrupt,
    /// Those that run are terminated, the others are canceled: nobody would go on with them.
    Cancel,
}

impl Stopping {
    /// Returns why attempts are stopped.
    pub(super) fn cause(self) -> StopCause {
        match self {
            Self::Terminate | Self::Cancel => StopCause::Shutdown,
            Self::Interrupt => StopCause::Again,
        }
    }
}

/// An order to stop.
#[derive(Debug)]
pub struct StopRequest {
    /// What becomes of jobs. The first order counts.
    pub jobs: Stopping,
    /// How long from SIGTERM to SIGKILL, instead of what each job's settings say.
    pub grace: Option<Span>,
    /// Told when no attempt is left.
    pub ended: Option<oneshot::Sender<()>>,
}

/// A way to send inputs.
#[derive(Clone, Debug)]
pub struct DispatcherHandle(mpsc::Sender<Input>);

impl DispatcherHandle {
    /// Returns a handle that sends to `inputs`.
    #[must_use]
    pub fn new(inputs: mpsc::Sender<Input>) -> Self {
        Self(inputs)
    }

    /// Sends an input; dropped when the dispatcher has ended.
    pub fn send(&self, input: Input) {
        // Whoever waits for the answer learns of it by the reply being dropped.
        let _ = self.0.send(input);
    }

    /// Sends an input and waits for its answer.
    ///
    /// # Errors
    ///
    /// What the dispatcher refuses with, or that it has ended.
    pub async fn ask<T>(&self, input: impl FnOnce(Reply<T>) -> Input) -> Result<T, RequestError> {
        let (reply, answer) = oneshot::channel();
        self.send(input(reply));
        answer
            .await
            .unwrap_or_else(|_| Err(RequestError::new(ErrorCode::Unavailable, "torcd is ending")))
    }
}
