//! What happens in a life, counted, for whoever waits for a moment.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::plan::Moment;

/// The counts of one life.
#[derive(Debug)]
pub(crate) struct Bell {
    counts: Mutex<Counts>,
    rung: Condvar,
    begun: Instant,
}

#[derive(Debug, Default)]
struct Counts {
    acknowledged: u32,
    evidence: u32,
    target: u32,
    /// Since when nothing is left to do but to end.
    ending: Option<Instant>,
    /// What was started has ended.
    over: bool,
}

impl Bell {
    /// Begins to count.
    pub(crate) fn new() -> Self {
        Self { counts: Mutex::default(), rung: Condvar::new(), begun: Instant::now() }
    }

    /// Something was acknowledged.
    pub(crate) fn acknowledged(&self) {
        self.change(|counts| counts.acknowledged += 1);
    }

    /// Lines of evidence were written.
    pub(crate) fn evidence(&self, lines: u32) {
        self.change(|counts| counts.evidence += lines);
    }

    /// Things happened in the directory of the target.
    pub(crate) fn target(&self, changes: u32) {
        self.change(|counts| counts.target += changes);
    }

    /// Nothing is left to do but to end.
    pub(crate) fn ending(&self) {
        self.change(|counts| counts.ending = counts.ending.or(Some(Instant::now())));
    }

    /// What was started has ended.
    pub(crate) fn over(&self) {
        self.change(|counts| counts.over = true);
    }

    /// Returns whether nothing is left to do but to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.lock().ending.is_some()
    }

    /// Returns how many acknowledgements have come.
    pub(crate) fn acknowledgements(&self) -> u32 {
        self.lock().acknowledged
    }

    /// Waits for a moment, or for one after which it cannot come any more. Returns whether anybody
    /// is left to see it.
    pub(crate) fn wait(&self, moment: Moment) -> bool {
        let mut counts = self.lock();
        loop {
            if counts.over {
                return false;
            }
            let (has_come, due) = self.look(&counts, moment);
            if has_come {
                return true;
            }
            counts = match due {
                None => self.rung.wait(counts).unwrap_or_else(PoisonError::into_inner),
                Some(pause) => {
                    let waited = self.rung.wait_timeout(counts, pause);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Returns whether a moment has come, and if not, when it is due where that is known.
    fn look(&self, counts: &Counts, moment: Moment) -> (bool, Option<Duration>) {
        let after = |since: Instant, pause: Duration| {
            let left = pause.saturating_sub(since.elapsed());
            (left.is_zero(), Some(left))
        };
        match moment {
            Moment::Acknowledged(count) => {
                (counts.acknowledged >= count || counts.ending.is_some(), None)
            }
            Moment::Evidence(count) => (counts.evidence >= count || counts.ending.is_some(), None),
            Moment::Target(count) => (counts.target >= count, None),
            Moment::Started(pause) => after(self.begun, pause),
            Moment::Ending(pause) => match counts.ending {
                Some(since) => after(since, pause),
                None => (false, None),
            },
        }
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.lock());
        self.rung.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
