//! Submissions: streamed in chunks, visible in one transaction.
//!
//! The jobs go to the database as they come, under a workflow that nobody sees yet; only what the
//! engine needs of them is kept in memory.

use torc_protocol::event::EventKind;
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::response::{ErrorCode, RequestError, Submitted};
use torc_protocol::result::StopCause;
use torc_protocol::spec::{JobSpec, WorkflowSpec};
use torc_protocol::time::Timestamp;

use crate::dispatcher::admission::{check_job, check_spec, invalid};
use crate::dispatcher::input::{Input, Reply};
use crate::dispatcher::turn::{Turn, not_recorded};
use crate::dispatcher::{Active, Dispatcher};
use crate::engine::job::{Job, Settings, State, WorkflowKey};
use crate::engine::transition::Submission;
use crate::event_bus::Subscription;
use crate::store::sql::{SqlResult, is_duplicate};
use crate::store::tables::{job, settings, workflow};

/// So many jobs of a submission that was given up are removed in one turn: the others wait as long.
const SLICE: usize = 2_000;

/// A submission that has not ended.
pub(super) struct Draft {
    spec: WorkflowSpec,
    jobs: Vec<Job>,
    ids: Vec<JobId>,
}

impl Dispatcher {
    pub(super) fn begin(&mut self, spec: Box<WorkflowSpec>, reply: Reply<WorkflowId>) {
        if !self.worker_ready && self.check_open().is_ok() {
            self.parked.push(Input::Begin { spec, reply });
            return;
        }
        let node = self.engine.capacity().map(|cpus| (self.host.as_str(), cpus));
        if let Err(error) = self.check_open().and_then(|()| check_spec(&spec, node)) {
            return Turn::refuse(reply, error);
        }
        let stored = self.store.all_or_nothing(|connection| {
            let id = workflow::insert_draft(connection, &spec, Timestamp::now())?;
            settings::insert(connection, id, &spec.settings)?;
            settings::insert_environment(connection, id, &spec.context.environment)?;
            Ok(id)
        });
        match stored {
            Ok(id) => {
                let draft = Draft { spec: *spec, jobs: Vec::new(), ids: Vec::new() };
                self.drafts.insert(id, draft);
                self.turn.reply(reply, id);
            }
            Err(error) => Turn::refuse(reply, not_recorded(&error.to_string())),
        }
    }

    pub(super) fn add_jobs(&mut self, id: WorkflowId, jobs: &[JobSpec], reply: Reply<()>) {
        match self.try_add_jobs(id, jobs) {
            Ok(()) => self.turn.reply(reply, ()),
            Err(error) => {
                self.drop_draft(id);
                Turn::refuse(reply, error);
            }
        }
    }

    fn try_add_jobs(&mut self, id: WorkflowId, jobs: &[JobSpec]) -> Result<(), RequestError> {
        self.check_open()?;
        let draft = self.drafts.get_mut(&id).ok_or_else(no_submission)?;
        let kinds = draft.spec.settings.len();
        for job in jobs {
            check_job(job, kinds)?;
        }
        let mut added = Vec::with_capacity(jobs.len());
        let mut at_fault = "";
        let stored = self.store.all_or_nothing(|connection| {
            for job in jobs {
                at_fault = &job.name;
                added.push(job::insert(connection, id, job)?);
            }
            Ok(())
        });
        match stored {
            Ok(()) => {}
            Err(error) if is_duplicate(&error) => {
                return Err(invalid(format!("two jobs are named '{at_fault}'"))
                    .hint("job names are unique within a workflow"));
            }
            Err(error) => return Err(not_recorded(&error.to_string())),
        }
        draft.ids.extend(added);
        draft.jobs.extend(jobs.iter().map(|job| Job {
            priority: job.priority,
            settings: job.settings,
            state: State::Ready,
            attempts: 0,
        }));
        Ok(())
    }

    pub(super) fn commit_draft(
        &mut self,
        id: WorkflowId,
        watch: bool,
        reply: Reply<(Submitted, Option<Subscription>)>,
    ) {
        if let Err(error) = self.check_open() {
            return Turn::refuse(reply, error);
        }
        let Some(draft) = self.drafts.remove(&id) else {
            return Turn::refuse(reply, no_submission());
        };
        let now = Timestamp::now();
        let published =
            self.store.all_or_nothing(|connection| workflow::publish(connection, id, now));
        if let Err(error) = published {
            return Turn::refuse(reply, not_recorded(&error.to_string()));
        }
        let jobs = draft.jobs.len() as u64;
        let live = watch.then(|| self.bus.watch(id));
        let kind = EventKind::WorkflowSubmitted { name: draft.spec.name.clone(), jobs };
        self.bus.add(id, now, kind);
        self.activate(id, draft.spec, draft.ids, draft.jobs);
        self.turn.reply(reply, (Submitted { workflow_id: id, jobs }, live));
    }

    /// Gives a workflow to the engine.
    pub(super) fn activate(
        &mut self,
        id: WorkflowId,
        spec: WorkflowSpec,
        ids: Vec<JobId>,
        jobs: Vec<Job>,
    ) {
        let kinds = spec.settings.iter().map(|settings| Settings {
            cpus: settings.cpus,
            retries: settings.retries,
            retry_delay: settings.retry_delay.0,
        });
        let submission =
            Submission { jobs, settings: kinds.collect(), max_parallel: spec.max_parallel_jobs };
        let active = Active {
            ids,
            context: spec.context,
            settings: spec.settings,
            told: false,
            cause: StopCause::Shutdown,
            grace: None,
        };
        self.active.insert(id, active);
        self.turn.changed.insert(id);
        self.engine.submit(WorkflowKey(id.0), submission, &mut self.turn.actions);
    }

    pub(super) fn drop_draft(&mut self, id: WorkflowId) {
        if self.drafts.remove(&id).is_some() {
            self.given_up.push(id);
        }
    }

    /// Removes a part of what was given up from the database. What is left of it when the daemon
    /// ends is removed at the next start.
    pub(super) fn remove_given_up(&mut self) -> SqlResult<()> {
        let Some(id) = self.given_up.last().copied() else { return Ok(()) };
        let connection = self.store.writing()?;
        if job::delete_some(connection, id, SLICE)? < SLICE {
            workflow::delete(connection, id)?;
            self.given_up.pop();
        }
        Ok(())
    }

    /// Refuses while the daemon is ending, or cannot record.
    pub(super) fn check_open(&self) -> Result<(), RequestError> {
        if let Some(reason) = &self.broken {
            return Err(not_recorded(reason));
        }
        if self.stop.is_some() {
            return Err(RequestError::new(ErrorCode::Unavailable, "torcd is ending"));
        }
        if self.no_worker {
            let message = "torcd has no worker that could run jobs";
            return Err(RequestError::new(ErrorCode::Unavailable, message)
                .hint("its log says why; end it with `torcctl daemon stop`"));
        }
        Ok(())
    }
}

fn no_submission() -> RequestError {
    invalid("no submission was begun on this connection".to_owned())
}
