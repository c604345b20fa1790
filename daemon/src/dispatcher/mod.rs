//! The one loop that owns the truth.
//!
//! A turn: take all inputs that wait; apply each to the engine; let it schedule; commit what
//! follows in one transaction; send the worker what to start and stop; publish the events; reply.
//! So a reply means done and recorded, and the more comes in, the larger the transactions get.
//!
//! It runs on a thread of its own, which owns the engine and the connection that writes, and which
//! makes no system call on a path that the user named.
//!
//! - `input`: what comes in, and the handle by which others send it.
//! - `turn`: what one turn has collected.
//! - `actions`: what the engine wants done.
//! - `attempts`: what the worker reports.
//! - `submission`, `restart`, `watch`, `control`, `jobs`, `explain`: what clients and the
//!   snapshotter ask; `admission`: what may be submitted; `activation`: to the engine with it.
//! - `copying`: copies of a database that only its owner can read, between the turns.
//! - `hooks`: what a workflow has done beside its jobs.
//! - `moving`: the database, to where there is room; `removing`: what is in it, and the room for it.
//! - `stopping`: the end of all attempts; `silence`: a worker that does not do as it is told.
//! - `thread`: where it runs; `restore`: what an earlier daemon left unfinished.

mod actions;
mod activation;
mod admission;
mod attempts;
pub mod control;
mod copying;
pub mod explain;
mod hooks;
pub mod input;
mod jobs;
mod moving;
mod removing;
mod restart;
pub mod restore;
mod silence;
mod stopping;
mod submission;
#[cfg(test)]
mod tests;
pub mod thread;
mod turn;
mod watch;

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use torc_protocol::id::{AttemptId, JobId, WorkflowId};
use torc_protocol::result::StopCause;
use torc_protocol::spec::{JobContext, JobSettings, TimeLimit};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::worker::{LaneId, WorkerRequest};

use crate::dispatcher::copying::CopyRequest;
use crate::dispatcher::input::{Input, LeftSender, StopRequest};
use crate::dispatcher::removing::Slack;
use crate::dispatcher::silence::Silence;
use crate::dispatcher::submission::Draft;
use crate::dispatcher::turn::Turn;
use crate::engine::job::{JobKey, WorkflowKey};
use crate::engine::submission::Limit;
use crate::engine::{Engine, Moment};
use crate::event_bus::EventBus;
use crate::nodes::{LocalNode, Node};
use crate::store::moving::Mover;
use crate::store::sql::Connection;
use crate::store::tables::action::Action;
use crate::store::writer::Writer;

/// So many inputs are taken into one turn at the most.
const TURN_LIMIT: usize = 4_096;
/// How long the loop waits when nothing is due.
const IDLE: Duration = Duration::from_secs(3_600);

/// Starts another worker; what it says comes in as inputs.
pub type StartWorker = Box<dyn Fn() -> std::io::Result<Node> + Send>;

/// What the dispatcher is given.
#[expect(missing_debug_implementations, reason = "holds a function")]
pub struct Parts {
    /// The connection that writes.
    pub store: Writer,
    /// The node of this host.
    pub node: LocalNode,
    /// How to get another when it dies.
    pub start_worker: StartWorker,
    /// Where the worker notes which attempts it begins.
    pub journal: PathBuf,
    /// The name of the host, until the worker has told it.
    pub host: String,
    /// Where the daemon listens, for the jobs.
    pub socket: String,
    /// How the database moves to another home.
    pub mover: Mover,
    /// Asks for a snapshot, and does not wait for it.
    pub save: Box<dyn Fn() + Send>,
    /// Notified when something was recorded, or is not going to be.
    pub changed: Arc<Notify>,
}

/// The loop and all that it owns.
pub(crate) struct Dispatcher {
    engine: Engine,
    /// Dropped before the store, which closes the database after all others.
    mover: Mover,
    store: Writer<Rc<Connection>>,
    bus: EventBus,
    node: LocalNode,
    start_worker: StartWorker,
    journal: PathBuf,
    save: Box<dyn Fn() + Send>,
    changed: Arc<Notify>,
    /// The worker has said that it is ready, and is not gone.
    worker_ready: bool,
    /// There will be none any more.
    no_worker: bool,
    /// Submissions that came before the first worker was ready to say what it can run.
    parked: Vec<Input>,
    host: String,
    socket: String,
    active: HashMap<WorkflowId, Active>,
    drafts: HashMap<WorkflowId, Draft>,
    /// Copies that are asked for.
    copies: VecDeque<CopyRequest>,
    /// Submissions that are still to be removed from the database.
    given_up: Vec<WorkflowId>,
    slack: Slack,
    /// A large workflow has left memory to give back.
    has_freed: bool,
    in_flight: HashMap<AttemptId, InFlight>,
    /// The lanes of actions are counted down, those of the engine up.
    last_action_lane: LaneId,
    silence: Silence,
    /// What the present turn has collected.
    turn: Turn,
    /// Whom to tell what still runs, while nothing is started because of that.
    hold: Option<LeftSender>,
    /// Set once the daemon is ending.
    stop: Option<StopRequest>,
    /// Set once a commit has failed: what follows would not be recorded.
    broken: Option<String>,
    epoch: Instant,
}

