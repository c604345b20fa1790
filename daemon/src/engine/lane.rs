//! Lanes: jobs with the same workflow and settings are interchangeable to the worker.
//!
//! The engine gives a lane a *width*, how many of its jobs may run at a time, and pays for it with
//! CPUs and memory; and it assigns some jobs more than that, so that the worker has the next one at
//! hand. The worker never runs more than it was assigned, nor more than the width, so what is paid
//! for is never exceeded, however their messages cross.
//!
//! An *exact* lane gets no work ahead: one whose jobs lease GPUs, for each job has its own; one
//! whose jobs must end before the time of the workflow is over, for each is looked at when it starts;
//! and one of a workflow that gives up after failures, for none is to start after the last of them.

use std::collections::BTreeSet;

use crate::engine::Moment;
use crate::engine::queue::Rank;
use crate::engine::resources::Cost;
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
    /// None until the worker first hears of it.
    pub(super) number: Option<LaneNumber>,
    /// What each unit of width costs.
    pub(super) cost: Cost,
    pub(super) exact: bool,
    /// Its jobs may not run here.
    pub(super) held: bool,
    /// Something has changed since lanes were last served.
    pub(super) touched: bool,
    /// How many may run at a time, and are paid for.
    pub(super) width: u32,
    /// The width that the worker knows.
    pub(super) told: u32,
    /// Assigned and not ended.
    pub(super) outstanding: u32,
    /// Ready jobs, the first to start first.
    pub(super) ready: BTreeSet<ReadyKey>,
    /// The job that was assigned last.
    pub(super) last: Option<ReadyKey>,
    /// Where it stands among those that wait, if it does.
    pub(super) rank: Option<Rank>,
    /// Since when nothing of it runs though it could if more were free.
    pub(super) passed_over: Option<Moment>,
    /// What it needs is kept for it.
    pub(super) reserves: bool,
    /// The mean time that an attempt takes, in microseconds, the recent ones weighing most.
    mean: Option<u64>,
}

impl Lane {
    pub(super) fn new(cost: Cost, exact: bool, held: bool) -> Self {
        Self {
            number: None,
            cost,
            exact,
            held,
            touched: false,
            width: 0,
            told: 0,
            outstanding: 0,
            ready: BTreeSet::new(),
            last: None,
            rank: None,
            passed_over: None,
            reserves: false,
            mean: None,
        }
    }

    /// Returns how many more jobs the worker should get now; `ahead`: some more than run.
    pub(super) fn wants(&self, ahead: bool) -> u32 {
        if self.width == 0 {
            return 0;
        }
        let ahead = if ahead && !self.exact { self.ahead() } else { 0 };
        (self.width + ahead).saturating_sub(self.outstanding)
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
        !self.ready.is_empty() || (!self.exact && self.outstanding > self.width)
    }

    /// Returns the job by which it stands among the others: the ready one that starts first; when
    /// all are assigned, the one that was last.
    pub(super) fn head(&self) -> Option<ReadyKey> {
        self.ready.first().copied().or(self.last)
    }

    /// Takes note that one more runs, or that it waits no more.
    pub(super) fn not_passed_over(&mut self) {
        self.passed_over = None;
        self.reserves = false;
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
