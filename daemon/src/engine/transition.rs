//! The inputs: what can happen, and what follows at once.
//!
//! None of them assigns jobs; [`Engine::schedule`] does, once for all inputs that came in together.

use crate::engine::action::{Action, Finish};
use crate::engine::job::{End, Job, JobKey, Outcome, State, WorkflowKey};
use crate::engine::resources::{Need, Pool};
use crate::engine::workflow::Workflow;
use crate::engine::{Engine, Moment};

impl Engine {
    /// Takes note that a worker is there which has so much.
    pub fn worker_ready(&mut self, capacity: Need) {
        let capacity = Need { cpus: capacity.cpus.max(1), ..capacity };
        self.worker_gone();
        self.node = Some(Pool::new(capacity));
        for (key, workflow) in &mut self.workflows {
            for kind in 0..workflow.lanes.len() as u32 {
                workflow.touch(kind);
            }
            self.touched.insert(*key);
            // What is left of it may be too much for this node.
            self.quiet.insert(*key);
        }
    }

    /// Takes note that there is no worker. What it had must be reported as ended one by one.
    pub fn worker_gone(&mut self) {
        self.node = None;
        self.queues.clear();
        for workflow in self.workflows.values_mut() {
            workflow.leases.clear();
            workflow.own = workflow.room.own().map(Pool::new);
            for lane in &mut workflow.lanes {
                lane.told = 0;
                // The next worker may have less: nothing is paid for in advance.
                lane.width = 0;
                lane.rank = None;
                lane.not_passed_over();
            }
        }
    }

    /// Returns what the node has; none while there is no worker.
    #[must_use]
    pub fn capacity(&self) -> Option<Need> {
        self.node.as_ref().map(Pool::total)
    }

    /// Returns what of the node is free; none while there is no worker.
    #[must_use]
    pub fn free(&self) -> Option<Need> {
        self.node.as_ref().map(Pool::free)
    }

    /// Takes note that an assigned attempt has a process.
    pub fn started(&mut self, job: JobKey, out: &mut Vec<Action>) {
        if let Some(workflow) = self.workflows.get_mut(&job.workflow)
            && workflow.job(job.index).state == State::Pending
        {
            workflow.set(job.index, State::Running, out);
        }
    }

    /// Takes note that an assigned attempt ended, and decides what becomes of the job: returned, and
    /// put out as an action; and of what waits for it. An attempt that was withdrawn or interrupted
    /// does not count; unless it was canceled, its job is ready again.
    pub fn ended(&mut self, job: JobKey, end: End, now: Moment, out: &mut Vec<Action>) -> State {
        let Some(workflow) = self.workflows.get_mut(&job.workflow) else {
            return State::Canceled;
        };
        let index = job.index;
        let Job { state: before, settings: kind, .. } = *workflow.job(index);
        if !before.is_assigned() {
            return before;
        }
        workflow.end_lease(index, self.node.as_mut());
        let withdrawn = end.outcome == Outcome::Withdrawn;
        workflow.lanes[kind as usize].ended((!withdrawn).then_some(end.took));
        workflow.touch(kind);
        let state = workflow.state_after(index, end, self.stopping);
        match end.outcome {
            Outcome::Withdrawn => workflow.jobs[index as usize].attempts -= 1,
            Outcome::Interrupted => workflow.jobs[index as usize].first += 1,
            _ => {}
        }
        if state == State::Blocked {
            let due = now.saturating_add(workflow.settings[kind as usize].retry_delay);
            workflow.delayed.insert(index, due);
            self.timers.insert((due, job.workflow, Some(index)));
        }
        workflow.set(index, state, out);
        if let Some(at_once) = workflow.halts() {
            self.close(job.workflow, at_once, out);
        } else if state.is_final() {
            workflow.settle_dependents(index, out);
        }
        self.settle(job.workflow, out);
        state
    }

    /// Takes note that a hook that was fired has ended, however it did.
    pub fn hook_ended(&mut self, key: WorkflowKey, hook: u32, out: &mut Vec<Action>) {
        if let Some(workflow) = self.workflows.get_mut(&key) {
            workflow.hooks.ended(hook);
        }
        self.settle(key, out);
    }

    /// Assigns nothing more, ever, and takes back all that is assigned.
    pub fn stop(&mut self, out: &mut Vec<Action>) {
        self.stopping = true;
        for workflow in self.workflows.values() {
            workflow.stop_hooks(out);
            for index in 0..workflow.jobs.len() as u32 {
                let Job { state, attempts, .. } = *workflow.job(index);
                if state.is_assigned() {
                    out.push(Action::Stop { job: workflow.key_of(index), attempt: attempts });
                }
            }
        }
    }

