//! What clients and the snapshotter ask, submissions and watches aside.

use torc_protocol::id::{Generation, JobId, WorkflowId};
use torc_protocol::request::{Cancel, JobSelector, WorkflowSelector};
use torc_protocol::response::{Canceled, ErrorCode, RequestError};
use torc_protocol::result::StopCause;
use torc_protocol::status::JobStatus;
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{SnapshotFailure, SnapshotView};

use crate::dispatcher::Dispatcher;
use crate::dispatcher::actions::job_counts;
use crate::dispatcher::input::{Reply, Totals};
use crate::dispatcher::submission::is_ending;
use crate::dispatcher::turn::{Turn, not_recorded, not_recorded_since};
use crate::engine::job::{JobKey, State, WorkflowKey};
use crate::store::sql::Connection;
use crate::store::tables::job;
use crate::store::tables::snapshot::{self, Author};

impl Dispatcher {
    pub(super) fn cancel(&mut self, request: &Cancel, reply: Reply<Canceled>) {
        match self.try_cancel(request) {
            Ok(canceled) => self.turn.reply(reply, canceled),
            Err(error) => Turn::refuse(reply, error),
        }
    }

    fn try_cancel(&mut self, request: &Cancel) -> Result<Canceled, RequestError> {
        self.check_unsaved()?;
        let id = self.find_workflow(&request.workflow)?.id;
        let mut canceled = Canceled { workflow_id: id, canceled: 0, stopping: 0 };
        if !self.active.contains_key(&id) {
            return Ok(canceled);
        }
        let selected = request.jobs.iter().map(|selector| self.select_job(id, selector));
        let keys = selected.collect::<Result<Vec<_>, _>>()?;
        if request.jobs.is_empty() {
            if let Some(active) = self.active.get_mut(&id) {
                active.cause = StopCause::Canceled;
                active.grace = request.grace;
                active.canceled.clear();
            }
            let key = WorkflowKey(id.0);
            let counts = self.engine.cancel(key, &mut self.turn.actions).unwrap_or((0, 0));
            (canceled.canceled, canceled.stopping) = counts;
            return Ok(canceled);
        }
        for key in keys {
            if let Some(active) = self.active.get_mut(&id) {
                active.canceled.insert(key, request.grace);
            }
            match self.engine.cancel_job(key, &mut self.turn.actions) {
                Some(State::Blocked | State::Ready | State::Disabled) => canceled.canceled += 1,
                Some(State::Pending | State::Running) => canceled.stopping += 1,
                _ => {}
            }
        }
        Ok(canceled)
    }

    pub(super) fn select_job(
        &self,
        id: WorkflowId,
        selector: &JobSelector,
    ) -> Result<JobKey, RequestError> {
        let (wanted, what): (Option<JobId>, String) = match selector {
            JobSelector::Id(job) => (Some(*job), job.to_string()),
            JobSelector::Name(_, name) => {
                let found = job::by_name(self.store.reading(), id, name);
                let found = found.map_err(|error| not_recorded(&error.to_string()))?;
                (found.map(|job| job.id), name.clone())
            }
        };
        wanted
            .and_then(|job| self.active.get(&id)?.ids.binary_search(&job).ok())
            .map(|index| JobKey { workflow: WorkflowKey(id.0), index: index as u32 })
            .ok_or_else(|| not_found(format!("workflow {id} has no job '{what}'")))
    }

    /// Cancels every workflow.
    pub(super) fn cancel_everything(&mut self, cause: StopCause, grace: Option<Span>) {
        for active in self.active.values_mut() {
            active.cause = cause;
            active.grace = grace;
            active.canceled.clear();
        }
        let keys: Vec<WorkflowKey> = self.engine.running().collect();
        for key in keys {
            self.engine.cancel(key, &mut self.turn.actions);
        }
    }

    pub(super) fn totals(&mut self, reply: Reply<Totals>) {
        let mut totals = Totals {
            changes: self.store.changes(),
            held: self.hold.is_some(),
            broken: self.broken.is_some(),
            ..Totals::default()
        };
        for key in self.engine.running() {
            totals.workflows += 1;
            let Some(counts) = self.engine.counts(key) else { continue };
            let mut counts = job_counts(&counts);
            totals.jobs.total += counts.total;
            for status in JobStatus::ALL {
                *totals.jobs.of(*status) += *counts.of(*status);
            }
        }
        if self.broken.is_some() {
            // Nothing is recorded any more, and that is when people ask.
            let _ = reply.send(Ok(totals));
            return;
        }
        self.turn.reply(reply, totals);
    }

    pub(super) fn begin_snapshot(
        &mut self,
        author: &Author,
        path: &str,
        reply: Reply<(Generation, u64)>,
    ) {
        let changes = self.store.changes() + 1;
        let begin = |connection: &Connection| {
            snapshot::begin(connection, author, changes, path, Timestamp::now())
        };
        if self.broken.is_some() {
            // What was acknowledged is all there, and can still be brought to safety.
            let begun = self.store.at_last(begin).map(|generation| (generation, changes));
            let _ = reply.send(begun.map_err(|error| not_recorded(&error.to_string())));
            return;
        }
        // In the transaction of this turn: the snapshot holds it, and all before it.
        match self.store.all_or_nothing(begin) {
            Ok(generation) => self.turn.reply(reply, (generation, changes)),
            Err(error) => Turn::refuse(reply, not_recorded(&error.to_string())),
        }
    }

    /// Refuses what would change the record when the last snapshot may hold it already: the daemon is
    /// ending, and no attempt is left that it waits for.
    pub(super) fn check_unsaved(&self) -> Result<(), RequestError> {
        if self.stop.is_some() && self.in_flight.is_empty() { Err(is_ending()) } else { Ok(()) }
    }

    /// Answers when all that came in before is recorded.
    pub(super) fn recorded(&mut self, reply: Reply<()>) {
        match &self.broken {
            None => self.turn.reply(reply, ()),
            Some(reason) => Turn::refuse(reply, not_recorded_since(reason)),
        }
    }

    pub(super) fn end_snapshot(
        &mut self,
        generation: Generation,
        outcome: &Result<SnapshotView, SnapshotFailure>,
    ) {
        let stored = self.store.aside(|connection| {
            snapshot::finish(connection, generation, outcome, Timestamp::now())
        });
        if let Err(error) = stored {
            tracing::warn!("cannot record what became of snapshot {generation}: {error}");
        }
    }
}

/// Returns the error for a workflow that is not there, naming it.
#[must_use]
pub fn no_workflow(selector: &WorkflowSelector) -> RequestError {
    let message = match selector {
        WorkflowSelector::Latest => "there is no workflow yet".to_owned(),
        WorkflowSelector::Id(id) => format!("there is no workflow {id}"),
        WorkflowSelector::Name(name) => format!("there is no workflow named '{name}'"),
    };
    RequestError::new(ErrorCode::NotFound, message)
        .hint("`torcctl workflows list` shows what there is")
}

pub(super) fn not_found(message: String) -> RequestError {
    RequestError::new(ErrorCode::NotFound, message)
        .hint("`torcctl workflows list` and `torcctl jobs list` show what there is")
}
