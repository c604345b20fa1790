//! Which ready jobs go to the worker now.
//!
//! Room is offered to the lanes that wait in the order of the job at their head: the highest priority
//! first, then the oldest workflow, then the order in it. Each takes as much of it as is of use, so
//! later ones fill the holes that are too small for those before them.
//!
//! A lane that waits behind another *gives way*: it keeps what runs, gets no work ahead, and narrows
//! as its jobs end, for what the worker was given cannot be taken back unnoticed. What that frees is
//! offered in the same order; if nobody before it can use it, it gets it again.
//!
//! A lane of which nothing runs though its job would fit into the pool is *passed over*. After
//! [`PATIENCE`](crate::engine::assign::PATIENCE) it *reserves*: later ones get of each resource only what its job can do without, so
//! it starts at last when all that ran then has ended.
//!
//! A turn looks only at lanes in which something has changed, and offers room once to each class of
//! those that wait (`queue`).

use crate::engine::action::{Action, Finish};
use crate::engine::assign::Round;
use crate::engine::job::{State, WorkflowKey};
use crate::engine::queue::{Class, Rank};
use crate::engine::resources::{Group, Need};
use crate::engine::workflow::Workflow;
use crate::engine::{Engine, Moment};

impl Engine {
    /// Assigns what there is room for, and lets go of workflows of which nothing may run.
    pub fn schedule(&mut self, now: Moment, out: &mut Vec<Action>) {
        if self.stopping || self.holding {
            return;
        }
        if let Some(node) = self.node.take() {
            let mut round = Round { node, now, last_lane: self.last_lane, out };
            while self.look_at_touched(&mut round) {
                for group in std::mem::take(&mut self.unserved) {
                    self.serve(group, &mut round);
                }
            }
            self.last_lane = round.last_lane;
            self.node = Some(round.node);
        }
        for key in std::mem::take(&mut self.late) {
            self.settle(key, out);
        }
        self.pause(out);
    }

    /// Brings the lanes up to date in which something has changed, and refills those that need not
    /// give way. Returns whether there is a group to serve.
    fn look_at_touched(&mut self, round: &mut Round<'_>) -> bool {
        let mut touched: Vec<(WorkflowKey, u32)> = Vec::new();
        for key in std::mem::take(&mut self.touched) {
            let Some(workflow) = self.workflows.get_mut(&key) else { continue };
            self.unserved.insert(workflow.group);
            let kinds = std::mem::take(&mut workflow.touched);
            touched.extend(kinds.into_iter().map(|kind| (key, kind)));
        }
        for (key, kind) in &touched {
            self.with(*key, |engine, workflow| {
                workflow.narrow_to_use(*kind, &mut round.node);
                engine.requeue(workflow, *kind, round.node.total());
            });
        }
        for (key, kind) in touched {
            self.with(key, |engine, workflow| {
                let Some(rank) = workflow.lanes[kind as usize].rank else { return };
                if engine.first_of(workflow.group).is_some_and(|first| first < rank) {
                    let outstanding = workflow.lanes[kind as usize].outstanding;
                    workflow.narrow(kind, outstanding, &mut round.node);
                } else {
                    workflow.fill(kind, true, round);
                    engine.requeue(workflow, kind, round.node.total());
                }
            });
        }
        !self.unserved.is_empty()
    }

    /// Offers the room of a group to its lanes.
    fn serve(&mut self, group: Group, round: &mut Round<'_>) {
        let Some(queue) = self.queues.get(&group) else { return };
        if group == Group::Node && round.node.free().cpus == 0 && !queue.has_own_cpus() {
            return;
        }
        let mut heads = queue.heads();
        let mut someone_waits = false;
        let mut withheld = Vec::new();
        while let Some((rank, class)) = heads.pop_first() {
            let (_, key, _, kind) = rank;
            if self.is_too_late(key, kind, round.now) {
                self.cancel_ready(key, kind, round.out);
                continue;
            }
            self.with(key, |engine, workflow| {
                if workflow.offer(kind, !someone_waits, round) {
                    engine.requeue(workflow, kind, round.node.total());
                }
                if workflow.lanes[kind as usize].rank.is_none() {
                    return;
                }
                someone_waits = true;
                if workflow.pass_over(kind, round.now) {
                    workflow.withhold(kind, &mut round.node);
                    withheld.push(key);
                }
            });
            heads.extend(self.next_in(group, class, rank));
        }
        round.node.release_withheld();
        for key in withheld {
            if let Some(own) = self.workflows.get_mut(&key).and_then(|one| one.own.as_mut()) {
                own.release_withheld();
            }
        }
    }

