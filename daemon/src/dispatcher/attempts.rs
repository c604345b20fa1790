//! What the worker reports.

use torc_protocol::event::EventKind;
use torc_protocol::id::AttemptId;
use torc_protocol::result::{AttemptResult, Ending, StopCause, Usage};
use torc_protocol::status::JobStatus;
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::worker::{WorkerEvent, WorkerRequest};
use torc_protocol::{journal, paths};

use crate::dispatcher::actions::status_of;
use crate::dispatcher::turn::{AttemptChange, JobChange};
use crate::dispatcher::{Dispatcher, InFlight, Work};
use crate::engine::job::{End, Outcome, State};
use crate::engine::resources::Need;
use crate::nodes::NodeEvent;
use crate::sys;

impl Dispatcher {
    pub(super) fn node_event(&mut self, event: NodeEvent) {
        self.silence.broken();
        match event {
            NodeEvent::Message(WorkerEvent::Ready { resources, .. }) => {
                self.worker_ready = true;
                self.host.clone_from(&resources.host);
                self.engine.worker_ready(Need {
                    cpus: resources.cpus,
                    memory: resources.memory,
                    gpus: resources.gpus.len() as u32,
                });
                self.node.set_resources(resources);
                std::mem::take(&mut self.parked).into_iter().for_each(|input| self.apply(input));
            }
            NodeEvent::Message(WorkerEvent::Started { attempt, pid, at }) => {
                self.started(attempt, pid, at);
            }
            NodeEvent::Message(WorkerEvent::Finished { attempt, result }) => {
                self.finished(attempt, result);
            }
            // `Tailed` goes to whoever asked; `Drained` is followed by the end of the worker.
            NodeEvent::Message(WorkerEvent::Tailed { .. } | WorkerEvent::Drained) => {}
            NodeEvent::Gone { reason } => self.worker_gone(&reason),
        }
    }

    fn started(&mut self, attempt: AttemptId, pid: u32, at: Timestamp) {
        let Some(flight) = self.in_flight.get_mut(&attempt) else { return };
        flight.pid = Some(pid);
        flight.started_at = at;
        let workflow = flight.workflow();
        match flight.work {
            Work::Job(job) => {
                let kind = EventKind::JobStarted {
                    job_id: attempt.job,
                    name: flight.name.clone(),
                    attempt: attempt.number,
                    pid,
                };
                self.bus.add(workflow, at, kind);
                self.engine.started(job, &mut self.turn.actions);
            }
            Work::Action(..) => {
                let (status, attempts) = (JobStatus::Running, attempt.number.0);
                let change = JobChange { workflow, status, attempts, return_code: None };
                self.turn.jobs.insert(attempt.job, change);
            }
        }
        self.turn.attempts.insert(attempt, AttemptChange::Running);
    }

    fn finished(&mut self, attempt: AttemptId, result: AttemptResult) {
        let Some(flight) = self.in_flight.remove(&attempt) else { return };
        let withdrawn = outcome_of(&result) == Outcome::Withdrawn;
        match flight.work {
            Work::Job(job) => {
                if let Some(active) = self.active.get_mut(&flight.workflow()) {
                    active.canceled.remove(&job);
                }
                let outcome = outcome_of(&result);
                let end = End { outcome, code: result.return_code(), took: result.usage.wall.0 };
                let now = self.moment();
                let state = self.engine.ended(job, end, now, &mut self.turn.actions);
                if !withdrawn {
                    self.note_result(attempt, &flight, state, &result);
                }
            }
            Work::Action(key, hook) => self.action_ended(attempt, (key, hook), &result),
        }
        if !withdrawn {
            self.turn.attempts.insert(attempt, AttemptChange::Ended(flight.pid, Box::new(result)));
        }
    }

    fn note_result(
        &mut self,
        attempt: AttemptId,
        flight: &InFlight,
        state: State,
        result: &AttemptResult,
    ) {
        let workflow = flight.workflow();
        let kind = EventKind::JobFinished {
            job_id: attempt.job,
            name: flight.name.clone(),
            attempt: attempt.number,
            status: status_of(state),
            return_code: result.return_code(),
            reason: result.reason(),
            usage: result.usage,
        };
        self.bus.add(workflow, result.finished_at, kind);
        let change = self.turn.jobs.entry(attempt.job).or_insert(JobChange {
            workflow,
            status: status_of(state),
            attempts: attempt.number.0,
            return_code: None,
        });
        change.status = status_of(state);
        if result.stopped != Some(StopCause::Again) {
            // By which the next attempt is told what to recover from.
            change.return_code = Some(result.return_code());
        }
    }