    /// Assigns nothing and fires no hook until [`Self::go_on`], and takes back what has not started.
    /// What runs goes on.
    pub fn hold(&mut self, out: &mut Vec<Action>) {
        self.holding = true;
        for workflow in self.workflows.values() {
            for index in 0..workflow.jobs.len() as u32 {
                let Job { state, attempts, .. } = *workflow.job(index);
                if state == State::Pending {
                    out.push(Action::Withdraw { job: workflow.key_of(index), attempt: attempts });
                }
            }
        }
    }

    /// Ends a hold: the hooks fire that were due in it, and jobs are assigned again.
    pub fn go_on(&mut self, out: &mut Vec<Action>) {
        self.holding = false;
        let keys: Vec<WorkflowKey> = self.running().collect();
        keys.into_iter().for_each(|key| self.settle(key, out));
    }

    /// Lets the retries that are due become ready, and ends what is out of time.
    pub fn tick(&mut self, now: Moment, out: &mut Vec<Action>) {
        while let Some((due, key, index)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.pop_first();
            let Some(workflow) = self.workflows.get_mut(&key) else { continue };
            match index {
                Some(index) => {
                    workflow.delayed.remove(&index);
                    workflow.set(index, State::Ready, out);
                }
                None => {
                    workflow.cut_short = true;
                    self.close(key, true, out);
                }
            }
            self.settle(key, out);
        }
    }

    /// Returns when [`Self::tick`] has something to do. That a job was passed over for long is no
    /// such moment: it only keeps others from starting, and they start when something happens.
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        self.timers.first().map(|timer| timer.0)
    }

    /// Returns the workflows that have not ended.
    pub fn running(&self) -> impl Iterator<Item = WorkflowKey> {
        self.workflows.keys().copied()
    }

    /// Returns the count of jobs in each state, in the order of [`State::ALL`]; none when the
    /// workflow has ended.
    #[must_use]
    pub fn counts(&self, key: WorkflowKey) -> Option<[u64; State::ALL.len()]> {
        self.workflows.get(&key).map(Workflow::counts)
    }

    /// Returns a job of a workflow that has not ended.
    #[must_use]
    pub fn job(&self, key: JobKey) -> Option<&Job> {
        self.workflows.get(&key.workflow)?.jobs.get(key.index as usize)
    }

    /// Does what each transition of a workflow ends with: fires hooks, and ends the workflow if
    /// nothing of it is left.
    pub(super) fn settle(&mut self, key: WorkflowKey, out: &mut Vec<Action>) {
        let Some(workflow) = self.workflows.get_mut(&key) else { return };
        let done = workflow.is_done();
        if done {
            workflow.hooks.complete();
        }
        let may_fire = !workflow.cut_short && !self.stopping;
        if !(may_fire && self.holding) {
            let fired = workflow.hooks.fire(may_fire).into_iter();
            out.extend(fired.map(|hook| Action::Fire { workflow: key, hook }));
        }
        if !workflow.touched.is_empty() {
            self.touched.insert(key);
        }
        if done && workflow.hooks.are_quiet() {
            let finish = workflow.finish();
            self.remove(key, finish, out);
        } else if workflow.is_quiet() {
            self.quiet.insert(key);
        }
    }

    /// Forgets a workflow, and gives back all that it has.
    pub(super) fn remove(&mut self, key: WorkflowKey, finish: Finish, out: &mut Vec<Action>) {
        let Some(mut workflow) = self.workflows.remove(&key) else { return };
        for kind in 0..workflow.lanes.len() as u32 {
            if let Some(node) = &mut self.node {
                workflow.narrow(kind, 0, node);
            }
            self.dequeue(&mut workflow, kind);
        }
        if let Some(limit) = workflow.limit {
            self.timers.remove(&(limit.stop_at, key, None));
        }
        self.touched.remove(&key);
        self.unserved.insert(workflow.group);
        out.push(Action::Finish(key, finish, workflow.counts()));
    }
}

impl Workflow {
    /// Returns the state of a job whose attempt has ended.
    fn state_after(&mut self, index: u32, end: End, stopping: bool) -> State {
        let canceled = self.being_canceled.remove(&index) || self.closed;
        let Job { attempts, first, .. } = *self.job(index);
        let settings = self.settings_of(index);
        let tries = attempts.saturating_sub(first);
        let again = !canceled && !stopping && tries <= settings.retries(end.code);
        match end.outcome {
            Outcome::Success => State::Completed,
            Outcome::Failure | Outcome::TimedOut if again && settings.retry_delay > 0 => {
                State::Blocked
            }
            Outcome::Failure | Outcome::TimedOut if again => State::Ready,
            Outcome::Failure | Outcome::Unretryable => State::Failed,
            Outcome::Interrupted if canceled => State::Terminated,
            Outcome::TimedOut | Outcome::Stopped => State::Terminated,
            Outcome::Withdrawn if canceled => State::Canceled,
            Outcome::Withdrawn | Outcome::Interrupted => State::Ready,
        }
    }
}
