//! A workflow that has ended, or is paused, and is run again.

use torc_protocol::event::EventKind;
use torc_protocol::id::JobId;
use torc_protocol::request::Restart;
use torc_protocol::response::{ErrorCode, RequestError, Submitted};
use torc_protocol::spec::{JobContext, RunOptions};
use torc_protocol::time::Timestamp;
use torc_protocol::view::WorkflowView;

use crate::dispatcher::activation::Prepared;
use crate::dispatcher::admission::{check_command, check_environment};
use crate::dispatcher::control::not_found;
use crate::dispatcher::input::{Input, Reply};
use crate::dispatcher::turn::{Turn, not_recorded};
use crate::dispatcher::{Dispatcher, restore};
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
            Ok((view, prepared, jobs)) => {
                let id = view.id;
                let live = request.watch.then(|| self.bus.watch(id)).flatten();
                let kind = EventKind::WorkflowRestarted { name: view.name, jobs };
                self.bus.add(id, Timestamp::now(), kind);
                self.activate(id, prepared);
                self.turn.reply(reply, (Submitted { workflow_id: id, jobs, existed: false }, live));
            }
            Err(error) => Turn::refuse(reply, error),
        }
    }

    /// Resets what is to run again, and returns how many jobs that are.
    fn try_restart(
        &mut self,
        request: &Restart,
    ) -> Result<(WorkflowView, Prepared, u64), RequestError> {
        self.check_open()?;
        let sqlite = |error: SqlError| not_recorded(&error.to_string());
        let view = self.find_workflow(&request.workflow)?;
        let id = view.id;
        if self.active.contains_key(&id) {
            let message = format!("workflow {id} is running");
            return Err(RequestError::new(ErrorCode::WrongState, message)
                .hint("wait for its end with `torcctl wait`, or cancel it"));
        }
        check_environment(&request.environment)?;
        request.commands.iter().try_for_each(|(_, command)| check_command(command))?;
        let kinds = settings::list(self.store.reading(), id).map_err(sqlite)?;
        self.check_options(&request.options)?;
        self.check_room(&kinds, &request.options)?;
        let states = job::states(self.store.reading(), id).map_err(sqlite)?;
        let again = chosen(request, &states)?;
        let jobs: Vec<Job> = states
            .iter()
            .zip(&again)
            .map(|(job, again)| if *again { reset(job) } else { kept(job) })
            .collect();
        let failed = |job: &&Job| matches!(job.state, State::Failed | State::Terminated);
        let failed_before = jobs.iter().filter(failed).count() as u64;
        // All that can fail comes before anything is written.
        let prepared = self.prepare(&view, &states, jobs).map_err(sqlite)??;
        let stored = self.store.all_or_nothing(|connection| {
            workflow::reopen(connection, id, &request.options)?;
            settings::insert_environment(connection, id, &request.environment)?;
            action::rearm(connection, id)?;
            for (job, command) in &request.commands {
                job::set_command(connection, *job, command)?;
            }
            for (job, _) in states.iter().zip(&again).filter(|(_, again)| **again) {
                job::reset(connection, job.id)?;
            }
            action::list(connection, id)
        });
        let actions = stored.map_err(sqlite)?;
        let context = JobContext { environment: request.environment.clone(), ..prepared.context };
        let options = request.options.clone();
        let count = again.iter().filter(|again| **again).count() as u64;
        Ok((view, Prepared { context, options, actions, failed_before, ..prepared }, count))
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
            failed_before: 0,
        }))
    }
}

/// Returns which jobs are to run again.
///
/// # Errors
///
/// Names a job that is not of the workflow.
fn chosen(request: &Restart, states: &[JobState]) -> Result<Vec<bool>, RequestError> {
    let place = |id: &JobId| {
        states
            .binary_search_by_key(id, |job| job.id)
            .map_err(|_| not_found(format!("the workflow has no job {id}")))
    };
    request.commands.iter().try_for_each(|(job, _)| place(job).map(drop))?;
    let mut again = vec![false; states.len()];
    for range in &request.jobs {
        let (first, last) = (place(&range.first)?, place(&range.last)?);
        again.get_mut(first..=last).into_iter().flatten().for_each(|one| *one = true);
    }
    Ok(again)
}

/// Returns a job that is to run from the beginning.
fn reset(job: &JobState) -> Job {
    Job {
        priority: job.priority,
        settings: job.settings,
        state: State::Blocked,
        attempts: job.attempts,
        first: job.attempts,
    }
}

/// Returns a job that keeps what it has reached.
fn kept(job: &JobState) -> Job {
    Job { state: restore::state_of(job.status), first: job.first, ..reset(job) }
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
