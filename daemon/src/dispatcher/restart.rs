//! A workflow that has ended, or is paused, and is run again.

use std::collections::HashSet;

use torc_protocol::event::EventKind;
use torc_protocol::id::JobId;
use torc_protocol::request::Restart;
use torc_protocol::response::{ErrorCode, RequestError, Submitted};
use torc_protocol::spec::{JobContext, RunOptions};
use torc_protocol::status::JobStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::view::WorkflowView;

use crate::dispatcher::Dispatcher;
use crate::dispatcher::activation::Prepared;
use crate::dispatcher::control::not_found;
use crate::dispatcher::input::{Input, Reply};
use crate::dispatcher::turn::{Turn, not_recorded};
use crate::engine::graph::{Dependencies, Graph};
use crate::engine::job::{Job, State};
use crate::event_bus::Subscription;
use crate::store::sql::{SqlError, SqlResult};
use crate::store::tables::job::JobState;
use crate::store::tables::{action, file, job, settings, workflow};

impl Dispatcher {
    pub(super) fn restart(
        &mut self,
        request: Box<Restart>,
        reply: Reply<(Submitted, Option<Subscription>)>,
    ) {
        if !self.worker_ready && self.check_open().is_ok() {
            self.parked.push(Input::Restart { request, reply });
            return;
        }
        match self.try_restart(&request) {
            Ok((view, prepared)) => {
                let (id, jobs) = (view.id, request.jobs.len() as u64);
                let live = request.watch.then(|| self.bus.watch(id));
                let kind = EventKind::WorkflowRestarted { name: view.name, jobs };
                self.bus.add(id, Timestamp::now(), kind);
                self.activate(id, prepared);
                self.turn.reply(reply, (Submitted { workflow_id: id, jobs }, live));
            }
            Err(error) => Turn::refuse(reply, error),
        }
    }

    fn try_restart(&mut self, request: &Restart) -> Result<(WorkflowView, Prepared), RequestError> {
        self.check_open()?;
        let sqlite = |error: SqlError| not_recorded(&error.to_string());
        let found = workflow::find(self.store.reading(), &request.workflow).map_err(sqlite)?;
        let view = found.ok_or_else(|| not_found("there is no such workflow".to_owned()))?;
        let id = view.id;
        if self.active.contains_key(&id) {
            let message = format!("workflow {id} is running");
            return Err(RequestError::new(ErrorCode::WrongState, message)
                .hint("wait for its end with `torcctl wait`, or cancel it"));
        }
        let kinds = settings::list(self.store.reading(), id).map_err(sqlite)?;
        self.check_options(&request.options)?;
        self.check_room(&kinds, &request.options)?;
        let states = job::states(self.store.reading(), id).map_err(sqlite)?;
        let known: HashSet<JobId> = states.iter().map(|job| job.id).collect();
        let commands = request.commands.iter().map(|(job, _)| job);
        if let Some(stranger) = request.jobs.iter().chain(commands).find(|job| !known.contains(job))
        {
            return Err(not_found(format!("workflow {id} has no job {stranger}")));
        }
        self.store
            .all_or_nothing(|connection| {
                workflow::reopen(connection, id, &request.options)?;
                settings::insert_environment(connection, id, &request.environment)?;
                action::rearm(connection, id)?;
                for (job, command) in &request.commands {
                    job::set_command(connection, *job, command)?;
                }
                request.jobs.iter().try_for_each(|job| job::reset(connection, *job))
            })
            .map_err(sqlite)?;
        let again: HashSet<JobId> = request.jobs.iter().copied().collect();
        let jobs = states.iter().map(|job| restarted(job, again.contains(&job.id))).collect();
        let prepared = self.prepare(&view, &states, jobs).map_err(sqlite)??;
        Ok((view, Prepared { options: request.options.clone(), ..prepared }))
    }

    /// Puts together what the database has of a workflow that is to go on, but for how it is run.
    pub(super) fn prepare(
        &self,
        view: &WorkflowView,
        states: &[JobState],
        jobs: Vec<Job>,
    ) -> SqlResult<Result<Prepared, RequestError>> {
        let connection = self.store.reading();
        let context = JobContext {
            environment: settings::environment(connection, view.id)?.unwrap_or_default(),
            working_dir: view.working_dir.clone(),
            output_dir: view.output_dir.clone(),
        };
        let (settings, actions) =
            (settings::list(connection, view.id)?, action::list(connection, view.id)?);
        let has_files = file::any(connection, view.id)?;
        Ok(graph_of(states).map(|(ids, graph)| Prepared {
            context,
            settings,
            options: RunOptions::default(),
            jobs,
            ids,
            graph,
            actions,
            has_files,
        }))
    }
}

/// Returns a job as the engine gets it: `again` when it is to run from the beginning.
fn restarted(job: &JobState, again: bool) -> Job {
    let state = match job.status {
        _ if again => State::Blocked,
        JobStatus::Completed => State::Completed,
        JobStatus::Failed => State::Failed,
        JobStatus::Canceled => State::Canceled,
        JobStatus::Terminated => State::Terminated,
        JobStatus::Disabled => State::Disabled,
        JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending | JobStatus::Running => {
            State::Blocked
        }
    };
    let first = if again { job.attempts } else { job.first };
    Job { priority: job.priority, settings: job.settings, state, attempts: job.attempts, first }
}

/// Returns the numbers of the jobs, and which waits for which by their places.
///
/// # Errors
///
/// Says that the database holds no graph.
fn graph_of(states: &[JobState]) -> Result<(Vec<JobId>, Graph), RequestError> {
    let ids: Vec<JobId> = states.iter().map(|job| job.id).collect();
    let mut waits_for = Dependencies::default();
    for job in states {
        // What is not there any more is not waited for.
        let places = job.depends_on.iter().filter_map(|on| ids.binary_search(on).ok());
        waits_for.push(places.map(|place| place as u32));
    }
    let graph = Graph::new(waits_for).map_err(|error| {
        RequestError::new(ErrorCode::Internal, format!("the database is damaged: {error}"))
            .hint("go back to an older snapshot")
    })?;
    Ok((ids, graph))
}
