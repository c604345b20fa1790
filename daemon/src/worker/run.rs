//! The main thread: hears torcd, keeps deadlines, reaps strays, and ends it all.
//!
//! Invariant: it never touches a path of a job, so nothing that a file system does can keep it from
//! stopping jobs. Every end of the worker has a bound, which is the grace and [`PATIENCE`].

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use torc_protocol::id::{AttemptId, WorkflowId};
use torc_protocol::result::{Ending, StopCause};
use torc_protocol::time::Timestamp;
use torc_protocol::worker::{LaneId, StartJob, WorkerEvent, WorkerRequest};

use super::attempt::{Attempt, Stop};
use super::environment::WorkflowContext;
use super::inbox::{Arrived, Inbox};
use super::kernel;
use super::registry::Due;
use super::setup::LaneSetup;
use super::shared::{Shared, Urgency};
use super::slot;
use super::tail::{Question, no_answer};

/// What jobs have between SIGTERM and SIGKILL when torcd is gone.
const GRACE_WITHOUT_TORCD: Duration = Duration::from_secs(2);

/// How long after SIGKILL a process that is not gone is given up. Only one in an uninterruptible
/// wait, for a dead file system say, takes that long.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a wake-up by SIGCHLD is the last one: with thousands of short jobs a second, each of
/// which sends one, strays need not be looked for each time.
const REAP_PAUSE: Duration = Duration::from_secs(1);

/// What a slot thread needs beside the stack of its children: its own frames are small.
pub(super) const SLOT_STACK: usize = 128 * 1024;

/// The main thread.
pub(super) struct Main {
    shared: Arc<Shared>,
    inbox: Inbox,
    child_signals: SignalFd,
    /// Becomes readable when the guard ends; none once it has.
    guard: Option<OwnedFd>,
    /// Until when `child_signals` is not listened to.
    reap_pause: Option<Instant>,
    contexts: HashMap<WorkflowId, Arc<WorkflowContext>>,
    threads: usize,
    /// Set when all is to end.
    end: Option<End>,
}

struct End {
    /// Whether torcd is there to hear of it.
    is_asked: bool,
    give_up: Instant,
}

impl Main {
    /// # Errors
    ///
    /// The kernel cannot tell about signals.
    pub(super) fn new(shared: Arc<Shared>, inbox: Inbox, guard: OwnedFd) -> nix::Result<Self> {
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        Ok(Self {
            shared,
            inbox,
            child_signals: SignalFd::with_flags(
                &mask,
                SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
            )?,
            guard: Some(guard),
            reap_pause: None,
            contexts: HashMap::new(),
            threads: 0,
            end: None,
        })
    }

    /// Runs until torcd has drained the worker, or torcd or the guard is gone, and no job is left.
    ///
    /// # Errors
    ///
    /// What arrived is not a request. The jobs have been ended nevertheless.
    pub(super) fn run(mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        while !self.has_ended() {
            match self.turn() {
                Ok(()) => {}
                Err(error) => {
                    result = Err(error);
                    self.torcd_is_gone();
                }
            }
        }
        self.shared.strays.end_all();
        if self.end.is_some_and(|end| end.is_asked) {
            self.shared.outbox.send(WorkerEvent::Drained);
        }
        result
    }

