//! A workflow as it comes in: new, or found in a database.

use crate::engine::action::Action;
use crate::engine::graph::Graph;
use crate::engine::hook::Hook;
use crate::engine::job::{Job, Settings, State, WorkflowKey};
use crate::engine::resources::Room;
use crate::engine::workflow::Workflow;
use crate::engine::{Engine, Moment};

/// A workflow as it comes in.
#[derive(Debug)]
pub struct Submission {
    /// Its jobs in the order of submission. Whether one that has not ended is blocked or ready is
    /// found out: what differs from what is given comes out as an action.
    pub jobs: Vec<Job>,
    /// Their settings.
    pub settings: Vec<Settings>,
    /// Which job waits for which; of as many jobs, or of none when all are independent.
    pub graph: Graph,
    /// Where they find their resources.
    pub room: Room,
    /// When it must have ended.
    pub limit: Option<Limit>,
    /// After how many failures it gives up.
    pub halt: Option<Halt>,
    /// What else happens on its way.
    pub hooks: Vec<Hook>,
}

/// When a workflow must have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// From then on all that waits is canceled, and all that runs is stopped. Before, jobs whose
    /// runtime does not fit any more are canceled instead of started.
    pub stop_at: Moment,
}

/// After how many failures a workflow gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// When so many jobs, at least one, have ended as failed or terminated, those that wait are
    /// canceled, and those that are assigned but not known to run are taken back.
    pub after: u64,
    /// Those that run are stopped, too.
    pub now: bool,
}

impl Engine {
    /// Takes in a workflow.
    ///
    /// Jobs that have not ended become ready when nothing that they wait for is unfinished, else
    /// blocked, whatever they are given as; those that wait for what did not complete are canceled.
    ///
    /// # Panics
    ///
    /// When a job names settings, or the graph or a hook a job, that is not there.
    pub fn submit(&mut self, key: WorkflowKey, submission: Submission, out: &mut Vec<Action>) {
        let given: Vec<State> = submission.jobs.iter().map(|job| job.state).collect();
        let mut workflow = Workflow::new(key, submission);
        workflow.hooks.begin();
        self.timers.extend(workflow.limit.map(|limit| (limit.stop_at, key, None)));
        let gives_up = workflow.halts();
        workflow.take_in(&given, gives_up.is_none());
        self.workflows.insert(key, workflow);
        if let Some(at_once) = gives_up {
            // What follows is recorded below, job by job.
            self.close(key, at_once, &mut Vec::new());
        }
        if let Some(workflow) = self.workflows.get(&key) {
            let jobs = given.iter().zip(0..);
            let changed = jobs.filter(|(given, index)| workflow.job(*index).state != **given);
            out.extend(changed.map(|(_, index)| workflow.set_action(index)));
        }
        self.settle(key, out);
    }
}

impl Workflow {
    /// Takes note of the states in which jobs are given, and of what follows for the others if they
    /// are to go on.
    fn take_in(&mut self, given: &[State], goes_on: bool) {
        let jobs = given.len() as u32;
        for index in (0..jobs).filter(|_| goes_on) {
            if self.job(index).state == State::Blocked && self.unfinished(index) == 0 {
                self.put(index, State::Ready);
            }
        }
        let mut unrecorded = Vec::new();
        for (state, index) in given.iter().zip(0..).filter(|(state, _)| state.is_final()) {
            let canceled = *state == State::Canceled;
            if !canceled {
                self.hooks.job_ready(index);
            }
            self.hooks.job_ended(index, canceled);
            if goes_on {
                self.settle_dependents(index, &mut unrecorded);
                unrecorded.clear();
            }
        }
    }
}
