//! The jobs of one workflow.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Moment;
use crate::engine::action::{Action, Finish};
use crate::engine::job::{Job, JobKey, Settings, State};
use crate::engine::lane::Lane;

/// The order in which ready jobs start: by priority, then as they were submitted.
pub(super) type ReadyKey = (Reverse<i32>, u32);

/// One workflow that has not ended.
#[derive(Debug)]
pub(super) struct Workflow {
    pub(super) jobs: Vec<Job>,
    pub(super) settings: Vec<Settings>,
    /// Its own limit on how many run; then CPUs do not matter.
    pub(super) max_parallel: Option<u32>,
    pub(super) canceled: bool,
    /// Jobs that were canceled one by one and whose attempt has not ended yet.
    pub(super) being_canceled: BTreeSet<u32>,
    /// One for each of the settings, made when first needed.
    pub(super) lanes: BTreeMap<u32, Lane>,
    /// Jobs that wait for their retry, by the moment when it is due.
    pub(super) delayed: BTreeMap<(Moment, u32), ()>,
    counts: [u64; State::ALL.len()],
}

impl Workflow {
    pub(super) fn new(jobs: Vec<Job>, settings: Vec<Settings>, max_parallel: Option<u32>) -> Self {
        let mut counts = [0; State::ALL.len()];
        for job in &jobs {
            counts[job.state as usize] += 1;
        }
        Self {
            jobs,
            settings,
            max_parallel,
            canceled: false,
            being_canceled: BTreeSet::new(),
            lanes: BTreeMap::new(),
            delayed: BTreeMap::new(),
            counts,
        }
    }

    pub(super) fn job(&self, index: u32) -> &Job {
        &self.jobs[index as usize]
    }

    /// Puts a job into another state and keeps the counts.
    pub(super) fn set(&mut self, index: u32, state: State) {
        let job = &mut self.jobs[index as usize];
        self.counts[job.state as usize] -= 1;
        self.counts[state as usize] += 1;
        job.state = state;
    }

    /// Returns the action that records how one of the jobs stands.
    pub(super) fn set_action(&self, job: JobKey) -> Action {
        let Job { state, attempts, .. } = *self.job(job.index);
        Action::Set { job, state, attempts }
    }

    pub(super) fn count(&self, state: State) -> u64 {
        self.counts[state as usize]
    }

    /// Returns how the workflow has ended, if it has.
    pub(super) fn finish(&self) -> Option<Finish> {
        let ended: u64 = State::ALL
            .into_iter()
            .filter(|state| state.is_final())
            .map(|state| self.count(state))
            .sum();
        if ended < self.jobs.len() as u64 {
            return None;
        }
        Some(if self.canceled {
            Finish::Canceled
        } else if self.count(State::Completed) == self.jobs.len() as u64 {
            Finish::Completed
        } else {
            Finish::Failed
        })
    }

    /// Returns how many of its jobs may run, over all of its lanes.
    pub(super) fn width(&self) -> u32 {
        self.lanes.values().map(|lane| lane.width).sum()
    }
}
