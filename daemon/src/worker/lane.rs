//! The queues of jobs, and who takes the next one.
//!
//! A lane counts its places that are taken. A free place takes the next queued attempt at once: the
//! attempt is put up for any slot thread, or the thread whose job just ended goes on with it. So
//! there are never more busy threads than the sum of the widths.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use torc_protocol::id::WorkflowId;
use torc_protocol::worker::LaneId;

use super::attempt::Attempt;
use super::lock::lock;
use super::setup::LaneSetup;

/// All lanes of the worker.
#[derive(Default)]
pub(super) struct Lanes {
    inner: Mutex<Inner>,
    work: Condvar,
}

#[derive(Default)]
struct Inner {
    lanes: HashMap<LaneId, Lane>,
    /// Attempts that have a place in their lane, and no thread yet.
    unclaimed: VecDeque<Task>,
    /// Threads that wait for one.
    idle: usize,
    /// Threads that are being made.
    coming: usize,
    closed: bool,
}

struct Lane {
    setup: Arc<LaneSetup>,
    width: u32,
    running: u32,
    queue: VecDeque<Arc<Attempt>>,
    forgotten: bool,
}

/// An attempt and its place in a lane.
pub(super) struct Task {
    pub(super) lane: LaneId,
    pub(super) attempt: Arc<Attempt>,
}

impl Lanes {
    /// Opens a lane, or changes it; returns how many threads are missing.
    pub(super) fn open(&self, id: LaneId, width: u32, setup: Arc<LaneSetup>) -> usize {
        let mut inner = lock(&self.inner);
        let lane = inner.lanes.entry(id).or_insert_with(|| Lane {
            setup: Arc::clone(&setup),
            width,
            running: 0,
            queue: VecDeque::new(),
            forgotten: false,
        });
        lane.width = width;
        lane.setup = setup;
        self.fill(&mut inner, id)
    }

    /// Returns what the jobs of a lane share, unless the lane takes no more of them.
    pub(super) fn setup(&self, id: LaneId) -> Option<Arc<LaneSetup>> {
        let inner = lock(&self.inner);
        inner.lanes.get(&id).filter(|lane| !lane.forgotten).map(|lane| Arc::clone(&lane.setup))
    }

    /// Appends to the queue of a lane; returns how many threads are missing, each of which the
    /// caller makes, or else calls [`Lanes::thread_failed`].
    pub(super) fn enqueue(&self, id: LaneId, attempts: Vec<Arc<Attempt>>) -> usize {
        let mut inner = lock(&self.inner);
        if let Some(lane) = inner.lanes.get_mut(&id) {
            lane.queue.extend(attempts);
        }
        self.fill(&mut inner, id)
    }

    /// Removes the lanes of a workflow, each when its last job has ended.
    pub(super) fn forget(&self, workflow: WorkflowId) {
        let mut inner = lock(&self.inner);
        for lane in inner.lanes.values_mut().filter(|lane| lane.setup.workflow == workflow) {
            lane.forgotten = true;
        }
        inner.lanes.retain(|_, lane| !lane.is_done());
    }

    /// No attempt is taken from a queue any more.
    pub(super) fn close(&self) {
        lock(&self.inner).closed = true;
    }

    fn fill(&self, inner: &mut Inner, id: LaneId) -> usize {
        while let Some(task) = inner.take_place(id) {
            inner.unclaimed.push_back(task);
            self.work.notify_one();
        }
        inner.miss()
    }

    /// A thread that was missing could not be made. With any other, an attempt waits for that; when
    /// there are no `threads` at all, one is given up, and its place is the next one's. Returns it,
    /// and how many threads are missing for what follows.
    pub(super) fn thread_failed(&self, threads: usize) -> Option<(Arc<Attempt>, usize)> {
        let mut inner = lock(&self.inner);
        inner.coming -= 1;
        if threads > 0 {
            return None;
        }
        let given_up = inner.unclaimed.pop_front()?;
        let next = inner.give_back(given_up.lane);
        inner.unclaimed.extend(next);
        Some((given_up.attempt, inner.miss()))
    }

    /// A new thread is there.
    pub(super) fn thread_came(&self) {
        lock(&self.inner).coming -= 1;
    }

    /// Gives a place in a lane back, and returns what this thread runs next, if there is anything:
    /// what has waited longest for a thread, or a lane with a long queue would keep this one to
    /// itself while there are too few.
    pub(super) fn give_back(&self, ended: LaneId) -> Option<Task> {
        let mut inner = lock(&self.inner);
        let next = inner.give_back(ended);
        if inner.unclaimed.is_empty() {
            return next;
        }
        inner.unclaimed.extend(next);
        inner.unclaimed.pop_front()
    }

    /// Waits until there is something to run.
    pub(super) fn wait(&self) -> Task {
        let mut inner = lock(&self.inner);
        loop {
            if let Some(task) = inner.unclaimed.pop_front() {
                return task;
            }
            inner.idle += 1;
            inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
            inner.idle -= 1;
        }
    }
}

impl Inner {
    /// Takes the next attempt of a lane that has a free place for it.
    fn take_place(&mut self, id: LaneId) -> Option<Task> {
        let lane = self.lanes.get_mut(&id)?;
        while !self.closed && lane.running < lane.width {
            let attempt = lane.queue.pop_front()?;
            if attempt.take() {
                lane.running += 1;
                return Some(Task { lane: id, attempt });
            }
        }
        None
    }

    /// Returns how many threads are to be made for what has none.
    fn miss(&mut self) -> usize {
        let missing = self.unclaimed.len().saturating_sub(self.idle + self.coming);
        self.coming += missing;
        missing
    }

