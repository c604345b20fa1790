//! The lanes that wait for room, in the order in which it is offered to them.
//!
//! Lanes whose jobs cost the same form a class: where the first of them does not fit, none does. So
//! what a turn costs grows with the number of classes, not with that of lanes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::job::WorkflowKey;
use crate::engine::resources::Cost;

/// Where a lane stands in the order of service: by the priority, the workflow and the place of the
/// job at its head. Then, which of the settings of the workflow.
pub(super) type Rank = (Reverse<i32>, WorkflowKey, u32, u32);

/// What lanes have in common that cost the same from the same pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Class {
    /// Whose own pool a part of it comes from.
    pub(super) own: Option<WorkflowKey>,
    pub(super) cost: Cost,
}

impl Class {
    fn has_own_cpus(&self) -> bool {
        self.cost.own.cpus > 0
    }
}

/// The lanes of one group that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    all: BTreeSet<Rank>,
    classes: BTreeMap<Class, BTreeSet<Rank>>,
}

impl Queue {
    pub(super) fn insert(&mut self, class: Class, rank: Rank) {
        self.all.insert(rank);
        self.classes.entry(class).or_default().insert(rank);
    }

    pub(super) fn remove(&mut self, class: Class, rank: Rank) {
        self.all.remove(&rank);
        if let Some(lanes) = self.classes.get_mut(&class) {
            lanes.remove(&rank);
            if lanes.is_empty() {
                self.classes.remove(&class);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether some of its lanes use CPUs of their workflow, not of the node.
    pub(super) fn has_own_cpus(&self) -> bool {
        // In the order of classes, those without a pool of their own come first.
        self.classes.keys().rev().take_while(|class| class.own.is_some()).any(Class::has_own_cpus)
    }

    /// Returns the lane that is served first.
    pub(super) fn first(&self) -> Option<Rank> {
        self.all.first().copied()
    }

    /// Returns the first lane of a class.
    pub(super) fn head(&self, class: Class) -> Option<Rank> {
        self.classes.get(&class)?.first().copied()
    }

    /// Returns the first lane of each class, the first of all first.
    pub(super) fn heads(&self) -> BTreeSet<(Rank, Class)> {
        let heads = self.classes.iter();
        heads.filter_map(|(class, lanes)| Some((*lanes.first()?, *class))).collect()
    }
}
