//! The state of all workflows that have not ended, and what follows from what happens to them.
//!
//! A pure function of its inputs: no clock, no database, no process, no foreign crate. Time comes
//! in as an argument and what should happen goes out as [`action::Action`]s, so everything here is
//! tested by script (`tests.rs`).
//!
//! - `job`: one job and its states.
//! - `workflow`: the jobs of one workflow, their counts, and the queue of those that are ready.
//!   The graph of dependencies will live beside it.
//! - `lane`: jobs that are alike share a lane of the worker; how wide it is and how far ahead it
//!   is filled.
//! - `scheduler`: which ready jobs go to the worker now.
//! - `transition`: the inputs.
//!
//! Invariants: a job is in exactly one state and the counts agree with the states; a CPU is given
//! out at most once; an attempt that was assigned ends exactly once; a workflow ends in the same
//! transition as its last job.

pub mod action;
pub mod job;
pub mod lane;
mod scheduler;
#[cfg(test)]
mod tests;
pub mod transition;
mod workflow;

use std::collections::BTreeMap;

use crate::engine::job::WorkflowKey;
use crate::engine::lane::LaneNumber;
use crate::engine::workflow::Workflow;

/// A moment in microseconds, on whatever clock the caller keeps to.
pub type Moment = u64;

/// The engine.
#[derive(Debug, Default)]
pub struct Engine {
    workflows: BTreeMap<WorkflowKey, Workflow>,
    /// What the node has; none while there is no worker.
    capacity: Option<u32>,
    /// CPUs that the lanes of workflows without a limit of their own have reserved.
    cpus_used: u32,
    last_lane: LaneNumber,
    /// No more jobs are assigned.
    stopping: bool,
}