    /// Frees a place in a lane, and takes it again for the next attempt if there is one.
    fn give_back(&mut self, id: LaneId) -> Option<Task> {
        let lane = self.lanes.get_mut(&id)?;
        lane.running -= 1;
        let next = self.take_place(id);
        if self.lanes.get(&id).is_some_and(Lane::is_done) {
            self.lanes.remove(&id);
        }
        next
    }
}

impl Lane {
    fn is_done(&self) -> bool {
        self.forgotten && self.running == 0 && self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use torc_protocol::id::WorkflowId;
    use torc_protocol::result::StopCause;
    use torc_protocol::spec::JobSettings;

    use super::Lanes;
    use crate::worker::attempt::Attempt;
    use crate::worker::attempt::tests::attempt;
    use crate::worker::setup::LaneSetup;

    fn open_lane(lanes: &Lanes, lane: u32, width: u32) -> usize {
        let setup = LaneSetup::new(WorkflowId(1), None, JobSettings::default());
        lanes.open(lane, width, Arc::new(setup))
    }

    fn open(lanes: &Lanes, width: u32) -> usize {
        open_lane(lanes, 1, width)
    }

    fn attempts(jobs: std::ops::Range<u64>) -> Vec<Arc<Attempt>> {
        jobs.map(|job| Arc::new(attempt(job))).collect()
    }

    fn next(lanes: &Lanes, ended: bool) -> u64 {
        let next = ended.then(|| lanes.give_back(1)).flatten();
        next.unwrap_or_else(|| lanes.wait()).attempt.id().job.0
    }

    #[test]
    fn no_more_run_than_the_width_and_in_their_order() {
        let lanes = Lanes::default();
        assert_eq!(open(&lanes, 2), 0);
        assert_eq!(lanes.enqueue(1, attempts(0..5)), 2);
        lanes.thread_came();
        lanes.thread_came();
        assert_eq!((next(&lanes, false), next(&lanes, false)), (0, 1));
        assert_eq!((next(&lanes, true), next(&lanes, true)), (2, 3));
        assert_eq!(open(&lanes, 3), 1);
        assert_eq!(next(&lanes, false), 4);
    }

    #[test]
    fn a_narrower_lane_starts_the_next_only_when_enough_have_ended() {
        let lanes = Lanes::default();
        open(&lanes, 2);
        lanes.enqueue(1, attempts(0..3));
        assert_eq!((next(&lanes, false), next(&lanes, false)), (0, 1));
        open(&lanes, 1);
        let mut inner = super::lock(&lanes.inner);
        assert!(inner.give_back(1).is_none());
        assert_eq!(inner.give_back(1).unwrap().attempt.id().job.0, 2);
    }

    #[test]
    fn withdrawn_attempts_are_passed_over() {
        let lanes = Lanes::default();
        open(&lanes, 1);
        let all = attempts(0..3);
        let second = Arc::clone(&all[1]);
        lanes.enqueue(1, all);
        assert!(second.withdraw(StopCause::Canceled));
        assert_eq!((next(&lanes, false), next(&lanes, true)), (0, 2));
    }

    #[test]
    fn a_closed_worker_starts_nothing() {
        let lanes = Lanes::default();
        open(&lanes, 1);
        lanes.close();
        assert_eq!(lanes.enqueue(1, attempts(0..3)), 0);
    }

    #[test]
    fn a_forgotten_lane_goes_with_its_last_job() {
        let lanes = Lanes::default();
        open(&lanes, 1);
        lanes.enqueue(1, attempts(0..1));
        lanes.forget(WorkflowId(1));
        assert!(lanes.setup(1).is_none());
        let mut inner = super::lock(&lanes.inner);
        assert!(inner.lanes.contains_key(&1));
        assert!(inner.give_back(1).is_none());
        assert!(inner.lanes.is_empty());
    }

    #[test]
    fn without_any_thread_an_attempt_is_given_up() {
        let lanes = Lanes::default();
        open(&lanes, 2);
        assert_eq!(lanes.enqueue(1, attempts(0..2)), 2);
        assert!(lanes.thread_failed(1).is_none());
        assert_eq!(given_up(&lanes), Some((0, 1)));
    }

    /// Returns the job that is given up because no thread can be made, and how many threads its
    /// successor needs.
    fn given_up(lanes: &Lanes) -> Option<(u64, usize)> {
        lanes.thread_failed(0).map(|(attempt, missing)| (attempt.id().job.0, missing))
    }

    #[test]
    fn the_place_of_one_that_is_given_up_is_that_of_the_next() {
        let lanes = Lanes::default();
        open(&lanes, 1);
        assert_eq!(lanes.enqueue(1, attempts(0..3)), 1);
        assert_eq!(given_up(&lanes), Some((0, 1)));
        assert_eq!(given_up(&lanes), Some((1, 1)));
        lanes.thread_came();
        assert_eq!(next(&lanes, false), 2);
        assert!(lanes.give_back(1).is_none());
        assert_eq!(lanes.enqueue(1, attempts(3..4)), 1);
    }

    #[test]
    fn with_too_few_threads_no_lane_keeps_one_to_itself() {
        let lanes = Lanes::default();
        open(&lanes, 1);
        lanes.enqueue(1, attempts(0..3));
        lanes.thread_came();
        assert_eq!(next(&lanes, false), 0);
        open_lane(&lanes, 2, 1);
        assert_eq!(lanes.enqueue(2, attempts(10..11)), 1);
        assert!(lanes.thread_failed(1).is_none());
        assert_eq!(next(&lanes, true), 10);
        assert_eq!(lanes.give_back(2).unwrap().attempt.id().job.0, 1);
    }
}
