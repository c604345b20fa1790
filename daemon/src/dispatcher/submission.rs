//! Submissions: streamed in chunks, visible in one transaction.
//!
//! The jobs go to the database as they come, under a workflow that nobody sees yet; only what the
//! engine needs of them is kept in memory.

use torc_protocol::event::EventKind;
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::SubmitFiles;
use torc_protocol::response::{ErrorCode, RequestError, Submitted};
use torc_protocol::spec::{ActionSpec, JobSpec, WorkflowSpec};
use torc_protocol::time::Timestamp;
use torc_protocol::view::WorkflowView;

use crate::dispatcher::Dispatcher;
use crate::dispatcher::actions::job_counts;
use crate::dispatcher::activation::Prepared;
use crate::dispatcher::admission::{
    Known, check_files, check_job, check_key, check_paths, invalid, path_bytes,
};
use crate::dispatcher::hooks;
use crate::dispatcher::input::{Begun, Input, Reply};
use crate::dispatcher::turn::{Turn, not_recorded};
use crate::engine::graph::{Cycle, Dependencies, Graph, GraphError};
use crate::engine::job::{Job, State, WorkflowKey};
use crate::event_bus::Subscription;
use crate::store::sql::{Connection, SqlError, SqlResult, is_duplicate};
use crate::store::tables::file::{self, FileKey};
use crate::store::tables::user_data::{self, UserDataKey};
use crate::store::tables::{job, settings, workflow};

/// A submission that has not ended.
pub(super) struct Draft {
    spec: WorkflowSpec,
    /// What names it for good.
    key: Option<String>,
    jobs: Vec<Job>,
    ids: Vec<JobId>,
    /// What each job waits for, by places.
    waits_for: Dependencies,
    /// Jobs that wait for jobs which come later, whose numbers are not known yet.
    forward: Vec<u32>,
    files: Vec<FileKey>,
    /// How much room the path of each takes in a frame.
    path_bytes: Vec<u32>,
    user_data: Vec<UserDataKey>,
}