/// What is kept of a workflow that has not ended, beside what the engine keeps.
struct Active {
    ids: Vec<JobId>,
    context: JobContext,
    settings: Vec<JobSettings>,
    actions: Vec<Action>,
    /// Some of its jobs read or write files.
    has_files: bool,
    /// The worker has its context.
    told: bool,
    /// The lane for its actions, once there is one.
    action_lane: Option<LaneId>,
    /// When its time is over, until it is.
    limit: Option<(Limit, TimeLimit)>,
    /// Why its attempts are stopped.
    cause: StopCause,
    grace: Option<Span>,
    /// Jobs that are canceled one by one and have not ended, each with its grace.
    canceled: HashMap<JobKey, Option<Span>>,
}

/// An attempt that the worker has.
struct InFlight {
    work: Work,
    name: String,
    pid: Option<u32>,
    started_at: Timestamp,
}

/// What an attempt is of.
#[derive(Clone, Copy)]
enum Work {
    Job(JobKey),
    /// An action, by its place.
    Action(WorkflowKey, u32),
}

impl InFlight {
    fn workflow(&self) -> WorkflowId {
        match self.work {
            Work::Job(JobKey { workflow, .. }) | Work::Action(workflow, _) => {
                WorkflowId(workflow.0)
            }
        }
    }
}

impl Dispatcher {
    pub(crate) fn new(parts: Parts) -> Self {
        Self {
            engine: Engine::default(),
            store: parts.store.share(),
            bus: EventBus::default(),
            node: parts.node,
            start_worker: parts.start_worker,
            journal: parts.journal,
            mover: parts.mover,
            save: parts.save,
            changed: parts.changed,
            worker_ready: false,
            no_worker: false,
            parked: Vec::new(),
            host: parts.host,
            socket: parts.socket,
            active: HashMap::new(),
            drafts: HashMap::new(),
            copies: VecDeque::new(),
            given_up: Vec::new(),
            slack: Slack::default(),
            has_freed: false,
            in_flight: HashMap::new(),
            last_action_lane: LaneId::MAX,
            silence: Silence::default(),
            turn: Turn::default(),
            hold: None,
            stop: None,
            broken: None,
            epoch: Instant::now(),
        }
    }

