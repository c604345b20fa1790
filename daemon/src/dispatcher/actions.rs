//! What the engine wants done: to be recorded, and to be sent to the worker.

use torc_protocol::event::EventKind;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::result::{StopCause, StreamKind};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::JobCounts;
use torc_protocol::worker::{Recovery, StartExtra, StartJob, WorkerRequest};

use crate::dispatcher::turn::{AttemptChange, JobChange};
use crate::dispatcher::{Dispatcher, InFlight, Work};
use crate::engine::action::{Action, Finish};
use crate::engine::job::{JobKey, State, WorkflowKey};
use crate::store::sql::SqlResult;
use crate::store::tables::{action, attempt, file, job, output, settings, user_data, workflow};

impl Dispatcher {
    /// Turns the actions of this turn into changes, requests and events, and writes the changes.
    pub(super) fn record(&mut self) -> SqlResult<()> {
        let now = Timestamp::now();
        // What is carried out may bring about more.
        while !self.turn.actions.is_empty() {
            for action in std::mem::take(&mut self.turn.actions) {
                self.carry_out(action, now)?;
            }
        }
        self.tell_canceled(None, now);
        self.remove_given_up()?;
        self.write_attempts()?;
        self.write_jobs()?;
        self.write_counts()
    }

    fn carry_out(&mut self, action: Action, now: Timestamp) -> SqlResult<()> {
        match action {
            Action::Set { job, state, attempts } => self.note_state(job, state, attempts),
            Action::CancelWaiting(key, count) => {
                let id = WorkflowId(key.0);
                job::cancel_waiting(self.store.writing()?, id)?;
                self.turn.cancel_waiting(id);
                self.bus.add(id, now, EventKind::JobsCanceled { count });
            }
            Action::Lane { lane, workflow, settings, width } => {
                self.open_lane(lane, workflow, settings, width);
            }
            Action::Assign { lane, job, attempt, gpus } => {
                self.assign(lane, job, attempt, &gpus)?;
            }
            Action::Fire { workflow, hook } => self.fire(workflow, hook)?,
            Action::StopHook { workflow, hook } => self.stop_action(workflow, hook),
            Action::Stop { job, attempt } => self.stop_attempt(job, attempt),
            Action::Withdraw { job, attempt } => self.withdraw(job, attempt),
            Action::Finish(key, finish, counts) => self.finish(key, finish, counts, now)?,
        }
        Ok(())
    }

    /// Takes note of the state of a job, and keeps what else this turn knows of it.
    fn note_state(&mut self, key: JobKey, state: State, attempts: u32) {
        let Some(id) = self.job_id(key) else { return };
        let (workflow, status) = (WorkflowId(key.workflow.0), status_of(state));
        if state == State::Canceled {
            *self.turn.canceled.entry(workflow).or_default() += 1;
        }
        let change = self.turn.jobs.entry(id).or_insert(JobChange {
            workflow,
            status,
            attempts,
            return_code: None,
        });
        (change.status, change.attempts) = (status, attempts);
    }

    /// Tells how many jobs were canceled one by one: of one workflow, or of all.
    fn tell_canceled(&mut self, only: Option<WorkflowId>, now: Timestamp) {
        let told = self.turn.canceled.extract_if(|id, _| only.is_none_or(|only| only == *id));
        for (id, count) in told {
            self.bus.add(id, now, EventKind::JobsCanceled { count });
        }
    }

    fn open_lane(&mut self, lane: u32, key: WorkflowKey, settings: u32, width: u32) {
        let id = WorkflowId(key.0);
        self.tell_context(id);
        let Some(active) = self.active.get(&id) else { return };
        let settings = active.settings[settings as usize].clone();
        self.turn.requests.push(WorkerRequest::Lane { lane, width, workflow: id, settings });
    }

