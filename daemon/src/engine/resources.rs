//! CPUs, memory and GPUs: what a job takes, what a node has, and what of it is free.
//!
//! A [`Pool`] is what several jobs share. CPUs and memory are only counted; a GPU is leased with its
//! index. Invariants: no more is taken than there is, nothing is given back that was not taken, and
//! a GPU has one holder at a time.

use std::collections::BTreeSet;

use crate::engine::job::{Settings, WorkflowKey};

/// So much of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Need {
    /// CPUs; a job takes at least one.
    pub cpus: u32,
    /// Bytes of memory; 0 of a job that does not say.
    pub memory: u64,
    /// GPUs.
    pub gpus: u32,
}

impl Need {
    /// Returns how often it fits into what is there; as often as one likes when it is nothing.
    #[must_use]
    pub fn times_in(self, there: Self) -> u32 {
        let cpus = there.cpus.checked_div(self.cpus).unwrap_or(u32::MAX);
        let memory = there.memory.checked_div(self.memory).unwrap_or(u64::MAX);
        let gpus = there.gpus.checked_div(self.gpus).unwrap_or(u32::MAX);
        cpus.min(gpus).min(u32::try_from(memory).unwrap_or(u32::MAX))
    }

    /// Returns what is left without as much as `other`, of each at least nothing.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            cpus: self.cpus.saturating_sub(other.cpus),
            memory: self.memory.saturating_sub(other.memory),
            gpus: self.gpus.saturating_sub(other.gpus),
        }
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }
}

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// CPUs.
    Cpus,
    /// Memory, in bytes.
    Memory,
    /// GPUs.
    Gpus,
    /// How many jobs may run at a time.
    Jobs,
}

/// Why a job can never start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Of which resource there is too little.
    pub of: Resource,
    /// How much the job needs.
    pub need: u64,
    /// How much there is.
    pub has: u64,
}

/// What a workflow says that it may use, instead of what the node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// CPUs; none: those of the node, shared with the other workflows.
    pub cpus: Option<u32>,
    /// Bytes of memory; none: that of the node.
    pub memory: Option<u64>,
    /// GPUs, from index 0 on and without regard to who else uses them; none: those of the node.
    pub gpus: Option<u32>,
}

/// Where the jobs of a workflow find their resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// In what the node has, shared with the other workflows.
    Node,
    /// In a pool of the workflow's own.
    Own(Own),
    /// Only how many run at a time counts; CPUs and memory are not counted, GPUs not leased.
    Count(u32),
}

/// What one job costs: a part from the pool of its workflow, a part from that of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    pub(super) own: Need,
    pub(super) node: Need,
}

impl Cost {
    /// Returns how many GPUs it takes, from wherever.
    pub(super) fn gpus(&self) -> u32 {
        self.own.gpus + self.node.gpus
    }
}

impl Room {
    /// Returns what a job costs here.
    pub(super) fn cost(&self, need: Need) -> Cost {
        let need = Need { cpus: need.cpus.max(1), ..need };
        let nothing = Need::default();
        match self {
            Self::Node => Cost { own: nothing, node: need },
            // A place is counted as one CPU of a pool that has nothing else.
            Self::Count(_) => Cost { own: Need { cpus: 1, ..nothing }, node: nothing },
            Self::Own(given) => {
                let own = Need {
                    cpus: given.cpus.map_or(0, |_| need.cpus),
                    memory: given.memory.map_or(0, |_| need.memory),
                    gpus: given.gpus.map_or(0, |_| need.gpus),
                };
                Cost { own, node: need.without(own) }
            }
        }
    }

    /// Returns what the workflow has for itself.
    pub(super) fn own(&self) -> Option<Need> {
        match *self {
            Self::Node => None,
            Self::Count(jobs) => Some(Need { cpus: jobs, ..Need::default() }),
            Self::Own(Own { cpus, memory, gpus }) => Some(Need {
                cpus: cpus.unwrap_or(0),
                memory: memory.unwrap_or(0),
                gpus: gpus.unwrap_or(0),
            }),
        }
    }