impl Dispatcher {
    pub(super) fn begin(
        &mut self,
        spec: Box<WorkflowSpec>,
        key: Option<String>,
        reply: Reply<Begun>,
    ) {
        match self.existing(key.as_deref()) {
            Ok(Some(first)) => return self.turn.reply(reply, Begun::Existing(first.id)),
            Ok(None) => {}
            Err(error) => return Turn::refuse(reply, error),
        }
        if !self.worker_ready && self.check_open().is_ok() {
            self.parked.push(Input::Begin { spec, key, reply });
            return;
        }
        if let Err(error) = self.check_open().and_then(|()| self.check_spec(&spec)) {
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
                let draft = Draft {
                    spec: *spec,
                    key,
                    jobs: Vec::new(),
                    ids: Vec::new(),
                    waits_for: Dependencies::default(),
                    forward: Vec::new(),
                    files: Vec::new(),
                    path_bytes: Vec::new(),
                    user_data: Vec::new(),
                };
                self.drafts.insert(id, draft);
                self.turn.reply(reply, Begun::Draft(id));
            }
            Err(error) => Turn::refuse(reply, not_recorded(&error.to_string())),
        }
    }

    /// Returns the workflow that was submitted with this key.
    fn existing(&self, key: Option<&str>) -> Result<Option<WorkflowView>, RequestError> {
        let Some(key) = key else { return Ok(None) };
        check_key(key)?;
        workflow::by_key(self.store.reading(), key)
            .map_err(|error| not_recorded(&error.to_string()))
    }

    pub(super) fn add_files(&mut self, id: WorkflowId, added: &SubmitFiles, reply: Reply<()>) {
        let outcome = self.try_add_files(id, added);
        self.answer_part(id, outcome, reply);
    }

    pub(super) fn add_jobs(&mut self, id: WorkflowId, jobs: &[JobSpec], reply: Reply<()>) {
        let outcome = self.try_add_jobs(id, jobs);
        self.answer_part(id, outcome, reply);
    }

    /// Answers a part of a submission; one that is refused ends it.
    fn answer_part(&mut self, id: WorkflowId, outcome: Result<(), RequestError>, reply: Reply<()>) {
        match outcome {
            Ok(()) => self.turn.reply(reply, ()),
            Err(error) => {
                self.drop_draft(id);
                Turn::refuse(reply, error);
            }
        }
    }

    fn try_add_files(&mut self, id: WorkflowId, added: &SubmitFiles) -> Result<(), RequestError> {
        self.check_open()?;
        let draft = self.drafts.get_mut(&id).ok_or_else(no_submission)?;
        check_files(added)?;
        let mut at_fault = "";
        let (files, user_data) = (&mut draft.files, &mut draft.user_data);
        let stored = self.store.all_or_nothing(|connection| {
            for one in &added.files {
                at_fault = &one.name;
                files.push(file::insert(connection, id, one)?);
            }
            for one in &added.user_data {
                at_fault = &one.name;
                user_data.push(user_data::insert(connection, id, one)?);
            }
            Ok(())
        });
        stored.map_err(|error| duplicate_or(error, "files or user data", at_fault))?;
        draft.path_bytes.extend(added.files.iter().map(|file| path_bytes(&file.path)));
        Ok(())
    }

    fn try_add_jobs(&mut self, id: WorkflowId, jobs: &[JobSpec]) -> Result<(), RequestError> {
        self.check_open()?;
        let draft = self.drafts.get_mut(&id).ok_or_else(no_submission)?;
        let known = Known {
            settings: draft.spec.settings.len(),
            files: draft.files.len(),
            user_data: draft.user_data.len(),
        };
        for job in jobs {
            check_job(job, known)?;
            check_paths(job, &draft.path_bytes)?;
        }
        let mut at_fault = "";
        let before = draft.ids.len();
        let stored = self.store.all_or_nothing(|connection| {
            for job in jobs {
                at_fault = &job.name;
                draft.insert(connection, id, job)?;
            }
            Ok(())
        });
        stored.map_err(|error| duplicate_or(error, "jobs", at_fault))?;
        debug_assert_eq!(draft.ids.len(), before + jobs.len());
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
        match self.existing(draft.key.as_deref()) {
            Ok(None) => {}
            Ok(Some(first)) => {
                self.given_up.push(id);
                // What is not recorded yet is known to the engine alone.
                let counts = self.engine.counts(WorkflowKey(first.id.0));
                let jobs = counts.map_or(first.jobs, |counts| job_counts(&counts)).total;
                let workflow_id = first.id;
                let submitted = Submitted { workflow_id, jobs, existed: true };
                return self.turn.reply(reply, (submitted, None));
            }
            Err(error) => {
                self.given_up.push(id);
                return Turn::refuse(reply, error);
            }
        }
        match self.try_commit(id, draft) {
            Ok((prepared, name)) => {
                let jobs = prepared.jobs.len() as u64;
                let live = watch.then(|| self.bus.watch(id)).flatten();
                let kind = EventKind::WorkflowSubmitted { name, jobs };
                self.bus.add(id, Timestamp::now(), kind);
                self.activate(id, prepared);
                self.turn.reply(reply, (Submitted { workflow_id: id, jobs, existed: false }, live));
            }
            Err(error) => {
                self.given_up.push(id);
                Turn::refuse(reply, error);
            }
        }
    }

    /// Makes a submission visible; refuses one whose jobs wait for each other.
    fn try_commit(
        &mut self,
        id: WorkflowId,
        draft: Draft,
    ) -> Result<(Prepared, String), RequestError> {
        let Draft { spec, key, jobs, ids, waits_for, forward, files, .. } = draft;
        let count = jobs.len();
        let out_of_range =
            |action: &ActionSpec| action.jobs.iter().any(|job| *job as usize >= count);
        if spec.actions.iter().any(out_of_range) {
            return Err(invalid("an action names a job that was not sent".to_owned()));
        }
        let graph = Graph::new(waits_for).map_err(|error| self.describe(&error, &ids))?;
        let mut kinds = spec.settings;
        let actions = self.store.all_or_nothing(|connection| {
            for job in forward {
                let places = graph.dependencies(job).iter();
                let waits_for: Vec<JobId> = places.map(|place| ids[*place as usize]).collect();
                job::set_depends_on(connection, ids[job as usize], &waits_for)?;
            }
            let actions = hooks::insert(connection, id, &spec.actions, kinds.len() as u32)?;
            if !actions.is_empty() {
                kinds.push(hooks::settings());
                settings::insert_one(connection, id, kinds.len() - 1, &kinds[kinds.len() - 1])?;
            }
            workflow::publish(connection, id, key.as_deref(), Timestamp::now())?;
            Ok(actions)
        });
        let actions = actions.map_err(|error| duplicate_or(error, "jobs", "like an action"))?;
        let prepared = Prepared {
            context: spec.context,
            settings: kinds,
            options: spec.options,
            jobs,
            ids,
            graph,
            actions,
            has_files: !files.is_empty(),
            failed_before: 0,
        };
        Ok((prepared, spec.name))
    }

    /// Returns the error for a graph that cannot be run, naming the jobs.
    fn describe(&self, error: &GraphError, ids: &[JobId]) -> RequestError {
        let name = |place: &u32| {
            let id = ids.get(*place as usize).copied();
            let job = id.and_then(|id| job::task(self.store.reading(), id).ok());
            job.map_or_else(|| place.to_string(), |job| format!("'{}'", job.name))
        };
        match error {
            GraphError::Cycle(Cycle(places)) => {
                let names: Vec<String> = places.iter().chain(places.first()).map(name).collect();
                invalid(format!("jobs wait for each other: {}", names.join(" -> ")))
                    .hint("take out one of these dependencies")
            }
            GraphError::NoSuchJob { job, .. } => {
                invalid(format!("job {} waits for a job that was not sent", name(job)))
            }
            GraphError::TooMany => invalid(format!("{error}"))
                .hint("put a job between the many that are waited for and the many that wait"),
        }
    }

    pub(super) fn drop_draft(&mut self, id: WorkflowId) {
        if self.drafts.remove(&id).is_some() {
            self.given_up.push(id);
        }
    }

    /// Refuses while the daemon is ending, or cannot record.
    pub(super) fn check_open(&self) -> Result<(), RequestError> {
        if let Some(reason) = &self.broken {
            return Err(not_recorded(reason));
        }
        if self.stop.is_some() {
            return Err(is_ending());
        }
        if self.no_worker {
            let message = "torcd has no worker that could run jobs";
            return Err(RequestError::new(ErrorCode::Unavailable, message)
                .hint("its log says why; end it with `torcctl daemon stop`"));
        }
        Ok(())
    }
}

