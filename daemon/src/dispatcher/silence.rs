//! A worker that does not do as it is told.
//!
//! When attempts are to be stopped, something is heard of the worker soon after their grace: that
//! one has ended, if nothing else. One of which nothing is heard at all is itself stuck or stopped,
//! and is killed, and its jobs with it. One that speaks is waited for: then it is a job that cannot
//! be ended, and others must not suffer for that.

use crate::engine::Moment;

/// How long after the grace it may be silent, in microseconds.
const SLACK: Moment = 5_000_000;

/// Until when something must be heard of the worker.
#[derive(Debug, Default)]
pub(super) struct Silence(Option<Moment>);

impl Silence {
    /// Takes note that it was told to stop something within `grace` microseconds.
    pub(super) fn ask(&mut self, now: Moment, grace: u64) {
        let until = now.saturating_add(grace).saturating_add(SLACK);
        self.0 = Some(self.0.map_or(until, |earlier| earlier.min(until)));
    }

    /// Takes note that something was heard of it, or that it is gone.
    pub(super) fn broken(&mut self) {
        self.0 = None;
    }

    /// Returns when it has been silent for too long.
    pub(super) fn until(&self) -> Option<Moment> {
        self.0
    }

    /// Returns whether it has been silent for too long; once for each time.
    pub(super) fn is_over(&mut self, now: Moment) -> bool {
        self.0.take_if(|until| *until <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_over_once_and_a_shorter_grace_makes_it_shorter() {
        let mut silence = Silence::default();
        assert!(!silence.is_over(Moment::MAX));
        silence.ask(100, 1_000);
        silence.ask(200, 0);
        silence.ask(300, u64::MAX);
        assert_eq!(silence.until(), Some(200 + SLACK));
        assert!(!silence.is_over(199 + SLACK));
        assert!(silence.is_over(200 + SLACK));
        assert!(!silence.is_over(Moment::MAX));
    }

    #[test]
    fn a_word_ends_it() {
        let mut silence = Silence::default();
        silence.ask(0, 0);
        silence.broken();
        assert!(!silence.is_over(Moment::MAX));
    }
}
