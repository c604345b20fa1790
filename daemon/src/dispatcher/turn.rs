//! What one turn of the dispatcher has collected.
//!
//! Changes of one job within a turn are merged, so a job that starts and ends in the same turn is
//! written once.

use std::collections::{HashMap, HashSet};

use torc_protocol::id::{AttemptId, JobId, WorkflowId};
use torc_protocol::request::WorkflowSelector;
use torc_protocol::response::{ErrorCode, RequestError};
use torc_protocol::result::AttemptResult;
use torc_protocol::status::JobStatus;
use torc_protocol::view::JobCounts;
use torc_protocol::worker::{LaneId, StartJob, WorkerRequest};

use crate::dispatcher::admission::command_bytes;
use crate::dispatcher::input::{Reply, Watching};
use crate::engine::action::Action;

/// What goes to the worker in one frame takes so much room at most, unless a single job takes more.
const START_BYTES: usize = 1024 * 1024;

type Deferred = Box<dyn FnOnce(Result<(), RequestError>) + Send>;

/// A watch that is asked for.
pub(super) type WatchRequest = (WorkflowSelector, Option<u64>, Reply<Watching>);

/// What is to be written of a job.
pub(super) struct JobChange {
    pub(super) workflow: WorkflowId,
    pub(super) status: JobStatus,
    pub(super) attempts: u32,
    pub(super) return_code: Option<i32>,
}

/// What is to be written of an attempt; a result replaces that it runs.
pub(super) enum AttemptChange {
    Running,
    Ended(Option<u32>, Box<AttemptResult>),
}

/// All that one turn has collected.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) actions: Vec<Action>,
    pub(super) jobs: HashMap<JobId, JobChange>,
    pub(super) attempts: HashMap<AttemptId, AttemptChange>,
    /// Actions that were stopped, for the next torcd to do them.
    pub(super) to_fire: Vec<JobId>,
    /// Workflows whose counts have changed otherwise than through `jobs`.
    pub(super) changed: HashSet<WorkflowId>,
    /// How many jobs were canceled one by one, which is told in one event.
    pub(super) canceled: HashMap<WorkflowId, u64>,
    /// The last counts of workflows that have ended.
    pub(super) last_counts: HashMap<WorkflowId, JobCounts>,
    pub(super) requests: Vec<WorkerRequest>,
    /// How much room the jobs of the last request take, about, if it starts some.
    start_bytes: usize,
    pub(super) replies: Vec<Deferred>,
    pub(super) watches: Vec<WatchRequest>,
}

impl Turn {
    /// Replies once the turn is recorded.
    pub(super) fn reply<T: Send + 'static>(&mut self, reply: Reply<T>, value: T) {
        self.replies.push(Box::new(move |recorded| {
            // Whoever asked may have gone.
            let _ = reply.send(recorded.map(|()| value));
        }));
    }

    /// Takes note that all that waits of a workflow is canceled, as far as this turn knows of it.
    pub(super) fn cancel_waiting(&mut self, id: WorkflowId) {
        use JobStatus::{Blocked, Disabled, Ready};
        let waits = |change: &&mut JobChange| {
            change.workflow == id && matches!(change.status, Blocked | Ready | Disabled)
        };
        self.jobs.values_mut().filter(waits).for_each(|change| {
            change.status = JobStatus::Canceled;
        });
        self.changed.insert(id);
    }

    /// Gives a job to a lane of the worker; together with the one before, unless the two are of
    /// different lanes or the frame gets long.
    pub(super) fn start(&mut self, lane: LaneId, job: StartJob) {
        let bytes = job.name.len() + command_bytes(&job.command) + extra_bytes(&job);
        match self.requests.last_mut() {
            Some(WorkerRequest::Start { lane: last, jobs })
                if *last == lane && self.start_bytes + bytes <= START_BYTES =>
            {
                self.start_bytes += bytes;
                jobs.push(job);
            }
            _ => {
                self.start_bytes = bytes;
                self.requests.push(WorkerRequest::Start { lane, jobs: vec![job] });
            }
        }
    }

    /// Refuses; at once, for nothing is to be recorded.
    pub(super) fn refuse<T>(reply: Reply<T>, error: RequestError) {
        // Whoever asked may have gone.
        let _ = reply.send(Err(error));
    }
}

/// Returns how much room what only some jobs have takes in a frame, about.
fn extra_bytes(job: &StartJob) -> usize {
    let Some(extra) = &job.extra else { return 0 };
    let variables = extra.environment.iter().map(|(name, value)| name.len() + value.len() + 4);
    let paths = extra.inputs.iter().chain(&extra.outputs).map(|path| path.len() + 2);
    let recovery = extra.recovery.as_ref().map(|recovery| &recovery.script);
    let scripts = extra.invocation_script.iter().chain(recovery).map(String::len);
    variables.chain(paths).chain(scripts).sum()
}

/// Returns the error for what came after a database had begun to take no more.
pub(super) fn not_recorded_since(reason: &str) -> RequestError {
    let message = format!(
        "all that was acknowledged is kept, but what came after is not recorded: the database takes \
         no more changes: {reason}"
    );
    RequestError::new(ErrorCode::Internal, message).hint("make room and run what is missing again")
}

/// Returns the error for what could not be recorded.
pub(super) fn not_recorded(reason: &str) -> RequestError {
    RequestError::new(ErrorCode::Internal, format!("the database takes no more changes: {reason}"))
        .hint("`torcctl status` shows the state of the last snapshot; make room and start again")
}
