//! Hooks: what else is run on the way of a workflow.
//!
//! They take no room and never delay jobs; only the end of the workflow waits for them. A hook fires
//! once at the most, and none does in a workflow that was canceled, is out of time or was halted
//! at once, nor in an engine that is stopping: nothing new is to begin there. An engine that holds
//! puts off those that are due, and the end of their workflow with them.

use std::collections::BTreeSet;
use std::ops::Range;

/// When a hook fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// When the workflow is submitted.
    Start,
    /// When all of its jobs have ended.
    Complete,
    /// When each of the jobs has been ready; never when one is canceled before that.
    JobsReady,
    /// When each of the jobs has ended, however it did.
    JobsEnded,
    /// When the workflow is submitted: its worker is there from the start.
    WorkerStart,
    /// When all jobs of the workflow have ended.
    WorkerComplete,
}

/// A hook as it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// When it fires.
    pub trigger: Trigger,
    /// The jobs that it watches, by their place.
    pub jobs: Vec<u32>,
    /// It has fired already, and does not again.
    pub fired: bool,
}

/// The hooks of a workflow that has not ended.
#[derive(Debug, Default)]
pub(super) struct Hooks {
    hooks: Vec<Watch>,
    /// Which hook watches which job, sorted; and whether it waits for the job no more.
    watched: Vec<(u32, u32, bool)>,
    /// Those that are to fire, in the order in which it came about.
    due: Vec<u32>,
    running: BTreeSet<u32>,
}

#[derive(Debug)]
struct Watch {
    trigger: Trigger,
    /// It waits for so many jobs.
    left: usize,
    /// It may still fire.
    open: bool,
}

impl Hooks {
    pub(super) fn new(hooks: Vec<Hook>) -> Self {
        let mut all = Self::default();
        for (number, Hook { trigger, mut jobs, fired }) in hooks.into_iter().enumerate() {
            let number = number as u32;
            jobs.sort_unstable();
            jobs.dedup();
            let mut left = 0;
            if !fired && matches!(trigger, Trigger::JobsReady | Trigger::JobsEnded) {
                left = jobs.len();
                all.watched.extend(jobs.into_iter().map(|job| (job, number, false)));
            }
            all.hooks.push(Watch { trigger, left, open: !fired });
        }
        all.watched.sort_unstable();
        all
    }

    /// Takes note that the workflow was submitted.
    pub(super) fn begin(&mut self) {
        for number in 0..self.hooks.len() as u32 {
            let Watch { trigger, left, .. } = self.hooks[number as usize];
            match trigger {
                Trigger::Start | Trigger::WorkerStart => self.make_due(number),
                Trigger::JobsReady | Trigger::JobsEnded if left == 0 => self.make_due(number),
                Trigger::JobsReady
                | Trigger::JobsEnded
                | Trigger::Complete
                | Trigger::WorkerComplete => {}
            }
        }
    }

    /// Takes note that all jobs of the workflow have ended.
    pub(super) fn complete(&mut self) {
        for number in 0..self.hooks.len() as u32 {
            let trigger = self.hooks[number as usize].trigger;
            if matches!(trigger, Trigger::Complete | Trigger::WorkerComplete) {
                self.make_due(number);
            }
        }
    }

    /// Takes note that a job is ready, or has been.
    pub(super) fn job_ready(&mut self, job: u32) {
        self.job_passed(job, Trigger::JobsReady);
    }

    /// Takes note that a job has ended; `canceled`: as canceled.
    pub(super) fn job_ended(&mut self, job: u32, canceled: bool) {
        if self.watched.is_empty() {
            return;
        }
        self.job_passed(job, Trigger::JobsEnded);
        for place in self.places(job).filter(|_| canceled) {
            let (_, number, passed) = self.watched[place];
            let hook = &mut self.hooks[number as usize];
            if hook.trigger == Trigger::JobsReady && !passed {
                hook.open = false;
            }
        }
    }

    fn job_passed(&mut self, job: u32, trigger: Trigger) {
        if self.watched.is_empty() {
            return;
        }
        for place in self.places(job) {
            let (_, number, passed) = &mut self.watched[place];
            let (number, hook) = (*number, &mut self.hooks[*number as usize]);
            if hook.trigger == trigger && !std::mem::replace(passed, true) {
                hook.left -= 1;
                if hook.left == 0 {
                    self.make_due(number);
                }
            }
        }
    }

    fn places(&self, job: u32) -> Range<usize> {
        let begin = self.watched.partition_point(|(watched, _, _)| *watched < job);
        let end = self.watched.partition_point(|(watched, _, _)| *watched <= job);
        begin..end
    }

    fn make_due(&mut self, number: u32) {
        if std::mem::take(&mut self.hooks[number as usize].open) {
            self.due.push(number);
        }
    }

    /// Returns what is to fire now and takes note that it runs; nothing, for good, unless it `may`.
    pub(super) fn fire(&mut self, may: bool) -> Vec<u32> {
        let mut due = std::mem::take(&mut self.due);
        if !may {
            due.clear();
        }
        self.running.extend(due.iter().copied());
        due
    }

    /// Takes note that a hook has ended.
    pub(super) fn ended(&mut self, number: u32) {
        self.running.remove(&number);
    }

    /// Returns those that run.
    pub(super) fn running(&self) -> impl Iterator<Item = u32> {
        self.running.iter().copied()
    }

    /// Returns whether none runs or is to fire.
    pub(super) fn are_quiet(&self) -> bool {
        self.running.is_empty() && self.due.is_empty()
    }
}