    /// Tells the worker where and as what the jobs of a workflow run, once.
    pub(super) fn tell_context(&mut self, id: WorkflowId) {
        let Some(active) = self.active.get_mut(&id).filter(|active| !active.told) else { return };
        active.told = true;
        self.turn.requests.push(WorkerRequest::Context {
            workflow: id,
            context: active.context.clone(),
            socket: self.socket.clone(),
        });
    }

    fn assign(&mut self, lane: u32, key: JobKey, number: u32, gpus: &[u32]) -> SqlResult<()> {
        let Some(id) = self.job_id(key) else { return Ok(()) };
        let task = job::task(self.store.reading(), id)?;
        let attempt = AttemptId { job: id, number: AttemptNumber(number) };
        let last_code = self.turn.jobs.get(&id).and_then(|change| change.return_code);
        let last_code = last_code.or(task.return_code);
        let paths = match self.active.get(&WorkflowId(key.workflow.0)) {
            Some(active) if active.has_files => file::paths(self.store.reading(), id)?,
            _ => file::Paths::default(),
        };
        let extra = StartExtra {
            environment: task.environment,
            invocation_script: task.invocation_script,
            gpus: self.gpu_names(gpus),
            recovery: self.recovery(key, number, last_code),
            inputs: paths.inputs,
            outputs: paths.outputs,
        };
        self.note_state(key, State::Pending, number);
        let flight = InFlight {
            work: Work::Job(key),
            name: task.name.clone(),
            pid: None,
            started_at: Timestamp::default(),
        };
        self.in_flight.insert(attempt, flight);
        let extra = (extra != StartExtra::default()).then(|| Box::new(extra));
        self.turn.start(lane, StartJob { attempt, name: task.name, command: task.command, extra });
        Ok(())
    }

    /// Returns what is run before an attempt: what the rule says by which the job is tried again.
    fn recovery(&self, key: JobKey, number: u32, last_code: Option<i32>) -> Option<Recovery> {
        let job = self.engine.job(key)?;
        if number <= job.first + 1 {
            return None;
        }
        let active = self.active.get(&WorkflowId(key.workflow.0))?;
        let return_code = last_code?;
        let rule = active.settings[job.settings as usize].retry_rule(return_code)?;
        rule.recovery_script.clone().map(|script| Recovery { script, return_code })
    }

    /// Returns the names of GPUs of the node; those that a workflow claims beyond them are counted on.
    fn gpu_names(&self, gpus: &[u32]) -> Vec<String> {
        if gpus.is_empty() {
            return Vec::new();
        }
        let there = self.node.resources().gpus;
        let name = |gpu: &u32| there.get(*gpu as usize).cloned().unwrap_or_else(|| gpu.to_string());
        gpus.iter().map(name).collect()
    }

    fn stop_attempt(&mut self, key: JobKey, number: u32) {
        let Some(id) = self.job_id(key) else { return };
        let Some(active) = self.active.get(&WorkflowId(key.workflow.0)) else { return };
        let attempt = AttemptId { job: id, number: AttemptNumber(number) };
        let (cause, grace) = match active.canceled.get(&key) {
            Some(grace) => (StopCause::Canceled, *grace),
            None => (active.cause, active.grace),
        };
        let own = self.engine.job(key).map(|job| active.settings[job.settings as usize].grace);
        self.silence.ask(self.moment(), grace.or(own).map_or(0, |grace| grace.0));
        match self.turn.requests.last_mut() {
            Some(WorkerRequest::Stop { attempts, cause: c, grace: g })
                if *c == cause && *g == grace && !attempts.is_empty() =>
            {
                attempts.push(attempt);
            }
            _ => self.turn.requests.push(WorkerRequest::Stop {
                attempts: vec![attempt],
                cause,
                grace,
            }),
        }
    }