    /// Runs until every sender of inputs is gone.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) {
        let end = loop {
            let next = match self.copies.pop_front() {
                Some(request) => self.copy_between_turns(request, inputs),
                None => {
                    let next = self.run_turn(inputs, self.patience());
                    self.give_back();
                    next
                }
            };
            if let ControlFlow::Break(end) = next {
                break end;
            }
        };
        self.store.settle();
        drop(self);
        if let Some(closed) = end {
            // Whoever waits for it may have given up.
            let _ = closed.send(());
        }
    }

    /// Runs one turn, which waits so long for something to come in. It is the last when all senders
    /// are gone, or the database is to be closed, which somebody may want to be told.
    fn run_turn(
        &mut self,
        inputs: &Receiver<Input>,
        patience: Duration,
    ) -> ControlFlow<Option<oneshot::Sender<()>>> {
        let first = match inputs.recv_timeout(patience) {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return ControlFlow::Break(None),
        };
        // A turn writes even when nothing has come in.
        self.make_room();
        let closed = first.and_then(|first| self.take_in(first, inputs));
        self.finish_turn();
        match closed {
            Some(closed) => ControlFlow::Break(Some(closed)),
            None => ControlFlow::Continue(()),
        }
    }

    /// Returns how long until there is something to do even if nothing comes in.
    fn patience(&self) -> Duration {
        let due = match &self.broken {
            Some(_) => self.silence.until(),
            None if self.has_to_tidy() => return Duration::ZERO,
            None => self.engine.next_due().into_iter().chain(self.silence.until()).min(),
        };
        due.map_or(IDLE, |due| Duration::from_micros(due.saturating_sub(self.moment())))
    }

    /// Applies an input and those that wait behind it. Returns whom to tell that the database is
    /// closed, once that is asked for.
    fn take_in(&mut self, first: Input, inputs: &Receiver<Input>) -> Option<oneshot::Sender<()>> {
        for input in std::iter::once(first).chain(inputs.try_iter().take(TURN_LIMIT)) {
            if let Input::Close { closed } = input {
                return Some(closed);
            }
            self.apply(input);
        }
        None
    }

    fn moment(&self) -> Moment {
        self.epoch.elapsed().as_micros() as Moment
    }

    fn apply(&mut self, input: Input) {
        match input {
            Input::Begin { spec, key, reply } => self.begin(spec, key, reply),
            Input::AddFiles { draft, added, reply } => self.add_files(draft, &added, reply),
            Input::AddJobs { draft, jobs, reply } => self.add_jobs(draft, &jobs, reply),
            Input::Commit { draft, watch, reply } => self.commit_draft(draft, watch, reply),
            Input::Drop { draft } => self.drop_draft(draft),
            Input::Watch { workflow, from_seq, reply } => {
                self.turn.watches.push((workflow, from_seq, reply));
            }
            Input::Restart { request, reply } => self.restart(request, reply),
            Input::Delete { workflow, reply } => self.delete(&workflow, reply),
            Input::SetDisabled { request, reply } => self.set_disabled(&request, reply),
            Input::Explain { job, reply } => self.explain(&job, reply),
            Input::Cancel { request, reply } => self.cancel(&request, reply),
            Input::Read(read) => read(self.store.reading()),
            Input::Recorded { reply } => self.recorded(reply),
            Input::Totals { reply } => self.totals(reply),
            Input::BeginSnapshot { author, path, reply } => {
                self.begin_snapshot(&author, &path, reply);
            }
            Input::EndSnapshot { generation, outcome } => self.end_snapshot(generation, &outcome),
            Input::Copy { into, reply } => self.copies.push_back(CopyRequest { into, reply }),
            Input::Node(event) => self.node_event(event),
            Input::Hold { left } => self.hold(left),
            Input::GoOn => self.go_on(),
            Input::Stop(request) => self.stop(request),
            // Ends the turn before it gets here.
            Input::Close { .. } => {}
        }
    }

    /// Schedules, records, carries out, publishes, replies: in this order.
    fn finish_turn(&mut self) {
        if self.silence.is_over(self.moment()) {
            tracing::error!("the worker does not stop its jobs, and is killed with them");
            self.node.worker().kill();
        }
        if self.broken.is_none() {
            let now = self.moment();
            self.note_limits(now);
            self.engine.tick(now, &mut self.turn.actions);
            self.engine.schedule(now, &mut self.turn.actions);
            let recorded = self.record();
            let before = self.store.changes();
            let committed = recorded.and_then(|()| self.store.commit());
            if let Err(error) = committed {
                self.break_off(&self.store.explain(&error));
            }
            if self.store.changes() != before {
                self.changed.notify_one();
            }
        }
        let turn = std::mem::take(&mut self.turn);
        match &self.broken {
            None => {
                let worker = self.node.worker();
                turn.requests.into_iter().for_each(|request| worker.send(request));
                self.bus.publish();
                turn.replies.into_iter().for_each(|reply| reply(Ok(())));
                self.start_watches(turn.watches);
            }
            Some(reason) => {
                self.bus.discard();
                self.store.roll_back();
                let error = turn::not_recorded(reason);
                turn.replies.into_iter().for_each(|reply| reply(Err(error.clone())));
                watch::refuse(turn.watches, &error);
                self.send_only_stops(turn.requests);
            }
        }
        self.answer_stop();
    }

    /// Takes note that the database takes no more: nothing that is not recorded may go on.
    fn break_off(&mut self, reason: &str) {
        tracing::error!("the database takes no more changes, so all jobs are stopped: {reason}");
        self.broken = Some(reason.to_owned());
        self.bus.cut_all();
        self.stop_all_attempts(None);
        self.changed.notify_one();
        (self.save)();
    }

    /// Stops what a turn that is not recorded wants stopped. What it wants started is not.
    fn send_only_stops(&mut self, requests: Vec<WorkerRequest>) {
        let worker = self.node.worker();
        for request in requests {
            match request {
                WorkerRequest::Stop { .. } => worker.send(request),
                WorkerRequest::Start { jobs, .. } => {
                    for job in jobs {
                        self.in_flight.remove(&job.attempt);
                    }
                }
                _ => {}
            }
        }
    }

    /// Returns the workflows whose counts have changed in this turn.
    fn changed_workflows(&self) -> HashSet<WorkflowId> {
        let jobs = self.turn.jobs.values().map(|change| change.workflow);
        jobs.chain(self.turn.changed.iter().copied()).collect()
    }
}