    /// Waits for something to do, and does it.
    fn turn(&mut self) -> anyhow::Result<()> {
        let listens = self.end.as_ref().is_none_or(|end| end.is_asked);
        let now = Instant::now();
        self.reap_pause = self.reap_pause.filter(|until| *until > now);
        let fds = [
            listens.then(|| self.inbox.fd()),
            Some(self.shared.wake.fd()),
            self.reap_pause.is_none().then(|| self.child_signals.as_fd()),
            self.guard.as_ref().map(OwnedFd::as_fd),
        ];
        let limit = self.next_deadline().map(|at| at.saturating_duration_since(now));
        let [requests, wake, children, guard] = kernel::wait_readable(fds, limit)?;
        if wake {
            self.shared.wake.take();
            while kernel::reap_any() {}
        }
        if children {
            while matches!(self.child_signals.read_signal(), Ok(Some(_))) {}
            while kernel::reap_any() {}
            self.reap_pause = Some(Instant::now() + REAP_PAUSE);
        }
        if guard {
            self.guard_is_gone();
        }
        self.do_what_is_due();
        if self.shared.outbox.is_broken() {
            self.torcd_is_gone();
        }
        if requests { self.hear() } else { Ok(()) }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let give_up = self.end.as_ref().map(|end| end.give_up);
        let held = self.shared.outbox.held_until();
        let deadline = self.shared.registry.next_deadline();
        [deadline, held, self.reap_pause, give_up].into_iter().flatten().min()
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if self.shared.outbox.held_until().is_some_and(|until| until <= now) {
            self.shared.outbox.flush();
        }
        while let Some((id, due)) = self.shared.registry.take_due(now) {
            let Some(attempt) = self.shared.registry.get(id) else { continue };
            match due {
                Due::Timeout(group) => self.time_out(&attempt, group),
                Due::Kill => attempt.kill(),
            }
        }
    }

    fn hear(&mut self) -> anyhow::Result<()> {
        if self.inbox.read().is_ok_and(|arrived| arrived == Arrived::Bytes) {
            while let Some(request) = self.inbox.next()? {
                self.obey(request);
            }
        } else {
            self.torcd_is_gone();
        }
        Ok(())
    }

    fn obey(&mut self, request: WorkerRequest) {
        match request {
            WorkerRequest::Context { workflow, context, socket } => {
                let shared = WorkflowContext::new(workflow, context, &socket);
                self.contexts.insert(workflow, Arc::new(shared));
            }
            WorkerRequest::Forget { workflow } => {
                self.contexts.remove(&workflow);
                self.shared.lanes.forget(workflow);
            }
            WorkerRequest::Lane { lane, width, workflow, settings } => {
                let before = self.shared.lanes.setup(lane);
                let shared = self.contexts.get(&workflow);
                let setup = LaneSetup::renew(before, workflow, shared, settings);
                let missing = self.shared.lanes.open(lane, width, setup);
                self.make_threads(missing);
            }
            WorkerRequest::Start { lane, jobs } => self.start(lane, jobs),
            WorkerRequest::Stop { attempts, cause, grace } => {
                self.stop_these(&attempts, cause, grace.map(Duration::from));
            }
            WorkerRequest::Tail { id, attempt, stdout_offset, stderr_offset, limit, wait } => {
                let offsets = [stdout_offset, stderr_offset];
                self.answer(attempt, Question { id, offsets, limit, wait });
            }
            WorkerRequest::Drain { grace } => self.end(true, grace.into()),
            WorkerRequest::Withdraw { attempts, cause } => {
                let registry = &self.shared.registry;
                for attempt in attempts.iter().filter_map(|id| registry.get(*id)) {
                    self.withdraw(&attempt, cause);
                }
            }
        }
    }

    fn start(&mut self, lane: LaneId, jobs: Vec<StartJob>) {
        let known = self.shared.lanes.setup(lane);
        let is_known = known.is_some();
        let setup = known.unwrap_or_else(|| Arc::new(LaneSetup::unknown(lane)));
        let attempts: Vec<_> =
            jobs.into_iter().map(|job| Arc::new(Attempt::new(job, Arc::clone(&setup)))).collect();
        for attempt in &attempts {
            self.shared.registry.insert(Arc::clone(attempt));
        }
        if self.end.is_some() {
            for attempt in attempts {
                self.withdraw(&attempt, StopCause::Shutdown);
            }
        } else if let (false, Err(text)) = (is_known, &setup.place) {
            for attempt in attempts {
                self.report(&attempt, Ending::NotStarted(125, text.clone()));
            }
        } else {
            let missing = self.shared.lanes.enqueue(lane, attempts);
            self.make_threads(missing);
        }
    }

    fn make_threads(&mut self, mut missing: usize) {
        while missing > 0 {
            missing -= 1;
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("slot".to_owned()).stack_size(SLOT_STACK);
            match thread.spawn(move || slot::run(&shared)) {
                Ok(_) => self.threads += 1,
                Err(error) => {
                    let given_up = self.shared.lanes.thread_failed(self.threads);
                    if let Some((attempt, more)) = given_up {
                        let text = format!("cannot make a thread to run it: {error}");
                        self.report(&attempt, Ending::NotStarted(125, text));
                        missing += more;
                    }
                }
            }
        }
    }

