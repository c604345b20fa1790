//! Which ready jobs go to the worker now.
//!
//! Lanes are served by the job at their head: the highest priority first, then the oldest workflow,
//! then the order in it. Each is widened as far as it is of use and there is room, and filled.

use std::cmp::Reverse;

use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::job::{JobKey, State, WorkflowKey};

impl Engine {
    /// Assigns what there is room for.
    pub fn schedule(&mut self, out: &mut Vec<Action>) {
        self.release_unused();
        let Some(capacity) = self.capacity.filter(|_| !self.stopping) else {
            return;
        };
        let mut lanes: Vec<(Reverse<i32>, WorkflowKey, u32, u32)> = self
            .workflows
            .iter()
            .flat_map(|(key, workflow)| {
                workflow.lanes.iter().filter(|(_, lane)| lane.is_waiting()).map(
                    |(settings, lane)| {
                        let (priority, index) = lane.head();
                        (priority, *key, index, *settings)
                    },
                )
            })
            .collect();
        lanes.sort_unstable();
        for (_, key, _, settings) in lanes {
            self.widen(key, settings, capacity);
            self.fill(key, settings, out);
        }
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
