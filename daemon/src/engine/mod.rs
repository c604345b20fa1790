//! The state of all workflows that have not ended, and what follows from what happens to them.
//!
//! A pure function of its inputs: no clock, no database, no process, no foreign crate. Time comes
//! in as an argument and what should happen goes out as [`action::Action`]s, so everything here is
//! tested by script (`tests.rs`).
//!
//! - `job`: one job and its states, and the settings of a kind of job; `graph`: which job waits for
//!   which.
//! - `resources`: CPUs, memory and GPUs, and the pools of them.
//! - `hook`: what else is run on the way of a workflow.
//! - `submission`: a workflow as it comes in; `workflow`: as it is kept, and what follows in it from
//!   the end of a job.
//! - `lane`: jobs that are alike share a lane of the worker; how wide it is and how far ahead it
//!   is filled. `queue`: the lanes that wait for room.
//! - `scheduler`: to whom room is offered; `assign`: what a workflow does with it.
//! - `transition` and `cancel`: the inputs.
//! - `explain`: why a job is where it is.
//!
//! Invariants: a job is in exactly one state and the counts agree with the states; none starts
//! before what it waits for has ended; what is in use never exceeds a pool, and a GPU is leased once
//! at a time; an attempt that was assigned ends exactly once; a workflow ends in the same transition
//! as the last of its jobs and hooks, and nothing of it follows.

pub mod action;
mod assign;
mod cancel;
pub mod explain;
pub mod graph;
pub mod hook;
pub mod job;
pub mod lane;
mod queue;
pub mod resources;
mod scheduler;
pub mod submission;
#[cfg(test)]
mod tests;
pub mod transition;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::job::WorkflowKey;
use crate::engine::lane::LaneNumber;
use crate::engine::queue::Queue;
use crate::engine::resources::{Group, Pool};
use crate::engine::workflow::Workflow;

/// A moment in microseconds, on whatever clock the caller keeps to.
pub type Moment = u64;

/// The engine.
#[derive(Debug, Default)]
pub struct Engine {
    workflows: BTreeMap<WorkflowKey, Workflow>,
    /// What the node has; none while there is no worker.
    node: Option<Pool>,
    /// The lanes that wait for room, by those whom they share it with.
    queues: BTreeMap<Group, Queue>,
    /// When something is due: the retry of a job, or else the end of the time of a workflow.
    timers: BTreeSet<(Moment, WorkflowKey, Option<u32>)>,
    /// Workflows with lanes that are to be looked at when lanes are served.
    touched: BTreeSet<WorkflowKey>,
    /// Groups in which there may be room that was not offered yet.
    unserved: BTreeSet<Group>,
    /// Workflows that were found to have jobs for which time is too short.
    late: BTreeSet<WorkflowKey>,
    /// Workflows of which nothing is under way.
    quiet: BTreeSet<WorkflowKey>,
    last_lane: LaneNumber,
    /// No more jobs are assigned.
    stopping: bool,
    /// No jobs are assigned for now.
    holding: bool,
}
