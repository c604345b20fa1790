//! `--keep-order`: attempts in the order of the jobs, however they end.

use std::collections::{BTreeMap, HashMap};

use torc_protocol::id::AttemptId;

use super::Attempt;

/// Holds back what comes too early.
#[derive(Debug)]
pub(super) struct Order {
    /// Which place each job has.
    places: HashMap<String, usize>,
    /// The place that is due.
    next: usize,
    waiting: BTreeMap<usize, Job>,
}

#[derive(Debug, Default)]
struct Job {
    attempts: Vec<AttemptId>,
    ended: bool,
}

impl Order {
    /// Waits for the jobs of these names, the first of them first.
    pub(super) fn new(names: Vec<String>) -> Self {
        let places = names.into_iter().zip(0..).collect();
        Self { places, next: 0, waiting: BTreeMap::new() }
    }

    /// Takes an attempt that has ended, and returns those whose turn has come.
    pub(super) fn take(&mut self, attempt: &Attempt) -> Vec<AttemptId> {
        let last = self.places.len();
        let place = self.places.get(&attempt.name).copied().unwrap_or(last);
        let job = self.waiting.entry(place).or_default();
        job.attempts.push(attempt.id);
        job.ended |= attempt.last;
        let mut due = Vec::new();
        while let Some(first) = self.waiting.first_entry()
            && *first.key() <= self.next
            && first.get().ended
        {
            self.next = self.next.max(first.key() + 1);
            due.extend(first.remove().attempts);
        }
        due
    }

    /// Returns what is still held back when nothing more comes: it waited for jobs that never ran.
    pub(super) fn rest(self) -> impl Iterator<Item = AttemptId> {
        self.waiting.into_values().flat_map(|job| job.attempts)
    }
}

#[cfg(test)]
mod tests {
    use torc_protocol::id::{AttemptNumber, JobId};

    use super::*;

    fn order() -> Order {
        Order::new((1..=5).map(|job| format!("job{job}")).collect())
    }

    fn attempt(job: u64, number: u32, last: bool) -> Attempt {
        let id = AttemptId { job: JobId(job + 100), number: AttemptNumber(number) };
        Attempt { id, name: format!("job{job}"), ended: true, last }
    }

    fn take(order: &mut Order, job: u64, number: u32, last: bool) -> Vec<(u64, u32)> {
        order.take(&attempt(job, number, last)).into_iter().map(pair).collect()
    }

    fn pair(id: AttemptId) -> (u64, u32) {
        (id.job.0 - 100, id.number.0)
    }

    #[test]
    fn what_ends_early_waits_for_its_turn() {
        let mut order = order();
        assert_eq!(take(&mut order, 3, 1, true), []);
        assert_eq!(take(&mut order, 1, 1, true), [(1, 1)]);
        assert_eq!(take(&mut order, 2, 1, true), [(2, 1), (3, 1)]);
        assert_eq!(take(&mut order, 4, 1, true), [(4, 1)]);
    }

    #[test]
    fn all_attempts_of_a_job_stay_together() {
        let mut order = order();
        assert_eq!(take(&mut order, 1, 1, false), []);
        assert_eq!(take(&mut order, 2, 1, true), []);
        assert_eq!(take(&mut order, 1, 2, true), [(1, 1), (1, 2), (2, 1)]);
    }

    #[test]
    fn what_waited_for_a_job_that_never_ran_comes_at_the_end() {
        let mut order = order();
        assert_eq!(take(&mut order, 5, 1, true), []);
        assert_eq!(take(&mut order, 3, 1, true), []);
        assert_eq!(order.rest().map(pair).collect::<Vec<_>>(), [(3, 1), (5, 1)]);
    }
}
