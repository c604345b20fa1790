//! Setting jobs aside and taking them back, and the removal of workflows.

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{JobSelector, SetDisabled, WorkflowSelector};
use torc_protocol::response::{Deleted, Disabled, ErrorCode, RequestError};
use torc_protocol::status::JobStatus;
use torc_protocol::view::{JobView, WorkflowView};

use crate::dispatcher::Dispatcher;
use crate::dispatcher::control::{no_workflow, not_found};
use crate::dispatcher::input::Reply;
use crate::dispatcher::turn::{Turn, not_recorded};
use crate::engine::job::State;
use crate::store::sql::SqlError;
use crate::store::tables::{job, workflow};

impl Dispatcher {
    pub(super) fn set_disabled(&mut self, request: &SetDisabled, reply: Reply<Disabled>) {
        match self.try_set_disabled(request) {
            Ok(disabled) => self.turn.reply(reply, disabled),
            Err(error) => Turn::refuse(reply, error),
        }
    }

    fn try_set_disabled(&mut self, request: &SetDisabled) -> Result<Disabled, RequestError> {
        self.check_unsaved()?;
        let id = self.find_workflow(&request.workflow)?.id;
        let mut disabled = Disabled { workflow_id: id, changed: 0 };
        if !self.active.contains_key(&id) {
            disabled.changed = self.set_aside(id, request)?;
            return Ok(disabled);
        }
        let selected = request.jobs.iter().map(|selector| self.select_job(id, selector));
        for key in selected.collect::<Result<Vec<_>, _>>()? {
            let actions = &mut self.turn.actions;
            let changed = if request.disabled {
                let before = self.engine.disable(key, actions);
                matches!(before, Some(State::Blocked | State::Ready))
            } else {
                matches!(self.engine.enable(key, actions), Some(State::Disabled))
            };
            disabled.changed += u64::from(changed);
        }
        Ok(disabled)
    }

    /// Sets jobs of a workflow aside that is not running, or takes them back; returns how many.
    fn set_aside(&mut self, id: WorkflowId, request: &SetDisabled) -> Result<u64, RequestError> {
        let (from, to): (&[JobStatus], _) = if request.disabled {
            (&[JobStatus::Blocked, JobStatus::Ready], JobStatus::Disabled)
        } else {
            (&[JobStatus::Disabled], JobStatus::Blocked)
        };
        let mut chosen = Vec::new();
        for selector in &request.jobs {
            let job = self.find_job(selector)?;
            if job.workflow_id != id {
                return Err(not_found(format!("workflow {id} has no job {}", job.id)));
            }
            if from.contains(&job.status) {
                chosen.push((job.id, job.attempts));
            }
        }
        chosen.sort_unstable();
        chosen.dedup();
        let stored = self.store.all_or_nothing(|connection| {
            for (job, attempts) in &chosen {
                job::set(connection, *job, to, *attempts, None)?;
            }
            workflow::count_again(connection, id)
        });
        stored.map_err(|error| not_recorded(&error.to_string()))?;
        Ok(chosen.len() as u64)
    }

    pub(super) fn delete(&mut self, selector: &WorkflowSelector, reply: Reply<Deleted>) {
        match self.try_delete(selector) {
            Ok(deleted) => self.turn.reply(reply, deleted),
            Err(error) => Turn::refuse(reply, error),
        }
    }

    fn try_delete(&mut self, selector: &WorkflowSelector) -> Result<Deleted, RequestError> {
        self.check_unsaved()?;
        let view = self.find_workflow(selector)?;
        if self.active.contains_key(&view.id) {
            let message = format!("workflow {} is running", view.id);
            return Err(RequestError::new(ErrorCode::WrongState, message)
                .hint("wait for its end, or cancel it first with `torcctl cancel`"));
        }
        self.store
            .all_or_nothing(|connection| workflow::hide(connection, view.id))
            .map_err(|error| not_recorded(&error.to_string()))?;
        self.given_up.push(view.id);
        Ok(Deleted { workflow_id: view.id, jobs: view.jobs.total })
    }

    /// Returns the workflow that is named.
    pub(super) fn find_workflow(
        &self,
        selector: &WorkflowSelector,
    ) -> Result<WorkflowView, RequestError> {
        workflow::find(self.store.reading(), selector)
            .map_err(|error| not_recorded(&error.to_string()))?
            .ok_or_else(|| no_workflow(selector))
    }

    /// Returns the job that is named.
    pub(super) fn find_job(&self, selector: &JobSelector) -> Result<JobView, RequestError> {
        let failed = |error: SqlError| not_recorded(&error.to_string());
        let (found, what) = match selector {
            JobSelector::Id(id) => {
                (job::by_id(self.store.reading(), *id).map_err(failed)?, id.to_string())
            }
            JobSelector::Name(workflow, name) => {
                let id = self.find_workflow(workflow)?.id;
                let found = job::by_name(self.store.reading(), id, name).map_err(failed)?;
                (found, format!("'{name}' in workflow {id}"))
            }
        };
        found.ok_or_else(|| not_found(format!("there is no job {what}")))
    }
}
