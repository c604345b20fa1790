//! What torcd replies, and the errors that a client can branch on.
//!
//! Variants of [`Response`] are appended, never reordered.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::Event;
use crate::id::{AttemptId, WorkflowId};
use crate::json::{Nothing, nothing};
use crate::result::LogPart;
use crate::status::JobStatus;
use crate::time::Span;
use crate::view::{
    EdgeView, FileUseView, FileView, JobView, ResultView, SnapshotFailure, SnapshotPhase,
    SnapshotStatusView, SnapshotView, StatusView, UserDataView, WorkflowView,
};

/// The reply to `Ping`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Nothing", into = "Nothing")]
pub struct Pong;

nothing!(Pong);

/// The reply to `Submit` and to each `SubmitJobs`: taken in, not yet visible.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitAccepted {
    /// The workflow that was submitted with the same key before: no submission was begun, and there
    /// is nothing to send.
    pub existing: Option<WorkflowId>,
}

/// The reply to `SubmitCommit` and to `Restart`: recorded, and starting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// The number of the new workflow.
    pub workflow_id: WorkflowId,
    /// How many of its jobs are to run.
    pub jobs: u64,
    /// It was there already: somebody has submitted it with the same key meanwhile.
    pub existed: bool,
}

/// The reply to `SetDisabled`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disabled {
    /// In which workflow.
    pub workflow_id: WorkflowId,
    /// How many jobs are now as was asked for, and were not before.
    pub changed: u64,
}

/// The reply to `DeleteWorkflow`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// The workflow that was.
    pub workflow_id: WorkflowId,
    /// How many jobs it had.
    pub jobs: u64,
}

/// The reply to `Explain`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The job.
    pub job: JobView,
    /// Why it is as it is: one sentence each, the first the most important.
    pub reasons: Vec<String>,
    /// What to do about it, if there is anything.
    pub hint: Option<String>,
}

/// A part of the reply to `Watch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchItem {
    /// The present state, in place of events that are no longer remembered.
    State {
        /// The workflow with its counts.
        workflow: Box<WorkflowView>,
        /// The number of the first event that is not in it.
        next_seq: u64,
    },
    /// Events in order.
    Events(Vec<Event>),
    /// All that follows is live.
    CaughtUp {
        /// The number of the next event.
        next_seq: u64,
    },
    /// The watcher was too slow and is cut off; it may watch again from here.
    Cut {
        /// The first event that it was not sent.
        next_seq: u64,
    },
}

/// The reply to `Cancel`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canceled {
    /// In which workflow.
    pub workflow_id: WorkflowId,
    /// How many jobs will not start.
    pub canceled: u64,
    /// How many are being stopped.
    pub stopping: u64,
}

/// The reply to `GetJob`. The lists have at most [`JobDetail::MOST`] entries each: a job may wait for
/// a million others, and `ListEdges`, `ListFileUses` and `ListResults` have all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    /// The job.
    pub job: JobView,
    /// Its last attempts, in order; without the command, which is that of the job.
    pub attempts: Vec<ResultView>,
    /// The names of the first jobs that it waits for.
    pub depends_on: Vec<String>,
    /// The first files that it reads and writes.
    pub files: Vec<FileUseView>,
}

impl JobDetail {
    /// How many entries a list has at most.
    pub const MOST: usize = 1_000;
}

/// The reply to `Logs`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogChunk {
    /// Whose.
    pub attempt: AttemptId,
    /// The name of the job.
    pub name: String,
    /// What became of it: `running` while it runs.
    pub status: JobStatus,
    /// From the asked offset on.
    pub stdout: LogPart,
    /// From the asked offset on.
    pub stderr: LogPart,
    /// The attempt has ended, and there is nothing beyond these parts.
    pub ended: bool,
}

