//! What a workflow does with the room that is offered to it: widens its lanes, pays for them, and
//! assigns jobs.
//!
//! CPUs and memory are paid for by the width of a lane, GPUs leased with each assignment and given
//! back as the attempt ends. Without a worker no lane has a width, and nothing is paid.

use crate::engine::Moment;
use crate::engine::action::Action;
use crate::engine::job::State;
use crate::engine::lane::LaneNumber;
use crate::engine::resources::{Need, Pool};
use crate::engine::workflow::Workflow;

/// So long a job may be passed over before room is kept for it, in microseconds: long enough that a
/// stream of small jobs is not stopped for one that starts soon anyhow, and short for a person who
/// wonders why it does not start.
pub(super) const PATIENCE: Moment = 10_000_000;

/// What is at hand while lanes are served.
#[derive(Debug)]
pub(super) struct Round<'a> {
    pub(super) node: Pool,
    pub(super) now: Moment,
    pub(super) last_lane: LaneNumber,
    pub(super) out: &'a mut Vec<Action>,
}

impl Workflow {
    /// Widens a lane as far as there is room and it is of use, and fills it. Returns whether it did.
    pub(super) fn offer(&mut self, kind: u32, ahead: bool, round: &mut Round<'_>) -> bool {
        let lane = &self.lanes[kind as usize];
        let own = self.own.as_ref().map_or(Need::default(), Pool::available);
        let room = lane.cost.node.times_in(round.node.available());
        let room = room.min(lane.cost.own.times_in(own));
        let more = room.min(lane.useful_width().saturating_sub(lane.width));
        if more > 0 {
            self.widen(kind, more, &mut round.node);
            self.fill(kind, ahead, round);
        }
        more > 0
    }

    /// Assigns jobs of a lane; `ahead`: some more than run at a time.
    pub(super) fn fill(&mut self, kind: u32, ahead: bool, round: &mut Round<'_>) {
        let lane = &mut self.lanes[kind as usize];
        let mut chosen = Vec::new();
        while lane.wants(ahead) > 0 {
            let Some(entry) = lane.ready.pop_first() else { break };
            lane.last = Some(entry);
            lane.outstanding += 1;
            chosen.push(entry.1);
        }
        let width = lane.width;
        if chosen.is_empty() && width <= lane.told {
            return;
        }
        let number = *lane.number.get_or_insert_with(|| {
            round.last_lane += 1;
            round.last_lane
        });
        if width != lane.told {
            lane.told = width;
            let workflow = self.key;
            round.out.push(Action::Lane { lane: number, workflow, settings: kind, width });
        }
        for index in chosen {
            self.put(index, State::Pending);
            let job = &mut self.jobs[index as usize];
            job.attempts += 1;
            let attempt = job.attempts;
            let gpus = self.lease(index, &mut round.node);
            let job = self.key_of(index);
            round.out.push(Action::Assign { lane: number, job, attempt, gpus });
        }
    }

    /// Gives back the width that no job of a lane can use any more; all that is not in use, when each
    /// of its jobs is to be looked at before it starts.
    pub(super) fn narrow_to_use(&mut self, kind: u32, node: &mut Pool) {
        let lane = &mut self.lanes[kind as usize];
        lane.touched = false;
        let useful = if lane.exact { lane.outstanding } else { lane.useful_width() };
        self.narrow(kind, useful, node);
    }

    /// Narrows a lane, if it is wider, and gives back what that frees.
    pub(super) fn narrow(&mut self, kind: u32, width: u32, node: &mut Pool) {
        let lane = &mut self.lanes[kind as usize];
        let less = lane.width.saturating_sub(width);
        lane.width -= less;
        node.give_back(lane.cost.node, less);
        if let Some(own) = &mut self.own {
            own.give_back(lane.cost.own, less);
        }
    }

    fn widen(&mut self, kind: u32, more: u32, node: &mut Pool) {
        let lane = &mut self.lanes[kind as usize];
        lane.width += more;
        lane.not_passed_over();
        node.take(lane.cost.node, more);
        if let Some(own) = &mut self.own {
            own.take(lane.cost.own, more);
        }
    }

    fn lease(&mut self, index: u32, node: &mut Pool) -> Vec<u32> {
        let cost = self.lanes[self.job(index).settings as usize].cost;
        let own = self.own.as_mut().map(|own| own.lease(cost.own.gpus));
        let gpus = own.filter(|own| !own.is_empty()).unwrap_or_else(|| node.lease(cost.node.gpus));
        if !gpus.is_empty() {
            self.leases.insert(index, gpus.clone());
        }
        gpus
    }

    /// Ends the lease of the GPUs of a job, if it has some.
    pub(super) fn end_lease(&mut self, index: u32, node: Option<&mut Pool>) {
        let Some(gpus) = self.leases.remove(&index) else { return };
        let from_node = self.lanes[self.job(index).settings as usize].cost.node.gpus > 0;
        let pool = if from_node { node } else { self.own.as_mut() };
        if let Some(pool) = pool {
            pool.end_lease(gpus);
        }
    }

    /// Takes note that a lane waits still after room was offered to it. Returns whether it reserves.
    pub(super) fn pass_over(&mut self, kind: u32, now: Moment) -> bool {
        let lane = &mut self.lanes[kind as usize];
        if lane.width > 0 {
            return false;
        }
        let since = *lane.passed_over.get_or_insert(now);
        lane.reserves = now.saturating_sub(since) >= PATIENCE;
        lane.reserves
    }

    /// Keeps what a job of a lane needs for it.
    pub(super) fn withhold(&mut self, kind: u32, node: &mut Pool) {
        let cost = self.lanes[kind as usize].cost;
        node.withhold(cost.node);
        if let Some(own) = &mut self.own {
            own.withhold(cost.own);
        }
    }

    /// Returns whether a job is ready that the node, if it is known, could run.
    pub(super) fn can_start(&self, node: Option<Need>) -> bool {
        let fits = |kind: usize| self.room.shortage(self.settings[kind].need, node).is_none();
        let mut lanes = self.lanes.iter().enumerate();
        lanes.any(|(kind, lane)| !lane.ready.is_empty() && !lane.held && fits(kind))
    }
}
