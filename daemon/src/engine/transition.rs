//! The inputs: what can happen, and what follows at once.
//!
//! None of them assigns jobs; [`Engine::schedule`] does, once for all inputs that came in together.

use std::cmp::Reverse;

use crate::engine::action::Action;
use crate::engine::job::{End, Job, JobKey, Outcome, Settings, State, WorkflowKey};
use crate::engine::lane::Lane;
use crate::engine::workflow::Workflow;
use crate::engine::{Engine, Moment};

/// A workflow as it comes in: new, or found in a database at start.
#[derive(Debug)]
pub struct Submission {
    /// Its jobs in the order of submission.
    pub jobs: Vec<Job>,
    /// Their settings.
    pub settings: Vec<Settings>,
    /// At most so many run at a time.
    pub max_parallel: Option<u32>,
}

impl Engine {
    /// Takes note that a worker with so many CPUs is there.
    pub fn worker_ready(&mut self, cpus: u32) {
        self.capacity = Some(cpus.max(1));
    }

    /// Takes note that there is no worker. What it had must be reported as ended one by one.
    pub fn worker_gone(&mut self) {
        self.capacity = None;
        self.cpus_used = 0;
        for workflow in self.workflows.values_mut() {
            for lane in workflow.lanes.values_mut() {
                lane.told = 0;
                // The next worker may have fewer CPUs: nothing is paid for in advance.
                lane.width = 0;
            }
        }
    }

    /// Returns how many CPUs the node has; none while there is no worker.
    #[must_use]
    pub fn capacity(&self) -> Option<u32> {
        self.capacity
    }

    /// Takes in a workflow.
    pub fn submit(&mut self, key: WorkflowKey, submission: Submission, out: &mut Vec<Action>) {
        let Submission { jobs, settings, max_parallel } = submission;
        let mut workflow = Workflow::new(jobs, settings, max_parallel);
        for index in 0..workflow.jobs.len() {
            let job = &workflow.jobs[index];
            if job.state == State::Ready {
                let entry = (Reverse(job.priority), index as u32);
                let kind = job.settings;
                self.lane(&mut workflow, kind).ready.insert(entry);
            }
        }
        self.workflows.insert(key, workflow);
        self.settle(key, out);
    }

    /// Takes note that an assigned attempt has a process.
    pub fn started(&mut self, job: JobKey, out: &mut Vec<Action>) {
        if let Some(workflow) = self.workflows.get_mut(&job.workflow)
            && workflow.job(job.index).state == State::Pending
        {
            workflow.set(job.index, State::Running);
            out.push(workflow.set_action(job));
        }
    }

    /// Takes note that an assigned attempt ended, and decides what
    /// becomes of the job: returned, and put out as an action. An attempt that was withdrawn does
    /// not count; unless it was canceled, its job is ready again.
    pub fn ended(&mut self, job: JobKey, end: End, now: Moment, out: &mut Vec<Action>) -> State {
        let Some(workflow) = self.workflows.get_mut(&job.workflow) else {
            return State::Canceled;
        };
        let Job { settings: kind, priority, attempts, .. } = *workflow.job(job.index);
        let settings = workflow.settings[kind as usize];
        let canceled = workflow.being_canceled.remove(&job.index) || workflow.canceled;
        let again = attempts <= settings.retries && !canceled && !self.stopping;
        let End { outcome, took } = end;
        let state = match outcome {
            Outcome::Success => State::Completed,
            Outcome::Failure | Outcome::TimedOut if again && settings.retry_delay > 0 => {
                State::Blocked
            }
            Outcome::Failure | Outcome::TimedOut if again => State::Ready,
            Outcome::Failure => State::Failed,
            Outcome::TimedOut | Outcome::Stopped => State::Terminated,
            Outcome::Withdrawn if canceled => State::Canceled,
            Outcome::Withdrawn => State::Ready,
        };
        workflow.set(job.index, state);
        if outcome == Outcome::Withdrawn {
            workflow.jobs[job.index as usize].attempts -= 1;
        }
        if let Some(lane) = workflow.lanes.get_mut(&kind) {
            lane.ended((outcome != Outcome::Withdrawn).then_some(took));
            if state == State::Ready {
                lane.ready.insert((Reverse(priority), job.index));
            }
        }
        if state == State::Blocked {
            workflow.delayed.insert((now.saturating_add(settings.retry_delay), job.index), ());
        }
        out.push(workflow.set_action(job));
        self.settle(job.workflow, out);
        state
    }

