//! The jobs of one workflow, their counts, and what follows in it from the end of one of them.
//!
//! Whatever puts a job into another state goes through [`Workflow::put`], which keeps the counts, the
//! ready jobs of the lanes, and the hooks.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::Moment;
use crate::engine::action::{Action, Finish};
use crate::engine::graph::Graph;
use crate::engine::hook::Hooks;
use crate::engine::job::{Job, JobKey, Settings, State, WorkflowKey};
use crate::engine::lane::Lane;
use crate::engine::queue::Class;
use crate::engine::resources::{Group, Pool, Room};
use crate::engine::submission::{Halt, Limit, Submission};

/// The order in which ready jobs start: by priority, then as they were submitted.
pub(super) type ReadyKey = (Reverse<i32>, u32);

/// One workflow that has not ended.
#[derive(Debug)]
pub(super) struct Workflow {
    pub(super) key: WorkflowKey,
    pub(super) jobs: Vec<Job>,
    pub(super) settings: Vec<Settings>,
    /// One for each of the settings.
    pub(super) lanes: Vec<Lane>,
    pub(super) graph: Graph,
    /// For how many others each job still waits; nothing when the graph has no edges.
    unfinished: Vec<u32>,
    pub(super) room: Room,
    /// What it has for itself.
    pub(super) own: Option<Pool>,
    pub(super) group: Group,
    pub(super) limit: Option<Limit>,
    halt: Option<Halt>,
    pub(super) hooks: Hooks,
    pub(super) canceled: bool,
    /// Nothing is started or tried again any more.
    pub(super) closed: bool,
    /// Nor do hooks fire.
    pub(super) cut_short: bool,
    /// Jobs that were canceled one by one and whose attempt has not ended yet.
    pub(super) being_canceled: BTreeSet<u32>,
    /// When the jobs are due that wait for their retry.
    pub(super) delayed: BTreeMap<u32, Moment>,
    /// The GPUs of the jobs that have some.
    pub(super) leases: BTreeMap<u32, Vec<u32>>,
    /// Lanes in which something has changed since lanes were last served.
    pub(super) touched: Vec<u32>,
    counts: [u64; State::ALL.len()],
}

impl Workflow {
    /// Takes a workflow in. Jobs that have not ended are blocked at first.
    pub(super) fn new(key: WorkflowKey, submission: Submission) -> Self {
        let Submission { mut jobs, settings, graph, room, limit, halt, hooks } = submission;
        let mut counts = [0; State::ALL.len()];
        for job in &mut jobs {
            if !job.state.is_final() && job.state != State::Disabled {
                job.state = State::Blocked;
            }
            counts[job.state as usize] += 1;
        }
        let waits_for = |job| graph.dependencies(job).len() as u32;
        let edges = graph.edges() > 0;
        let unfinished = edges.then(|| (0..jobs.len() as u32).map(waits_for).collect());
        let lane = |one: &Settings| {
            let cost = room.cost(one.need);
            let in_time = limit.is_some() && one.runtime.is_some();
            Lane::new(cost, cost.gpus() > 0 || in_time || halt.is_some(), one.held)
        };
        Self {
            key,
            lanes: settings.iter().map(lane).collect(),
            unfinished: unfinished.unwrap_or_default(),
            own: room.own().map(Pool::new),
            group: room.group(key, &settings),
            jobs,
            settings,
            graph,
            room,
            limit,
            halt,
            hooks: Hooks::new(hooks),
            canceled: false,
            closed: false,
            cut_short: false,
            being_canceled: BTreeSet::new(),
            delayed: BTreeMap::new(),
            leases: BTreeMap::new(),
            touched: Vec::new(),
            counts,
        }
    }

    /// Stops the hooks that run.
    pub(super) fn stop_hooks(&self, out: &mut Vec<Action>) {
        out.extend(self.hooks.running().map(|hook| Action::StopHook { workflow: self.key, hook }));
    }

    pub(super) fn job(&self, index: u32) -> &Job {
        &self.jobs[index as usize]
    }

    pub(super) fn key_of(&self, index: u32) -> JobKey {
        JobKey { workflow: self.key, index }
    }

    pub(super) fn settings_of(&self, index: u32) -> &Settings {
        &self.settings[self.job(index).settings as usize]
    }

