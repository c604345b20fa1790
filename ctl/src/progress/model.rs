//! How far a workflow is, folded from its events.
//!
//! Pure: no clock, no output. Events arrive in batches of hundreds, and folding one costs an
//! addition; nothing is remembered of a job that has ended.

use torc_protocol::event::{Event, EventKind};
use torc_protocol::response::WatchItem;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobCounts, WorkflowView};

/// The state of one workflow.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// Its jobs. Which of the unstarted ones are blocked, ready or pending is not known here: all
    /// of them count as ready.
    pub counts: JobCounts,
    /// Jobs of the workflow that do not belong to this run of it; they are not counted.
    pub outside: JobCounts,
    /// How many attempts failed and are tried again.
    pub retried: u64,
    /// How the workflow ended, when it has.
    pub finished: Option<WorkflowStatus>,
    /// The first event that is not in this state.
    pub next_seq: u64,
    /// When the first job was started.
    pub first_start: Option<Timestamp>,
    /// When the last event happened.
    pub last_event: Option<Timestamp>,
}

/// What is to be done after an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing.
    Go,
    /// Watch again, from [`Model::next_seq`].
    Rewatch,
}

impl Model {
    /// Returns the model of a run of `jobs` jobs of which none has started, of a workflow that has
    /// those `outside` as well.
    #[must_use]
    pub fn of_run(jobs: u64, outside: JobCounts) -> Self {
        Self {
            counts: JobCounts { total: jobs, ready: jobs, ..JobCounts::default() },
            outside,
            ..Self::default()
        }
    }

    /// Folds an item of a watch.
    pub fn apply(&mut self, item: &WatchItem) -> Next {
        match item {
            WatchItem::Events(events) => {
                for event in events {
                    self.event(event);
                }
                Next::Go
            }
            WatchItem::State { workflow, next_seq } => {
                self.state(workflow);
                self.next_seq = *next_seq;
                Next::Go
            }
            WatchItem::CaughtUp { next_seq } => {
                self.next_seq = self.next_seq.max(*next_seq);
                Next::Go
            }
            WatchItem::Cut { next_seq } => {
                self.next_seq = *next_seq;
                Next::Rewatch
            }
        }
    }

    /// Returns whether some job did not complete.
    #[must_use]
    pub fn any_failed(&self) -> bool {
        self.counts.failed + self.counts.canceled + self.counts.terminated > 0
    }

    fn state(&mut self, workflow: &WorkflowView) {
        let jobs = without(workflow.jobs, self.outside);
        self.counts = JobCounts {
            ready: jobs.ready + jobs.pending + jobs.blocked,
            pending: 0,
            blocked: 0,
            ..jobs
        };
        self.first_start.get_or_insert(workflow.submitted_at);
        if workflow.finished_at.is_some() {
            self.finished = Some(workflow.status);
            self.last_event = workflow.finished_at;
        }
    }

    fn event(&mut self, event: &Event) {
        if event.seq < self.next_seq {
            return;
        }
        self.next_seq = event.seq + 1;
        self.last_event = Some(event.at);
        match &event.kind {
            EventKind::WorkflowSubmitted { .. } | EventKind::ActionFinished { .. } => {}
            EventKind::WorkflowRestarted { .. } => self.finished = None,
            EventKind::JobStarted { .. } => {
                self.first_start.get_or_insert(event.at);
                take(&mut self.counts.ready, 1);
                self.counts.running += 1;
            }
            EventKind::JobFinished { status, return_code: _, .. } => self.job_finished(*status),
            EventKind::JobsCanceled { count } => {
                take(&mut self.counts.ready, *count);
                self.counts.canceled += count;
            }
            EventKind::WorkflowFinished { status, counts } => {
                self.finished = Some(*status);
                self.counts = without(*counts, self.outside);
            }
        }
    }

    /// An attempt that could not even be started has no `JobStarted`: its job comes from the ready
    /// ones, which the final counts put right.
    fn job_finished(&mut self, status: JobStatus) {
        if self.counts.running > 0 {
            self.counts.running -= 1;
        } else {
            take(&mut self.counts.ready, 1);
        }
        match status {
            JobStatus::Completed => self.counts.completed += 1,
            JobStatus::Failed => self.counts.failed += 1,
            JobStatus::Terminated => self.counts.terminated += 1,
            JobStatus::Canceled => self.counts.canceled += 1,
            JobStatus::Ready | JobStatus::Blocked | JobStatus::Pending => {
                self.counts.ready += 1;
                self.retried += 1;
            }
            JobStatus::Running => self.counts.running += 1,
            JobStatus::Disabled => self.counts.disabled += 1,
        }
    }
}

fn without(mut all: JobCounts, mut outside: JobCounts) -> JobCounts {
    take(&mut all.total, outside.total);
    for status in JobStatus::ALL {
        take(all.of(*status), *outside.of(*status));
    }
    all
}

fn take(count: &mut u64, number: u64) {
    *count = count.saturating_sub(number);
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