    /// Cancels a workflow: what has not started will not, what runs is stopped.
    ///
    /// Returns how many jobs are canceled, and how many attempts are being stopped; none when the
    /// workflow has ended.
    pub fn cancel(&mut self, key: WorkflowKey, out: &mut Vec<Action>) -> Option<(u64, u64)> {
        let workflow = self.workflows.get_mut(&key)?;
        workflow.canceled = true;
        workflow.delayed.clear();
        for lane in workflow.lanes.values_mut() {
            lane.ready.clear();
        }
        let mut canceled = 0;
        let mut stopping = 0;
        for index in 0..workflow.jobs.len() as u32 {
            let Job { state, attempts, .. } = *workflow.job(index);
            match state {
                State::Blocked | State::Ready => {
                    workflow.set(index, State::Canceled);
                    canceled += 1;
                }
                State::Pending | State::Running => {
                    let job = JobKey { workflow: key, index };
                    out.push(Action::Stop { job, attempt: attempts });
                    stopping += 1;
                }
                State::Completed | State::Failed | State::Canceled | State::Terminated => {}
            }
        }
        if canceled > 0 {
            out.push(Action::CancelWaiting(key, canceled));
        }
        self.settle(key, out);
        Some((canceled, stopping))
    }

    /// Cancels one job. Returns its state before; none when its workflow has ended.
    pub fn cancel_job(&mut self, job: JobKey, out: &mut Vec<Action>) -> Option<State> {
        let workflow = self.workflows.get_mut(&job.workflow)?;
        let Job { state, attempts, priority, settings, .. } = *workflow.job(job.index);
        match state {
            State::Blocked | State::Ready => {
                if let Some(lane) = workflow.lanes.get_mut(&settings) {
                    lane.ready.remove(&(Reverse(priority), job.index));
                }
                workflow.delayed.retain(|(_, index), ()| *index != job.index);
                workflow.set(job.index, State::Canceled);
                out.push(workflow.set_action(job));
            }
            State::Pending | State::Running => {
                workflow.being_canceled.insert(job.index);
                out.push(Action::Stop { job, attempt: attempts });
            }
            State::Completed | State::Failed | State::Canceled | State::Terminated => {}
        }
        self.settle(job.workflow, out);
        Some(state)
    }

    /// Assigns nothing more, ever, and takes back all that is assigned.
    pub fn stop(&mut self, out: &mut Vec<Action>) {
        self.stopping = true;
        for (key, workflow) in &self.workflows {
            for (index, job) in workflow.jobs.iter().enumerate() {
                if matches!(job.state, State::Pending | State::Running) {
                    let job_key = JobKey { workflow: *key, index: index as u32 };
                    out.push(Action::Stop { job: job_key, attempt: job.attempts });
                }
            }
        }
    }

    /// Lets the retries that are due become ready.
    pub fn tick(&mut self, now: Moment, out: &mut Vec<Action>) {
        for (key, workflow) in &mut self.workflows {
            while let Some(entry) = workflow.delayed.first_entry()
                && entry.key().0 <= now
            {
                let ((_, index), ()) = entry.remove_entry();
                workflow.set(index, State::Ready);
                let Job { priority, settings, .. } = *workflow.job(index);
                if let Some(lane) = workflow.lanes.get_mut(&settings) {
                    lane.ready.insert((Reverse(priority), index));
                }
                out.push(workflow.set_action(JobKey { workflow: *key, index }));
            }
        }
    }

    /// Returns when [`Self::tick`] has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        self.workflows.values().filter_map(|w| w.delayed.keys().next()).map(|key| key.0).min()
    }

    /// Returns the workflows that have not ended.
    pub fn running(&self) -> impl Iterator<Item = WorkflowKey> {
        self.workflows.keys().copied()
    }

    /// Returns the count of jobs in each state, in the order of [`State::ALL`]; none when the
    /// workflow has ended.
    #[must_use]
    pub fn counts(&self, key: WorkflowKey) -> Option<[u64; State::ALL.len()]> {
        let workflow = self.workflows.get(&key)?;
        Some(State::ALL.map(|state| workflow.count(state)))
    }

    /// Returns a job of a workflow that has not ended.
    #[must_use]
    pub fn job(&self, key: JobKey) -> Option<&Job> {
        self.workflows.get(&key.workflow)?.jobs.get(key.index as usize)
    }

    fn lane<'a>(&mut self, workflow: &'a mut Workflow, kind: u32) -> &'a mut Lane {
        let cpus = workflow.settings[kind as usize].cpus.max(1);
        workflow.lanes.entry(kind).or_insert_with(|| {
            self.last_lane += 1;
            Lane::new(self.last_lane, cpus)
        })
    }

    /// Ends the workflow if all of its jobs have ended.
    fn settle(&mut self, key: WorkflowKey, out: &mut Vec<Action>) {
        let Some(workflow) = self.workflows.get(&key) else { return };
        let Some(finish) = workflow.finish() else { return };
        if workflow.max_parallel.is_none() {
            self.cpus_used -=
                workflow.lanes.values().map(|lane| lane.width * lane.cpus).sum::<u32>();
        }
        let counts = State::ALL.map(|state| workflow.count(state));
        self.workflows.remove(&key);
        out.push(Action::Finish(key, finish, counts));
    }
}