    /// Returns for how many others a job still waits.
    pub(super) fn unfinished(&self, index: u32) -> u32 {
        self.unfinished.get(index as usize).copied().unwrap_or(0)
    }

    /// Returns the class of the lane of these settings.
    pub(super) fn class(&self, kind: u32) -> Class {
        let own = self.own.as_ref().map(|_| self.key);
        Class { own, cost: self.lanes[kind as usize].cost }
    }

    /// Puts a job into another state.
    pub(super) fn put(&mut self, index: u32, state: State) {
        let Job { priority, settings, state: before, .. } = *self.job(index);
        let entry = (Reverse(priority), index);
        self.counts[before as usize] -= 1;
        self.counts[state as usize] += 1;
        self.jobs[index as usize].state = state;
        if before == State::Ready && state != State::Pending {
            self.touch(settings);
            self.lanes[settings as usize].ready.remove(&entry);
        }
        if state == State::Ready {
            self.touch(settings);
            self.lanes[settings as usize].ready.insert(entry);
            self.hooks.job_ready(index);
        }
        if state.is_final() {
            self.hooks.job_ended(index, state == State::Canceled);
        }
    }

    /// Takes note that a lane is to be looked at when lanes are served.
    pub(super) fn touch(&mut self, kind: u32) {
        if !std::mem::replace(&mut self.lanes[kind as usize].touched, true) {
            self.touched.push(kind);
        }
    }

    /// Puts a job into another state and records it.
    pub(super) fn set(&mut self, index: u32, state: State, out: &mut Vec<Action>) {
        self.put(index, state);
        out.push(self.set_action(index));
    }

    /// Returns the action that records how a job stands.
    pub(super) fn set_action(&self, index: u32) -> Action {
        let Job { state, attempts, .. } = *self.job(index);
        Action::Set { job: self.key_of(index), state, attempts }
    }

    /// Makes ready what only waited for a job that has ended, or cancels it, and so on down.
    pub(super) fn settle_dependents(&mut self, ended: u32, out: &mut Vec<Action>) {
        if self.graph.dependents(ended).is_empty() {
            return;
        }
        let graph = std::mem::take(&mut self.graph);
        let mut ended = vec![ended];
        while let Some(index) = ended.pop() {
            let completed = self.job(index).state == State::Completed;
            for dependent in graph.dependents(index).iter().copied() {
                let unfinished = &mut self.unfinished[dependent as usize];
                *unfinished -= 1;
                let free = *unfinished == 0;
                let waits = matches!(self.job(dependent).state, State::Blocked | State::Disabled);
                if waits && !completed && self.settings_of(dependent).cancel_on_failure {
                    self.set(dependent, State::Canceled, out);
                    ended.push(dependent);
                } else if free && self.job(dependent).state == State::Blocked {
                    self.set(dependent, State::Ready, out);
                }
            }
        }
        self.graph = graph;
    }

    pub(super) fn count(&self, state: State) -> u64 {
        self.counts[state as usize]
    }

    pub(super) fn counts(&self) -> [u64; State::ALL.len()] {
        self.counts
    }

    /// Returns whether the workflow is to give up now, and whether at once.
    pub(super) fn halts(&self) -> Option<bool> {
        let halt = self.halt.filter(|_| !self.closed)?;
        let failed = self.count(State::Failed) + self.count(State::Terminated);
        (failed >= halt.after.max(1)).then_some(halt.now)
    }

    /// Returns whether every job has ended.
    pub(super) fn is_done(&self) -> bool {
        let ended = State::ALL.into_iter().filter(|state| state.is_final());
        ended.map(|state| self.count(state)).sum::<u64>() == self.jobs.len() as u64
    }

    /// Returns whether nothing is under way that would end or fall due by itself.
    pub(super) fn is_quiet(&self) -> bool {
        let assigned = self.count(State::Pending) + self.count(State::Running);
        assigned == 0 && self.delayed.is_empty() && self.hooks.are_quiet()
    }

    /// Returns how a workflow has ended whose jobs have all ended.
    pub(super) fn finish(&self) -> Finish {
        if self.count(State::Completed) == self.jobs.len() as u64 {
            // Also when it was canceled: there was nothing left to withdraw.
            Finish::Completed
        } else if self.canceled {
            Finish::Canceled
        } else {
            Finish::Failed
        }
    }
}
