//! What an earlier daemon left unfinished in the database.
//!
//! Runs once, before the first turn. Whatever was running then is lost: nobody saw its end.

use torc_protocol::id::WorkflowId;
use torc_protocol::spec::{JobContext, WorkflowSpec};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::WorkflowView;

use crate::dispatcher::Dispatcher;
use crate::engine::job::{Job, State};
use crate::store::sql::SqlResult;
use crate::store::tables::{attempt, job, settings, workflow};

/// What to do with a workflow that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// Go on with it.
    Resume,
    /// Record how far it came, and let it be: who wants it to go on asks for it.
    Settle,
}

const REASON: &str = "the torcd that ran it ended without seeing how it ended";

impl Dispatcher {
    /// Goes on with the unfinished workflows, or settles them. Returns how many there were.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub(crate) fn restore(&mut self, what: Unfinished) -> SqlResult<usize> {
        let unfinished = workflow::unfinished(self.store.reading())?;
        let count = unfinished.len();
        for (view, max_parallel_jobs) in unfinished {
            let now = Timestamp::now();
            let connection = self.store.writing()?;
            attempt::mark_lost(connection, view.id, REASON, now)?;
            let environment = settings::environment(connection, view.id)?;
            match (what, environment) {
                (Unfinished::Resume, Some(environment)) => {
                    let context = JobContext {
                        environment,
                        working_dir: view.working_dir.clone(),
                        output_dir: view.output_dir.clone(),
                    };
                    self.resume(view, context, max_parallel_jobs)?;
                }
                _ => self.settle(view.id, now)?,
            }
        }
        self.finish_turn();
        Ok(count)
    }

    fn resume(
        &mut self,
        view: WorkflowView,
        context: JobContext,
        max_parallel_jobs: Option<u32>,
    ) -> SqlResult<()> {
        let states = job::states(self.store.reading(), view.id)?;
        let kinds = settings::list(self.store.reading(), view.id)?;
        let mut ids = Vec::with_capacity(states.len());
        let mut jobs = Vec::with_capacity(states.len());
        for mut one in states {
            let state = state_of(one.status);
            if one.status == JobStatus::Pending {
                // It was assigned ahead, and nothing says that it began.
                one.attempts = one.attempts.saturating_sub(1);
            }
            if state == State::Ready && one.status != JobStatus::Ready {
                let connection = self.store.writing()?;
                job::set(connection, one.id, JobStatus::Ready, one.attempts, None)?;
            }
            ids.push(one.id);
            jobs.push(Job {
                priority: one.priority,
                settings: one.settings,
                state,
                attempts: one.attempts,
            });
        }
        let spec = WorkflowSpec {
            name: view.name,
            description: view.description,
            context,
            settings: kinds,
            max_parallel_jobs,
        };
        self.activate(view.id, spec, ids, jobs);
        Ok(())
    }

    fn settle(&mut self, id: WorkflowId, now: Timestamp) -> SqlResult<()> {
        let mut counts = torc_protocol::view::JobCounts::default();
        for mut one in job::states(self.store.reading(), id)? {
            let settled = match one.status {
                JobStatus::Running => JobStatus::Failed,
                JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending => JobStatus::Canceled,
                ended => ended,
            };
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
        workflow::finish(connection, id, WorkflowStatus::Canceled, now)?;
        settings::delete_environment(connection, id)
    }
}

fn state_of(status: JobStatus) -> State {
    match status {
        JobStatus::Completed => State::Completed,
        JobStatus::Failed => State::Failed,
        JobStatus::Canceled | JobStatus::Disabled => State::Canceled,
        JobStatus::Terminated => State::Terminated,
        JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending | JobStatus::Running => {
            State::Ready
        }
    }
}