    /// Ends what the worker had, and starts another unless we are ending, or this one never was
    /// ready: then the next would not be either.
    fn worker_gone(&mut self, reason: &str) {
        let was_ready = std::mem::take(&mut self.worker_ready);
        self.engine.worker_gone();
        for active in self.active.values_mut() {
            active.told = false;
            active.action_lane = None;
        }
        self.end_orphans();
        // What it has begun but not told is lost; the rest can be given to another.
        let begun = std::fs::read(&self.journal).map(|bytes| journal::attempts(&bytes));
        let began = |id: &AttemptId| match &begun {
            Ok(begun) => begun.contains(id),
            // Without a journal it has begun nothing; with one that cannot be read, anything.
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        };
        let lost: Vec<(AttemptId, Option<Timestamp>)> = self
            .in_flight
            .iter()
            .map(|(id, flight)| match flight.pid {
                Some(_) => (*id, Some(flight.started_at)),
                None => (*id, began(id).then(Timestamp::now)),
            })
            .collect();
        let cause = self.cause_of_loss();
        for (id, began_at) in lost {
            let result = lost_result(reason, began_at);
            self.finished(id, AttemptResult { stopped: cause, ..result });
        }
        if self.stop.is_some() {
            return;
        }
        tracing::error!("{reason}");
        let restarted = if was_ready {
            (self.start_worker)().map_err(|error| error.to_string())
        } else {
            Err("it never was ready".to_owned())
        };
        match restarted {
            Ok(node) => self.node.replace(node),
            Err(error) => {
                tracing::error!("no other worker is started, all jobs are canceled: {error}");
                self.no_worker = true;
                std::mem::take(&mut self.parked).into_iter().for_each(|input| self.apply(input));
                self.cancel_everything(StopCause::Shutdown, None);
            }
        }
    }

    /// Kills what is left of the jobs of a worker that died; not on this thread, for the kernel may
    /// take its time.
    fn end_orphans(&self) {
        let mut groups: Vec<u32> =
            self.in_flight.values().filter_map(|flight| flight.pid).collect();
        groups.push(self.node.worker().group());
        let mark = format!("{}={}", paths::SOCKET_VARIABLE, self.socket);
        let ending = std::thread::Builder::new().name("orphans".to_owned());
        if let Err(error) = ending.spawn(move || sys::process::end_orphans(&groups, &mark)) {
            tracing::error!("what the jobs of the worker have left may still run: {error}");
        }
    }

    /// Stops every attempt that the worker has, whatever the engine thinks of it.
    pub(super) fn stop_all_attempts(&mut self, grace: Option<Span>) {
        self.node.worker().send(WorkerRequest::Stop {
            attempts: Vec::new(),
            cause: StopCause::Shutdown,
            grace,
        });
    }
}

fn outcome_of(result: &AttemptResult) -> Outcome {
    match (&result.ending, result.stopped) {
        (_, Some(StopCause::Timeout)) => Outcome::TimedOut,
        (Ending::Withdrawn, _) => Outcome::Withdrawn,
        (_, Some(StopCause::OutOfMemory)) => Outcome::Failure,
        (_, Some(StopCause::Again)) => Outcome::Interrupted,
        (
            _,
            Some(
                StopCause::Canceled
                | StopCause::Shutdown
                | StopCause::TimeLimit
                | StopCause::Halted,
            ),
        ) => Outcome::Stopped,
        (Ending::Exited(0), None) if result.lost_output.is_none() => Outcome::Success,
        (Ending::NotRecovered(_), None) => Outcome::Unretryable,
        (_, None) => Outcome::Failure,
    }
}

/// Returns the result of an attempt whose end nobody saw, if it ever began.
fn lost_result(reason: &str, began_at: Option<Timestamp>) -> AttemptResult {
    let now = Timestamp::now();
    let Some(began_at) = began_at else { return AttemptResult::bare(Ending::Withdrawn, now) };
    AttemptResult {
        started_at: began_at,
        usage: Usage { wall: now.since(began_at), ..Usage::default() },
        ..AttemptResult::bare(Ending::Lost(reason.to_owned()), now)
    }
}