/// Returns the error for what a daemon that ends does not begin any more.
pub(super) fn is_ending() -> RequestError {
    RequestError::new(ErrorCode::Unavailable, "torcd is ending")
}

fn no_submission() -> RequestError {
    invalid("no submission was begun on this connection".to_owned())
}

/// Returns the error for what SQLite refused: that there are two of one name, or that it fails.
fn duplicate_or(error: SqlError, what: &str, name: &str) -> RequestError {
    if !is_duplicate(&error) {
        return not_recorded(&error.to_string());
    }
    invalid(format!("two {what} are named '{name}'")).hint("names are unique within a workflow")
}

impl Draft {
    /// Stores a job and keeps what the engine needs of it.
    fn insert(
        &mut self,
        connection: &Connection,
        workflow: WorkflowId,
        job: &JobSpec,
    ) -> SqlResult<()> {
        let place = self.ids.len() as u32;
        let mut places = job.depends_on.clone();
        places.sort_unstable();
        places.dedup();
        let known = places.iter().map_while(|other| self.ids.get(*other as usize).copied());
        let waits_for: Vec<JobId> = known.collect();
        let id = job::insert(connection, workflow, job, &waits_for)?;
        for (places, is_output) in [(&job.inputs, false), (&job.outputs, true)] {
            for place in places {
                file::add_use(connection, id, self.files[*place as usize], is_output)?;
            }
        }
        for (places, is_output) in [(&job.input_user_data, false), (&job.output_user_data, true)] {
            for place in places {
                user_data::add_use(connection, id, self.user_data[*place as usize], is_output)?;
            }
        }
        if waits_for.len() < places.len() {
            self.forward.push(place);
        }
        self.ids.push(id);
        self.waits_for.push(places);
        self.jobs.push(Job {
            priority: job.priority,
            settings: job.settings,
            state: if job.depends_on.is_empty() { State::Ready } else { State::Blocked },
            attempts: 0,
            first: 0,
        });
        Ok(())
    }
}
