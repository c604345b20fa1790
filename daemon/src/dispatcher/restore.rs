//! What an earlier daemon left unfinished in the database.
//!
//! Runs once, before the first turn. Whatever was running then is lost: nobody saw its end.

use std::collections::HashSet;
use std::io;

use thiserror::Error;
use torc_protocol::id::{AttemptId, WorkflowId};
use torc_protocol::spec::{JobSettings, RunOptions};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobView, WorkflowView};

use crate::dispatcher::Dispatcher;
use crate::dispatcher::activation::Prepared;
use crate::dispatcher::removing::Slack;
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
    /// There is no thread to do it on.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] io::Error),
    /// The thread has ended before it was done.
    #[error("the dispatcher has broken down")]
    Ended,
    /// What became of it cannot be recorded.
    #[error("the database takes no changes: {0}")]
    NotRecorded(String),
}

const REASON: &str = "the torcd that ran it ended without seeing how it ended";
/// The code of an attempt whose end nobody saw, as [`torc_protocol::result`] has it.
const LOST: i32 = -1;

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
        self.given_up = workflow::hidden(self.store.reading())?;
        self.slack = Slack::Unknown;
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
                Unfinished::Resume if environment.is_some() => self.resume(&view, options, now)?,
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

    /// Goes on with a workflow; one that cannot be gone on with is settled.
    fn resume(
        &mut self,
        view: &WorkflowView,
        options: RunOptions,
        now: Timestamp,
    ) -> Result<(), RestoreError> {
        let mut states = job::states(self.store.reading(), view.id)?;
        let mut jobs = Vec::with_capacity(states.len());
        let kinds = settings::list(self.store.reading(), view.id)?;
        for one in &mut states {
            forget_unbegun(one);
            let connection = self.store.writing()?;
            match one.status {
                // Whether it is ready or blocked is the engine's to say, which sees it change.
                JobStatus::Pending => {
                    one.status = JobStatus::Blocked;
                    job::set(connection, one.id, one.status, one.attempts, None)?;
                }
                JobStatus::Running => {
                    let again = is_tried_again(one, &kinds);
                    one.status = if again { JobStatus::Blocked } else { JobStatus::Failed };
                    job::set(connection, one.id, one.status, one.attempts, Some(LOST))?;
                }
                _ => {}
            }
            let state = state_of(one.status);
            jobs.push(Job {
                priority: one.priority,
                settings: one.settings,
                state,
                attempts: one.attempts,
                first: one.first,
            });
        }
        match self.prepare(view, &states, jobs)? {
            Ok(prepared) => self.activate(view.id, Prepared { options, ..prepared }),
            Err(error) => {
                tracing::error!("workflow {} cannot go on: {error}", view.id);
                self.settle(view.id, now)?;
            }
        }
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
                let code = (settled == JobStatus::Failed).then_some(LOST);
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

/// Returns whether a job is tried again whose attempt was lost: what its rules say for that.
fn is_tried_again(job: &JobState, kinds: &[JobSettings]) -> bool {
    let tries = job.attempts.saturating_sub(job.first);
    let rule = kinds.get(job.settings as usize).and_then(|kind| kind.retry_rule(LOST));
    rule.is_some_and(|rule| tries <= rule.max_retries)
}

/// Takes back an attempt that was assigned ahead: nothing says that it began.
fn forget_unbegun(job: &mut JobState) {
    if job.status == JobStatus::Pending {
        job.attempts = job.attempts.saturating_sub(1);
    }
}

pub(super) fn state_of(status: JobStatus) -> State {
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
