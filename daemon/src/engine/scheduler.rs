//! Which ready jobs go to the worker now.
//!
//! Lanes are served by the job at their head: the highest priority first, then the oldest workflow,
//! then the order in it. Each is widened as far as it is of use and there is room, and filled. As long
//! as one has not all the CPUs that it could use, lanes of a lower priority get no more jobs, and give
//! up their room as what they have ends: what the worker was given cannot be taken back unnoticed.

use std::cmp::Reverse;

use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::job::{JobKey, State, WorkflowKey};

/// Where a lane stands in the order of service: by the priority, the workflow and the place of the
/// job at its head. Then, which of the settings of the workflow.
type Rank = (Reverse<i32>, WorkflowKey, u32, u32);

impl Engine {
    /// Assigns what there is room for.
    pub fn schedule(&mut self, out: &mut Vec<Action>) {
        self.release_unused();
        let Some(capacity) = self.capacity.filter(|_| !self.stopping) else {
            return;
        };
        // What is given up in one round is taken in the next.
        while self.serve_lanes(capacity, out) > 0 {}
    }

    /// Serves each lane once, and returns how many CPUs were given up.
    fn serve_lanes(&mut self, capacity: u32, out: &mut Vec<Action>) -> u32 {
        let mut lanes: Vec<Rank> = self
            .workflows
            .iter()
            .flat_map(|(key, workflow)| {
                let waiting = workflow.lanes.iter().filter(|(_, lane)| lane.is_waiting());
                waiting.map(|(settings, lane)| {
                    let (priority, index) = lane.head();
                    (priority, *key, index, *settings)
                })
            })
            .collect();
        lanes.sort_unstable();
        let mut given_up = 0;
        let mut wanting = None;
        for (priority, key, _, settings) in lanes {
            if wanting.is_some_and(|wanting| wanting < priority) && self.shares_cpus(key) {
                given_up += self.give_way(key, settings);
                continue;
            }
            self.widen(key, settings, capacity);
            self.fill(key, settings, out);
            if wanting.is_none() && self.wants_cpus(key, settings, capacity) {
                wanting = Some(priority);
            }
        }
        given_up
    }

    /// Returns whether the lanes of a workflow share the CPUs with those of others.
    fn shares_cpus(&self, key: WorkflowKey) -> bool {
        self.workflows.get(&key).is_some_and(|workflow| workflow.max_parallel.is_none())
    }

    /// Returns whether a lane waits for CPUs that it could have.
    fn wants_cpus(&self, key: WorkflowKey, settings: u32, capacity: u32) -> bool {
        let lane = self.workflows.get(&key).and_then(|workflow| workflow.lanes.get(&settings));
        self.shares_cpus(key)
            && lane.is_some_and(|lane| lane.useful_width() > lane.width && lane.cpus <= capacity)
    }

    /// Narrows a lane to what it still has, and returns how many CPUs that frees.
    fn give_way(&mut self, key: WorkflowKey, settings: u32) -> u32 {
        let workflow = self.workflows.get_mut(&key);
        let Some(lane) = workflow.and_then(|workflow| workflow.lanes.get_mut(&settings)) else {
            return 0;
        };
        let freed = lane.width.saturating_sub(lane.outstanding) * lane.cpus;
        lane.width = lane.width.min(lane.outstanding);
        self.cpus_used -= freed;
        freed
    }

    /// Gives back the room that no job of its lane can use any more.
    fn release_unused(&mut self) {
        for workflow in self.workflows.values_mut() {
            for lane in workflow.lanes.values_mut() {
                let useful = lane.useful_width();
                if lane.width > useful {
                    if workflow.max_parallel.is_none() {
                        self.cpus_used -= (lane.width - useful) * lane.cpus;
                    }
                    lane.width = useful;
                }
            }
        }
    }

    fn widen(&mut self, key: WorkflowKey, settings: u32, capacity: u32) {
        let Some(workflow) = self.workflows.get_mut(&key) else { return };
        let in_use = workflow.width();
        let limit = workflow.max_parallel;
        let Some(lane) = workflow.lanes.get_mut(&settings) else { return };
        let wanted = lane.useful_width() - lane.width;
        let room = match limit {
            Some(limit) => limit.saturating_sub(in_use),
            None => capacity.saturating_sub(self.cpus_used) / lane.cpus,
        };
        let more = wanted.min(room);
        lane.width += more;
        if limit.is_none() {
            self.cpus_used += more * lane.cpus;
        }
    }

    fn fill(&mut self, key: WorkflowKey, settings: u32, out: &mut Vec<Action>) {
        let Some(workflow) = self.workflows.get_mut(&key) else { return };
        let Some(lane) = workflow.lanes.get_mut(&settings) else { return };
        let mut chosen = Vec::new();
        while lane.wants() > 0 {
            let Some((_, index)) = lane.ready.pop_first() else { break };
            lane.outstanding += 1;
            chosen.push(index);
        }
        let (number, width) = (lane.number, lane.width);
        if width > lane.told || (width < lane.told && !chosen.is_empty()) {
            lane.told = width;
            out.push(Action::Lane { lane: number, workflow: key, settings, width });
        }
        for index in chosen {
            workflow.set(index, State::Pending);
            let job = &mut workflow.jobs[index as usize];
            job.attempts += 1;
            let attempt = job.attempts;
            out.push(Action::Assign {
                lane: number,
                job: JobKey { workflow: key, index },
                attempt,
            });
        }
    }
}
