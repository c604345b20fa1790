//! The attempts that are queued or running here, and what is due for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use nix::unistd::Pid;
use torc_protocol::id::AttemptId;

use super::attempt::Attempt;
use super::lock::lock;

/// What happens at a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// This process group of the attempt has had the time that it may take.
    Timeout(Pid),
    /// It has had its grace.
    Kill,
}

/// All attempts here whose result has not been sent.
#[derive(Default)]
pub(super) struct Registry {
    attempts: Mutex<HashMap<AttemptId, Arc<Attempt>>>,
    deadlines: Mutex<BTreeSet<(Instant, AttemptId, Due)>>,
}

impl Registry {
    pub(super) fn insert(&self, attempt: Arc<Attempt>) {
        lock(&self.attempts).insert(attempt.id(), attempt);
    }

    pub(super) fn get(&self, attempt: AttemptId) -> Option<Arc<Attempt>> {
        lock(&self.attempts).get(&attempt).cloned()
    }

    /// Takes out an attempt that has been reported.
    pub(super) fn remove(&self, attempt: AttemptId) {
        lock(&self.attempts).remove(&attempt);
    }

    /// Returns all attempts, in no order.
    pub(super) fn all(&self) -> Vec<Arc<Attempt>> {
        lock(&self.attempts).values().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.attempts).is_empty()
    }

    /// Adds a deadline; returns whether it is now the first.
    pub(super) fn schedule(&self, at: Instant, attempt: AttemptId, due: Due) -> bool {
        let mut deadlines = lock(&self.deadlines);
        deadlines.insert((at, attempt, due));
        deadlines.first() == Some(&(at, attempt, due))
    }

    /// Takes a deadline back.
    pub(super) fn unschedule(&self, at: Instant, attempt: AttemptId, due: Due) {
        lock(&self.deadlines).remove(&(at, attempt, due));
    }

    /// Returns when the next thing is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        lock(&self.deadlines).first().map(|(at, _, _)| *at)
    }

    /// Takes the first thing that is due at `now`.
    pub(super) fn take_due(&self, now: Instant) -> Option<(AttemptId, Due)> {
        let mut deadlines = lock(&self.deadlines);
        if deadlines.first()?.0 > now {
            return None;
        }
        deadlines.pop_first().map(|(_, attempt, due)| (attempt, due))
    }
}

/// A deadline that is taken back when this is dropped.
pub(super) struct Deadline<'a> {
    registry: &'a Registry,
    at: Instant,
    attempt: AttemptId,
    due: Due,
}

impl<'a> Deadline<'a> {
    /// For one that was given to [`Registry::schedule`].
    pub(super) fn new(registry: &'a Registry, at: Instant, attempt: AttemptId, due: Due) -> Self {
        Self { registry, at, attempt, due }
    }
}

impl Drop for Deadline<'_> {
    fn drop(&mut self) {
        self.registry.unschedule(self.at, self.attempt, self.due);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use nix::unistd::Pid;
    use torc_protocol::id::{AttemptId, AttemptNumber, JobId};

    use super::{Deadline, Due, Registry};

    #[test]
    fn deadlines_come_due_in_order_and_can_be_taken_back() {
        let registry = Registry::default();
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let id = |job| AttemptId { job: JobId(job), number: AttemptNumber(1) };
        let timeout = Due::Timeout(Pid::from_raw(7));
        assert!(registry.schedule(at(3), id(1), timeout));
        assert!(registry.schedule(at(1), id(2), Due::Kill));
        assert!(!registry.schedule(at(2), id(3), Due::Kill));
        drop(Deadline::new(&registry, at(2), id(3), Due::Kill));
        assert_eq!(registry.next_deadline(), Some(at(1)));
        assert_eq!(registry.take_due(now), None);
        assert_eq!(registry.take_due(at(3)), Some((id(2), Due::Kill)));
        assert_eq!(registry.take_due(at(3)), Some((id(1), timeout)));
        assert_eq!(registry.take_due(at(3)), None);
    }
}
