//! What all threads of the worker share, and what both the main thread and the slots do.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use torc_protocol::id::AttemptId;
use torc_protocol::result::AttemptResult;
use torc_protocol::worker::WorkerEvent;

use super::attempt::Attempt;
use super::journal::Journal;
use super::lane::Lanes;
use super::memory::Memory;
use super::outbox::Outbox;
use super::registry::{Due, Registry};
use super::strays::Strays;
use super::wake::Wake;

/// The parts of the worker.
pub(super) struct Shared {
    pub(super) outbox: Outbox,
    pub(super) lanes: Lanes,
    pub(super) registry: Registry,
    pub(super) journal: Journal,
    pub(super) strays: Strays,
    pub(super) memory: Memory,
    pub(super) wake: Wake,
    /// `/dev/null`, for output that is thrown away.
    pub(super) null: File,
    /// What jobs get as their limit of open files, when the worker has raised its own.
    pub(super) open_files: Option<libc::rlimit>,
    /// Whether the main thread waits for the last attempt to end.
    pub(super) is_ending: AtomicBool,
}

/// How soon torcd needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Urgency {
    /// There may be a free place that it can fill.
    Now,
    /// The place is taken again already.
    CanWait,
}

impl Shared {
    /// Holds an event back, so that it travels with others.
    pub(super) fn hold(&self, event: WorkerEvent) {
        if self.outbox.hold(event) {
            // The main thread sends it when nobody else does in time.
            self.wake.wake();
        }
    }

    /// Sends the result of an attempt, then the answers to those who wait for more of its output.
    pub(super) fn report(&self, attempt: &Attempt, result: AttemptResult, urgency: Urgency) {
        if !attempt.claim_report() {
            return;
        }
        let id = attempt.id();
        if let Some(at) = attempt.kill_at() {
            self.registry.unschedule(at, id, Due::Kill);
        }
        let event = WorkerEvent::Finished { attempt: id, result };
        match urgency {
            Urgency::Now => self.outbox.send(event),
            Urgency::CanWait => self.hold(event),
        }
        for answer in attempt.tail.end() {
            self.outbox.send(answer);
        }
        self.registry.remove(id);
        if self.is_ending.load(Ordering::Acquire) || self.outbox.is_broken() {
            self.wake.wake();
        }
    }

    /// Schedules what the main thread is to do, and wakes it when it would sleep beyond that.
    pub(super) fn schedule(&self, at: Instant, attempt: AttemptId, due: Due) {
        if self.registry.schedule(at, attempt, due) {
            self.wake.wake();
        }
    }
}