    fn stop_these(&self, ids: &[AttemptId], cause: StopCause, grace: Option<Duration>) {
        let registry = &self.shared.registry;
        let mut attempts = if ids.is_empty() {
            registry.all()
        } else {
            ids.iter().filter_map(|id| registry.get(*id)).collect::<Vec<_>>()
        };
        // The queued ones first, or the place of one that ends would be taken by one of them.
        attempts.retain(|attempt| !self.withdraw(attempt, cause));
        for attempt in attempts {
            self.stop(&attempt, cause, grace.unwrap_or(attempt.lane.grace));
        }
    }

    fn withdraw(&self, attempt: &Attempt, cause: StopCause) -> bool {
        let withdrawn = attempt.withdraw(cause);
        if withdrawn {
            self.report(attempt, Ending::Withdrawn);
        }
        withdrawn
    }

    fn stop(&self, attempt: &Attempt, cause: StopCause, grace: Duration) {
        let kill_at = far(grace);
        self.schedule_kill(attempt, kill_at, attempt.stop(cause, kill_at));
    }

    fn time_out(&self, attempt: &Attempt, group: Pid) {
        let kill_at = far(attempt.lane.grace);
        self.schedule_kill(attempt, kill_at, attempt.time_out(group, kill_at));
    }

    fn schedule_kill(&self, attempt: &Attempt, kill_at: Instant, stop: Stop) {
        match stop {
            Stop::Stopping { replaces } => {
                if let Some(earlier) = replaces {
                    self.shared.registry.unschedule(earlier, attempt.id(), Due::Kill);
                }
                self.shared.schedule(kill_at, attempt.id(), Due::Kill);
            }
            Stop::Nothing => {}
        }
    }

    /// Reports an attempt that has no slot thread to do so.
    fn report(&self, attempt: &Attempt, ending: Ending) {
        let result = attempt.result(ending, Timestamp::now());
        self.shared.report(attempt, result, Urgency::Now);
    }

    fn answer(&self, attempt: AttemptId, question: Question) {
        let answer = match self.shared.registry.get(attempt) {
            Some(attempt) => attempt.tail.ask(question),
            None => Some(no_answer(question.id)),
        };
        if let Some(answer) = answer {
            self.shared.outbox.send(answer);
        }
    }

    fn torcd_is_gone(&mut self) {
        if self.end.as_ref().is_none_or(|end| end.is_asked) {
            self.end(false, GRACE_WITHOUT_TORCD);
        }
    }

    /// Kills all, and tells torcd nothing more: as if the worker had been killed with its guard, but
    /// for what the jobs would have left then.
    fn guard_is_gone(&mut self) {
        self.guard = None;
        self.shared.outbox.give_up();
        self.end(false, Duration::ZERO);
    }

    /// Stops all, to end when the last attempt has. A shorter grace than before shortens it.
    fn end(&mut self, is_asked: bool, grace: Duration) {
        self.shared.is_ending.store(true, Ordering::Release);
        self.shared.lanes.close();
        self.stop_these(&[], StopCause::Shutdown, Some(grace));
        let give_up = far(grace) + PATIENCE;
        let earlier = self.end.as_ref().map_or(give_up, |end| end.give_up);
        self.end = Some(End { is_asked, give_up: give_up.min(earlier) });
    }

    /// Returns whether nothing is left to wait for; gives up what cannot be killed.
    fn has_ended(&self) -> bool {
        let Some(end) = &self.end else { return false };
        if Instant::now() >= end.give_up {
            for attempt in self.shared.registry.all() {
                let seconds = PATIENCE.as_secs();
                let text = format!("it was not gone {seconds} s after SIGKILL");
                self.report(&attempt, Ending::Lost(text));
            }
        }
        self.shared.registry.is_empty()
    }
}

/// Returns the time after `grace`, which is bounded so that it can be reckoned with.
fn far(grace: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    Instant::now() + grace.min(YEAR)
}
