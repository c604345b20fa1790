//! What an earlier daemon left unfinished in the database.
//!
//! Runs once, before the first turn. Whatever was running then is lost: nobody saw its end.

use std::collections::HashSet;

use thiserror::Error;
use torc_protocol::id::{AttemptId, WorkflowId};
use torc_protocol::response::RequestError;
use torc_protocol::spec::RunOptions;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobView, WorkflowView};

use crate::dispatcher::Dispatcher;
use crate::dispatcher::activation::Prepared;
use crate::engine::job::{Job, State};
use crate::store::sql::{SqlError, SqlResult};
use crate::store::tables::job::JobState;
use crate::store::tables::{action, attempt, job, settings, workflow};

/// What to do with a workflow that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// Go on with it.
    Resume,
    /// Record how far it came, and let it be: who wants it to go on asks for it.
    Settle,
}

/// Why what was left cannot be gone on with.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// It cannot be read.
    #[error(transparent)]
    Sqlite(#[from] SqlError),
    /// It is no graph.
    #[error(transparent)]
    Graph(RequestError),
    /// What became of it cannot be recorded.
    #[error("the database takes no changes: {0}")]
    NotRecorded(String),
}

const REASON: &str = "the torcd that ran it ended without seeing how it ended";

impl Dispatcher {
    /// Goes on with the unfinished workflows, or settles them. Returns how many there were. `begun`
    /// are attempts that may have run, though only that they were assigned is recorded.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub(crate) fn restore(
        &mut self,
        what: Unfinished,
        begun: &HashSet<AttemptId>,
    ) -> Result<usize, RestoreError> {
        let unfinished = workflow::unfinished(self.store.reading())?;
        let count = unfinished.len();
        self.record_begun(begun)?;
        for (view, options) in unfinished {
            let now = Timestamp::now();
            let connection = self.store.writing()?;
            attempt::mark_lost(connection, view.id, REASON, now)?;
            action::lose(connection, view.id)?;
            let environment = settings::environment(connection, view.id)?;
            match what {
                Unfinished::Resume if environment.is_some() => self.resume(&view, options)?,
                _ => self.settle(view.id, now)?,
            }
        }
        self.finish_turn();
        match &self.broken {
            None => Ok(count),
            Some(reason) => Err(RestoreError::NotRecorded(reason.clone())),
        }
    }

    /// Records that attempts run which were assigned when their torcd died, and had begun.
    fn record_begun(&mut self, begun: &HashSet<AttemptId>) -> SqlResult<()> {
        for id in begun {
            let found = job::by_id(self.store.reading(), id.job)?;
            let assigned =
                |job: &JobView| job.status == JobStatus::Pending && job.attempts == id.number.0;
            if found.as_ref().is_some_and(assigned) {
                let (node, now) = (self.host.clone(), Timestamp::now());
                let running = attempt::Running { node: &node, pid: None, started_at: now };
                let connection = self.store.writing()?;
                attempt::put_running(connection, *id, running)?;
                job::set(connection, id.job, JobStatus::Running, id.number.0, None)?;
            }
        }
        Ok(())
    }

    fn resume(&mut self, view: &WorkflowView, options: RunOptions) -> Result<(), RestoreError> {
        let mut states = job::states(self.store.reading(), view.id)?;
        let mut jobs = Vec::with_capacity(states.len());
        for one in &mut states {
            let state = state_of(one.status);
            forget_unbegun(one);
            if one.status == JobStatus::Pending || one.status == JobStatus::Running {
                // Whether it is ready or blocked is the engine's to say, which sees it change.
                let connection = self.store.writing()?;
                job::set(connection, one.id, JobStatus::Blocked, one.attempts, None)?;
            }
            jobs.push(Job {
                priority: one.priority,
                settings: one.settings,
                state,
                attempts: one.attempts,
                first: one.first,
            });
        }
        let prepared = self.prepare(view, &states, jobs)?.map_err(RestoreError::Graph)?;
        self.activate(view.id, Prepared { options, ..prepared });
        Ok(())
    }

    fn settle(&mut self, id: WorkflowId, now: Timestamp) -> SqlResult<()> {
        let mut counts = torc_protocol::view::JobCounts::default();
        for mut one in job::states(self.store.reading(), id)? {
            let settled = match one.status {
                JobStatus::Running => JobStatus::Failed,
                JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending => JobStatus::Canceled,
                stays => stays,
            };
            forget_unbegun(&mut one);
            if settled != one.status {
                one.status = settled;
                let code = (settled == JobStatus::Failed).then_some(-1);
                job::set(self.store.writing()?, one.id, settled, one.attempts, code)?;
            }
            counts.total += 1;
            *counts.of(settled) += 1;
        }
        let connection = self.store.writing()?;
        workflow::set_counts(connection, id, &counts)?;
        action::cancel_waiting(connection, id)?;
        workflow::finish(connection, id, WorkflowStatus::Canceled, now)?;
        settings::delete_environment(connection, id)
    }
}

/// Takes back an attempt that was assigned ahead: nothing says that it began.
fn forget_unbegun(job: &mut JobState) {
    if job.status == JobStatus::Pending {
        job.attempts = job.attempts.saturating_sub(1);
    }
}

fn state_of(status: JobStatus) -> State {
    match status {
        JobStatus::Completed => State::Completed,
        JobStatus::Failed => State::Failed,
        JobStatus::Canceled => State::Canceled,
        JobStatus::Terminated => State::Terminated,
        JobStatus::Disabled => State::Disabled,
        JobStatus::Ready => State::Ready,
        JobStatus::Blocked | JobStatus::Pending | JobStatus::Running => State::Blocked,
    }
}
