//! Lanes: jobs with the same workflow and settings are interchangeable to the worker.
//!
//! The engine gives a lane a *width*, how many of its jobs may run at a time, and pays for it with
//! CPUs; and it assigns some jobs more than that, so that the worker has the next one at hand. The
//! worker never runs more than it was assigned, nor more than the width, so what is paid for is
//! never exceeded, however their messages cross.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use crate::engine::workflow::ReadyKey;

/// The number of a lane, never reused.
pub type LaneNumber = u32;

/// So much work is kept at the worker beyond what runs, in microseconds: longer than a result takes
/// to travel and be answered on a busy machine.
const AHEAD: u64 = 40_000;
/// And at most so many jobs.
const AHEAD_MAX: u64 = 256;

/// One lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) number: LaneNumber,
    /// CPUs for each unit of width.
    pub(super) cpus: u32,
    /// How many may run at a time, and are paid for.
    pub(super) width: u32,
    /// The width that the worker knows.
    pub(super) told: u32,
    /// Assigned and not ended.
    pub(super) outstanding: u32,
    /// Ready jobs, the first to start first.
    pub(super) ready: BTreeSet<ReadyKey>,
    /// The mean time that an attempt takes, in microseconds, the recent ones weighing most.
    mean: Option<u64>,
}

impl Lane {
    pub(super) fn new(number: LaneNumber, cpus: u32) -> Self {
        Self { number, cpus, width: 0, told: 0, outstanding: 0, ready: BTreeSet::new(), mean: None }
    }

    /// Returns how many more jobs the worker should get now.
    pub(super) fn wants(&self) -> u32 {
        if self.width == 0 {
            return 0;
        }
        (self.width + self.ahead()).saturating_sub(self.outstanding)
    }

    /// Returns how wide the lane could be of use.
    pub(super) fn useful_width(&self) -> u32 {
        self.outstanding.saturating_add(u32::try_from(self.ready.len()).unwrap_or(u32::MAX))
    }

    /// Takes note that an attempt ended after `took` microseconds; none when it was withdrawn, which
    /// says nothing of how long the others take.
    pub(super) fn ended(&mut self, took: Option<u64>) {
        self.outstanding -= 1;
        let Some(took) = took else { return };
        self.mean = Some(match self.mean {
            Some(mean) => mean - mean / 8 + took / 8,
            None => took,
        });
    }

    /// Returns whether it has jobs that do not run for want of width.
    pub(super) fn is_waiting(&self) -> bool {
        !self.ready.is_empty() || self.outstanding > self.width
    }

    /// Returns the ready job that starts first; for a lane whose jobs are all assigned, a rank
    /// before any other of priority 0.
    pub(super) fn head(&self) -> ReadyKey {
        self.ready.first().copied().unwrap_or((Reverse(0), 0))
    }

    fn ahead(&self) -> u32 {
        let width = u64::from(self.width);
        let jobs = match self.mean {
            Some(mean) => (width * AHEAD / mean.max(1)).min(AHEAD_MAX),
            None => width,
        };
        u32::try_from(jobs).unwrap_or(u32::MAX)
    }
}