    /// Returns with whom a workflow of these settings shares what it uses.
    pub(super) fn group(&self, key: WorkflowKey, settings: &[Settings]) -> Group {
        let uses_node = |one: &Settings| !self.cost(one.need).node.is_nothing();
        if settings.iter().any(uses_node) { Group::Node } else { Group::Own(key) }
    }

    /// Returns what a job lacks that can never start, if the node has so much; none: not known.
    pub(super) fn shortage(&self, need: Need, node: Option<Need>) -> Option<Shortage> {
        let cost = self.cost(need);
        let jobs = matches!(self, Self::Count(_));
        let own = self.own().and_then(|own| shortage(cost.own, own));
        own.map(|short| if jobs { Shortage { of: Resource::Jobs, ..short } } else { short })
            .or_else(|| shortage(cost.node, node?))
    }
}

fn shortage(need: Need, has: Need) -> Option<Shortage> {
    let short = |of, need: u64, has: u64| (need > has).then_some(Shortage { of, need, has });
    short(Resource::Cpus, need.cpus.into(), has.cpus.into())
        .or_else(|| short(Resource::Memory, need.memory, has.memory))
        .or_else(|| short(Resource::Gpus, need.gpus.into(), has.gpus.into()))
}

/// Workflows that compete with each other: those that use the node, and each other one by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Node,
    Own(WorkflowKey),
}

/// What a node has, or a workflow for itself, and what of it is free.
#[derive(Clone, Debug)]
pub struct Pool {
    total: Need,
    cpus: u32,
    memory: u64,
    gpus: BTreeSet<u32>,
    /// What is free but kept for a job that was passed over for long; only while lanes are served.
    withheld: Need,
}

impl Pool {
    /// Returns a pool of which everything is free.
    #[must_use]
    pub fn new(total: Need) -> Self {
        let Need { cpus, memory, gpus } = total;
        Self { total, cpus, memory, gpus: (0..gpus).collect(), withheld: Need::default() }
    }

    /// Returns what there is, free or not.
    #[must_use]
    pub fn total(&self) -> Need {
        self.total
    }

    /// Returns how much is free.
    #[must_use]
    pub fn free(&self) -> Need {
        Need { cpus: self.cpus, memory: self.memory, gpus: self.gpus.len() as u32 }
    }

    /// Returns the indices of the GPUs that are free.
    pub fn free_gpus(&self) -> impl Iterator<Item = u32> {
        self.gpus.iter().copied()
    }

    /// Returns what is free and not withheld.
    pub(super) fn available(&self) -> Need {
        self.free().without(self.withheld)
    }

    /// Keeps for a job what it needs of what is free; all of that of which there is too little.
    pub(super) fn withhold(&mut self, need: Need) {
        let Need { cpus, memory, gpus } = self.withheld;
        let free = self.free();
        self.withheld = Need {
            cpus: cpus.saturating_add(need.cpus).min(free.cpus),
            memory: memory.saturating_add(need.memory).min(free.memory),
            gpus: gpus.saturating_add(need.gpus).min(free.gpus),
        };
    }

    /// Lets everybody have again what was withheld.
    pub(super) fn release_withheld(&mut self) {
        self.withheld = Need::default();
    }

    /// Takes the CPUs and the memory for so many jobs.
    pub(super) fn take(&mut self, need: Need, times: u32) {
        self.cpus -= need.cpus * times;
        self.memory -= need.memory * u64::from(times);
    }

    /// Gives back the CPUs and the memory of so many jobs.
    pub(super) fn give_back(&mut self, need: Need, times: u32) {
        self.cpus += need.cpus * times;
        self.memory += need.memory * u64::from(times);
    }

    /// Leases so many GPUs, those with the lowest indices first.
    pub(super) fn lease(&mut self, gpus: u32) -> Vec<u32> {
        (0..gpus).filter_map(|_| self.gpus.pop_first()).collect()
    }

    /// Ends the lease of these GPUs.
    pub(super) fn end_lease(&mut self, gpus: Vec<u32>) {
        self.gpus.extend(gpus);
    }
}