    fn finish(
        &mut self,
        key: WorkflowKey,
        finish: Finish,
        counts: [u64; State::ALL.len()],
        now: Timestamp,
    ) -> SqlResult<()> {
        let id = WorkflowId(key.0);
        let status = match finish {
            Finish::Completed => WorkflowStatus::Completed,
            Finish::Failed => WorkflowStatus::Failed,
            Finish::Canceled => WorkflowStatus::Canceled,
            Finish::Paused => WorkflowStatus::Paused,
        };
        self.tell_canceled(Some(id), now);
        let counts = job_counts(&counts);
        let connection = self.store.writing()?;
        workflow::finish(connection, id, status, now)?;
        settings::delete_environment(connection, id)?;
        action::cancel_waiting(connection, id)?;
        if finish != Finish::Paused {
            user_data::forget_ephemeral(connection, id)?;
        }
        self.turn.changed.insert(id);
        self.turn.last_counts.insert(id, counts);
        self.turn.requests.push(WorkerRequest::Forget { workflow: id });
        self.bus.add(id, now, EventKind::WorkflowFinished { status, counts });
        self.active.remove(&id);
        self.note_freed(counts.total);
        Ok(())
    }

    fn write_attempts(&mut self) -> SqlResult<()> {
        for (id, change) in std::mem::take(&mut self.turn.attempts) {
            let connection = self.store.writing()?;
            match change {
                AttemptChange::Running => {
                    let Some(flight) = self.in_flight.get(&id) else { continue };
                    let running = attempt::Running {
                        node: &self.host,
                        pid: flight.pid,
                        started_at: flight.started_at,
                    };
                    attempt::put_running(connection, id, running)?;
                }
                AttemptChange::Ended(pid, result) => {
                    attempt::put_result(connection, id, &self.host, pid, &result)?;
                    if result.stopped == Some(StopCause::Again) {
                        job::discount_attempt(connection, id.job)?;
                    }
                    output::put(connection, id, StreamKind::Stdout, &result.stdout)?;
                    output::put(connection, id, StreamKind::Stderr, &result.stderr)?;
                    if let Some(stamps) = &result.files {
                        file::put_stamps(connection, id.job, stamps)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn write_jobs(&mut self) -> SqlResult<()> {
        for id in std::mem::take(&mut self.turn.to_fire) {
            action::set_fired(self.store.writing()?, id, false)?;
        }
        if self.turn.jobs.is_empty() {
            return Ok(());
        }
        let connection = self.store.writing()?;
        for (id, change) in &self.turn.jobs {
            job::set(connection, *id, change.status, change.attempts, change.return_code)?;
        }
        Ok(())
    }

    fn write_counts(&mut self) -> SqlResult<()> {
        for id in self.changed_workflows() {
            let counts = match self.turn.last_counts.get(&id) {
                Some(counts) => Some(*counts),
                None => self.engine.counts(WorkflowKey(id.0)).map(|counts| job_counts(&counts)),
            };
            if let Some(counts) = counts {
                workflow::set_counts(self.store.writing()?, id, &counts)?;
            }
        }
        Ok(())
    }

    /// Returns the number of a job of a workflow that has not ended.
    pub(super) fn job_id(&self, key: JobKey) -> Option<JobId> {
        self.active.get(&WorkflowId(key.workflow.0))?.ids.get(key.index as usize).copied()
    }
}

/// Returns the engine's counts as the protocol has them.
pub(super) fn job_counts(counts: &[u64; State::ALL.len()]) -> JobCounts {
    let mut view = JobCounts::default();
    for (state, count) in State::ALL.into_iter().zip(counts) {
        *view.of(status_of(state)) = *count;
        view.total += count;
    }
    view
}

/// Returns the engine's state as the protocol has it.
pub(super) fn status_of(state: State) -> JobStatus {
    match state {
        State::Blocked => JobStatus::Blocked,
        State::Ready => JobStatus::Ready,
        State::Pending => JobStatus::Pending,
        State::Running => JobStatus::Running,
        State::Completed => JobStatus::Completed,
        State::Failed => JobStatus::Failed,
        State::Canceled => JobStatus::Canceled,
        State::Terminated => JobStatus::Terminated,
        State::Disabled => JobStatus::Disabled,
    }
}