/// A part of the reply to `Snapshot` and `Shutdown`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotProgress {
    /// It is queued; all that was asked for.
    Queued,
    /// It has come to this step.
    Phase(SnapshotPhase),
    /// It is on disk, synced and verified.
    Done(Box<SnapshotView>),
    /// It is not; the one before it is untouched.
    Failed(SnapshotFailure),
    /// The time to wait is over; it was at this step and goes on.
    TimedOut(SnapshotPhase),
    /// There is nothing to save: the daemon only reads.
    Nothing,
    /// The daemon is ending, and waits for its last snapshot for so long at the most.
    Limit(Span),
    /// The daemon is to end, and waits for so many jobs and actions that run.
    Jobs(u64),
}

/// What a client can branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The request itself is wrong.
    InvalidRequest,
    /// What it names is not there.
    NotFound,
    /// What it names is in another state, or a rule of ours refuses.
    WrongState,
    /// The daemon only reads, or is ending.
    Unavailable,
    /// A fault of ours; the daemon's log says more.
    Internal,
}

/// A request that was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
#[error("{message}")]
pub struct RequestError {
    /// The kind.
    pub code: ErrorCode,
    /// What failed, naming the thing.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl RequestError {
    /// Returns an error without a hint.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
    }

    /// Returns this error with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A reply, or a part of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant holds the type that documents it")]
pub enum Response {
    Pong(Pong),
    Status(Box<StatusView>),
    SubmitAccepted(SubmitAccepted),
    Submitted(Submitted),
    Watch(WatchItem),
    Canceled(Canceled),
    Workflows(Vec<WorkflowView>),
    Jobs(Vec<JobView>),
    Results(Vec<ResultView>),
    Job(Box<JobDetail>),
    Logs(LogChunk),
    Snapshot(SnapshotProgress),
    /// Ends a reply of many parts.
    End,
    Error(RequestError),
    Disabled(Disabled),
    Explanation(Box<Explanation>),
    Workflow(Box<WorkflowView>),
    Deleted(Deleted),
    Edges(Vec<EdgeView>),
    Files(Vec<FileView>),
    FileUses(Vec<FileUseView>),
    UserData(Vec<UserDataView>),
    /// Comes before any reply while snapshots fail, once each time that they begin to; it is no
    /// reply itself.
    Degraded(Box<SnapshotStatusView>),
}

macro_rules! replies {
    ($($variant:ident($reply:ty) $(as $boxed:ident)?;)+) => {
        $(
            impl TryFrom<Response> for $reply {
                type Error = Box<Response>;

                fn try_from(response: Response) -> Result<Self, Self::Error> {
                    match response {
                        Response::$variant(reply) => Ok(replies!(@open reply $($boxed)?)),
                        other => Err(Box::new(other)),
                    }
                }
            }

            impl From<$reply> for Response {
                fn from(reply: $reply) -> Self {
                    Self::$variant(replies!(@wrap reply $($boxed)?))
                }
            }
        )+
    };
    (@open $reply:ident) => { $reply };
    (@open $reply:ident boxed) => { *$reply };
    (@wrap $reply:ident) => { $reply };
    (@wrap $reply:ident boxed) => { Box::new($reply) };
}

replies! {
    Pong(Pong);
    Status(StatusView) as boxed;
    SubmitAccepted(SubmitAccepted);
    Submitted(Submitted);
    Watch(WatchItem);
    Canceled(Canceled);
    Workflows(Vec<WorkflowView>);
    Jobs(Vec<JobView>);
    Results(Vec<ResultView>);
    Job(JobDetail) as boxed;
    Logs(LogChunk);
    Snapshot(SnapshotProgress);
    Error(RequestError);
    Disabled(Disabled);
    Explanation(Explanation) as boxed;
    Workflow(WorkflowView) as boxed;
    Deleted(Deleted);
    Edges(Vec<EdgeView>);
    Files(Vec<FileView>);
    FileUses(Vec<FileUseView>);
    UserData(Vec<UserDataView>);
}