    /// Returns the lane that takes its turn after the one of this rank; none when that one waits
    /// still, for then there is no room for any other of its class.
    fn next_in(&self, group: Group, class: Class, served: Rank) -> Option<(Rank, Class)> {
        let (_, key, _, kind) = served;
        let lane = self.workflows.get(&key).map(|workflow| &workflow.lanes[kind as usize]);
        if lane.is_some_and(|lane| lane.rank.is_some()) {
            return None;
        }
        self.queues.get(&group)?.head(class).map(|rank| (rank, class))
    }

    /// Puts a lane where it belongs among those that wait, if it does.
    fn requeue(&mut self, workflow: &mut Workflow, kind: u32, node: Need) {
        let lane = &workflow.lanes[kind as usize];
        let short = || workflow.room.shortage(workflow.settings[kind as usize].need, Some(node));
        let waits = lane.is_waiting() && !lane.held && short().is_none();
        let head = lane.head().filter(|_| waits);
        let rank = head.map(|(priority, index)| (priority, workflow.key, index, kind));
        if rank == lane.rank {
            return;
        }
        let passed_over = (lane.passed_over, lane.reserves);
        self.dequeue(workflow, kind);
        if let Some(rank) = rank {
            let class = workflow.class(kind);
            self.queues.entry(workflow.group).or_default().insert(class, rank);
            let lane = &mut workflow.lanes[kind as usize];
            lane.rank = Some(rank);
            (lane.passed_over, lane.reserves) = passed_over;
        }
    }

    /// Takes a lane out of those that wait.
    pub(super) fn dequeue(&mut self, workflow: &mut Workflow, kind: u32) {
        let class = workflow.class(kind);
        let lane = &mut workflow.lanes[kind as usize];
        lane.not_passed_over();
        let Some(rank) = lane.rank.take() else { return };
        if let Some(queue) = self.queues.get_mut(&workflow.group) {
            queue.remove(class, rank);
            if queue.is_empty() {
                self.queues.remove(&workflow.group);
            }
        }
    }

    fn first_of(&self, group: Group) -> Option<Rank> {
        self.queues.get(&group)?.first()
    }

    /// Returns whether the jobs of a lane would not end in time if they started now.
    fn is_too_late(&self, key: WorkflowKey, kind: u32, now: Moment) -> bool {
        self.workflows.get(&key).is_some_and(|workflow| {
            let runtime = workflow.settings[kind as usize].runtime;
            let limit = workflow.limit.map(|limit| limit.stop_at);
            limit.zip(runtime).is_some_and(|(limit, runtime)| now.saturating_add(runtime) > limit)
        })
    }

    /// Cancels the ready jobs of a lane, and what waits for them.
    fn cancel_ready(&mut self, key: WorkflowKey, kind: u32, out: &mut Vec<Action>) {
        let Some(workflow) = self.workflows.get_mut(&key) else { return };
        let ready: Vec<u32> =
            workflow.lanes[kind as usize].ready.iter().map(|entry| entry.1).collect();
        for index in ready {
            workflow.set(index, State::Canceled, out);
            workflow.settle_dependents(index, out);
        }
        workflow.touch(kind);
        self.touched.insert(key);
        self.late.insert(key);
    }

    /// Lets go of the workflows of which nothing is under way and nothing can start.
    fn pause(&mut self, out: &mut Vec<Action>) {
        for key in std::mem::take(&mut self.quiet) {
            let Some(workflow) = self.workflows.get(&key) else { continue };
            let node = self.capacity();
            if workflow.is_quiet() && !workflow.can_start(node) {
                self.remove(key, Finish::Paused, out);
            }
        }
    }

    /// Does something with a workflow and with the rest of the engine.
    fn with(&mut self, key: WorkflowKey, what: impl FnOnce(&mut Self, &mut Workflow)) {
        if let Some(mut workflow) = self.workflows.remove(&key) {
            what(self, &mut workflow);
            self.workflows.insert(key, workflow);
        }
    }
}
