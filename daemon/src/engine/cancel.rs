//! The inputs that keep jobs from running: cancellation, disabling, and giving up.

use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::job::{Job, JobKey, State, WorkflowKey};

impl Engine {
    /// Cancels a workflow: what has not started will not, what runs is stopped.
    ///
    /// Returns how many jobs are canceled, and how many attempts are being stopped; none when the
    /// workflow has ended.
    pub fn cancel(&mut self, key: WorkflowKey, out: &mut Vec<Action>) -> Option<(u64, u64)> {
        let workflow = self.workflows.get_mut(&key)?;
        workflow.canceled = true;
        workflow.cut_short = true;
        let counts = self.close(key, true, out);
        self.settle(key, out);
        Some(counts)
    }

    /// Cancels one job, and what waits for it. Returns its state before; none when its workflow has
    /// ended.
    pub fn cancel_job(&mut self, job: JobKey, out: &mut Vec<Action>) -> Option<State> {
        let workflow = self.workflows.get_mut(&job.workflow)?;
        let Job { state, attempts, .. } = *workflow.job(job.index);
        if state.is_waiting() {
            if let Some(due) = workflow.delayed.remove(&job.index) {
                self.timers.remove(&(due, job.workflow, Some(job.index)));
            }
            workflow.set(job.index, State::Canceled, out);
            workflow.settle_dependents(job.index, out);
        } else if state.is_assigned() {
            workflow.being_canceled.insert(job.index);
            out.push(Action::Stop { job, attempt: attempts });
        }
        self.settle(job.workflow, out);
        Some(state)
    }

    /// Keeps a job from running that is blocked or ready, until it is enabled; a retry that it waits
    /// for is due then. Returns its state before; none when its workflow has ended.
    pub fn disable(&mut self, job: JobKey, out: &mut Vec<Action>) -> Option<State> {
        let workflow = self.workflows.get_mut(&job.workflow)?;
        let state = workflow.job(job.index).state;
        if matches!(state, State::Blocked | State::Ready) {
            if let Some(due) = workflow.delayed.remove(&job.index) {
                self.timers.remove(&(due, job.workflow, Some(job.index)));
            }
            workflow.set(job.index, State::Disabled, out);
            self.settle(job.workflow, out);
        }
        Some(state)
    }

    /// Lets a job run that was disabled. Returns its state before; none when its workflow has ended.
    pub fn enable(&mut self, job: JobKey, out: &mut Vec<Action>) -> Option<State> {
        let workflow = self.workflows.get_mut(&job.workflow)?;
        let state = workflow.job(job.index).state;
        if state == State::Disabled {
            let free = workflow.unfinished(job.index) == 0;
            workflow.set(job.index, if free { State::Ready } else { State::Blocked }, out);
            self.settle(job.workflow, out);
        }
        Some(state)
    }

    /// Lets nothing of a workflow start any more: cancels what waits, takes back what is pending,
    /// and stops what runs, hooks too, if that is to be done `at_once`. Returns how many jobs are canceled, and
    /// how many attempts are being stopped.
    pub(super) fn close(
        &mut self,
        key: WorkflowKey,
        at_once: bool,
        out: &mut Vec<Action>,
    ) -> (u64, u64) {
        let Some(workflow) = self.workflows.get_mut(&key) else { return (0, 0) };
        workflow.closed = true;
        workflow.cut_short |= at_once;
        for (index, due) in std::mem::take(&mut workflow.delayed) {
            self.timers.remove(&(due, key, Some(index)));
        }
        for kind in 0..workflow.lanes.len() as u32 {
            if !workflow.lanes[kind as usize].ready.is_empty() {
                workflow.lanes[kind as usize].ready.clear();
                workflow.touch(kind);
            }
        }
        let (mut canceled, mut stopping) = (0, 0);
        for index in 0..workflow.jobs.len() as u32 {
            let Job { state, attempts, .. } = *workflow.job(index);
            if state.is_waiting() {
                workflow.put(index, State::Canceled);
                canceled += 1;
            } else if state == State::Pending || (state == State::Running && at_once) {
                out.push(Action::Stop { job: workflow.key_of(index), attempt: attempts });
                stopping += 1;
            }
        }
        if at_once {
            workflow.stop_hooks(out);
        }
        if canceled > 0 {
            out.push(Action::CancelWaiting(key, canceled));
        }
        (canceled, stopping)
    }
}
