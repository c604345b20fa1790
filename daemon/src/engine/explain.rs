//! Why a job is where it is, and whether it could ever start.

use std::cmp::Reverse;

use crate::engine::job::{Job, JobKey, Settings, State};
use crate::engine::resources::{Group, Need, Pool, Room, Shortage};
use crate::engine::workflow::Workflow;
use crate::engine::{Engine, Moment};

/// At most so many of the jobs that one waits for are named.
const NAMED: usize = 20;

/// Why a job is where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// It waits for others.
    Blocked {
        /// The first of those that have not ended, by their place.
        first: Vec<u32>,
        /// How many there are.
        count: usize,
    },
    /// It waits for the delay before its next try.
    Delayed {
        /// Until then.
        until: Moment,
    },
    /// It could run.
    Ready {
        /// So many jobs of its kind start before it.
        before: usize,
        /// What they wait for.
        wait: Wait,
    },
    /// No worker here may run it.
    Held,
    /// It is not to run until somebody enables it.
    Disabled,
    /// The worker has it and starts it next.
    Pending,
    /// It runs.
    Running,
    /// It has ended, in this state.
    Ended(State),
}

/// What ready jobs wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// There is no worker.
    NoWorker,
    /// The engine is stopping, or holds.
    Stopping,
    /// The node is too small, or what the workflow may use.
    NeverFits(Shortage),
    /// As many jobs of the workflow run as may.
    Count {
        /// So many.
        limit: u32,
    },
    /// Room is taken.
    Room {
        /// What a job takes.
        need: Need,
        /// What is free of the pools that it draws on.
        free: Need,
        /// What there is in them.
        total: Need,
        /// The job for which room is kept since it was passed over for long, this one or another.
        reserved: Option<JobKey>,
    },
}

impl Engine {
    /// Returns why a job is where it is; none when its workflow has ended, or has no such job.
    #[must_use]
    pub fn explain(&self, job: JobKey) -> Option<Explanation> {
        let workflow = self.workflows.get(&job.workflow)?;
        let Job { state, settings, priority, .. } = *workflow.jobs.get(job.index as usize)?;
        Some(match state {
            State::Blocked => match workflow.delayed.get(&job.index) {
                Some(until) => Explanation::Delayed { until: *until },
                None => workflow.explain_blocked(job.index),
            },
            State::Ready if workflow.settings[settings as usize].held => Explanation::Held,
            State::Ready => {
                let ready = &workflow.lanes[settings as usize].ready;
                let before = ready.range(..(Reverse(priority), job.index)).count();
                Explanation::Ready { before, wait: self.explain_wait(workflow, settings) }
            }
            State::Disabled => Explanation::Disabled,
            State::Pending => Explanation::Pending,
            State::Running => Explanation::Running,
            State::Completed | State::Failed | State::Canceled | State::Terminated => {
                Explanation::Ended(state)
            }
        })
    }

    /// Returns what a job of these settings lacks that could never start; none when it could, or
    /// when there is no worker to tell.
    #[must_use]
    pub fn never_fits(&self, settings: &Settings, room: &Room) -> Option<Shortage> {
        room.shortage(settings.need, self.capacity())
    }

    fn explain_wait(&self, workflow: &Workflow, kind: u32) -> Wait {
        if self.stopping || self.holding {
            return Wait::Stopping;
        }
        let Some(node) = &self.node else { return Wait::NoWorker };
        let settings = &workflow.settings[kind as usize];
        if let Some(shortage) = self.never_fits(settings, &workflow.room) {
            return Wait::NeverFits(shortage);
        }
        if let Room::Count(limit) = workflow.room {
            return Wait::Count { limit };
        }
        let own = workflow.own.as_ref();
        Wait::Room {
            need: Need { cpus: settings.need.cpus.max(1), ..settings.need },
            free: workflow.room.seen(node.free(), own.map(Pool::free)),
            total: workflow.room.seen(node.total(), own.map(Pool::total)),
            reserved: self.reserved(workflow.group),
        }
    }

    /// Returns the job for which room is kept among those that share it.
    fn reserved(&self, group: Group) -> Option<JobKey> {
        let heads = self.queues.get(&group)?.heads();
        heads.into_iter().find_map(|((_, key, index, kind), _)| {
            let lane = &self.workflows.get(&key)?.lanes[kind as usize];
            lane.reserves.then_some(JobKey { workflow: key, index })
        })
    }
}

impl Workflow {
    fn explain_blocked(&self, index: u32) -> Explanation {
        let dependencies = self.graph.dependencies(index).iter().copied();
        let unfinished = dependencies.filter(|on| !self.job(*on).state.is_final());
        let mut first: Vec<u32> = unfinished.collect();
        let count = first.len();
        first.truncate(NAMED);
        Explanation::Blocked { first, count }
    }
}

impl Room {
    /// Returns what a job here sees of what the node and the workflow itself have.
    fn seen(&self, node: Need, own: Option<Need>) -> Need {
        let Self::Own(given) = self else { return node };
        let own = own.unwrap_or_default();
        Need {
            cpus: given.cpus.map_or(node.cpus, |_| own.cpus),
            memory: given.memory.map_or(node.memory, |_| own.memory),
            gpus: given.gpus.map_or(node.gpus, |_| own.gpus),
        }
    }
}
