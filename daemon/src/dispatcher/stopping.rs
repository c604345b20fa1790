//! The end of all attempts: at once, or each by itself.
//!
//! A *hold* starts nothing and waits; it can be taken back, for nothing was changed but that. A *stop*
//! is for good. Whatever the worker has begun is never taken back by a hold, however the messages of
//! the two cross: only the worker knows what has started, so it is the worker that withdraws.

use torc_protocol::id::{AttemptId, AttemptNumber, WorkflowId};
use torc_protocol::result::StopCause;
use torc_protocol::worker::WorkerRequest;

use crate::dispatcher::Dispatcher;
use crate::dispatcher::input::{Left, LeftSender, StopRequest, Stopping};
use crate::engine::job::JobKey;

impl Dispatcher {
    /// Starts nothing from now on, and tells what is left of what runs.
    pub(super) fn hold(&mut self, left: LeftSender) {
        if self.stop.is_none() {
            self.engine.hold(&mut self.turn.actions);
            self.hold = Some(left);
            self.changed.notify_one();
        }
    }

    /// Ends a hold as if it had not been.
    pub(super) fn go_on(&mut self) {
        if self.hold.take().is_some() {
            self.engine.go_on(&mut self.turn.actions);
            self.changed.notify_one();
        }
    }

    /// Stops all attempts, and starts none from now on.
    pub(super) fn stop(&mut self, mut request: StopRequest) {
        let drafts: Vec<WorkflowId> = self.drafts.keys().copied().collect();
        drafts.into_iter().for_each(|id| self.drop_draft(id));
        self.hold = None;
        if let Some(earlier) = self.stop.take() {
            request.jobs = earlier.jobs;
            request.ended = request.ended.or(earlier.ended);
        }
        let (cause, grace) = (request.jobs.cause(), request.grace);
        if request.jobs == Stopping::Cancel {
            self.cancel_everything(cause, grace);
        } else {
            for active in self.active.values_mut() {
                (active.cause, active.grace) = (cause, grace);
                active.canceled.clear();
            }
            self.engine.stop(&mut self.turn.actions);
        }
        self.turn.requests.push(WorkerRequest::Stop { attempts: Vec::new(), cause, grace });
        self.parked.clear();
        self.stop = Some(request);
    }

    /// Takes an attempt back from the worker, unless it has begun.
    pub(super) fn withdraw(&mut self, key: JobKey, number: u32) {
        let Some(id) = self.job_id(key) else { return };
        let attempt = AttemptId { job: id, number: AttemptNumber(number) };
        match self.turn.requests.last_mut() {
            Some(WorkerRequest::Withdraw { attempts, .. }) => attempts.push(attempt),
            _ => {
                let (attempts, cause) = (vec![attempt], StopCause::Shutdown);
                self.turn.requests.push(WorkerRequest::Withdraw { attempts, cause });
            }
        }
    }

    /// Answers whoever waits for the end of all attempts.
    pub(super) fn answer_stop(&mut self) {
        let ended = self.in_flight.is_empty();
        if ended
            && let Some(stop) = &mut self.stop
            && let Some(ended) = stop.ended.take()
        {
            // The daemon may have stopped waiting.
            let _ = ended.send(());
        }
        if let Some(hold) = &self.hold {
            let running = self.in_flight.values().filter(|flight| flight.pid.is_some()).count();
            let left = Left { running: running as u64, ended };
            hold.send_if_modified(|told| std::mem::replace(told, left) != left);
        }
    }

    /// Returns why an attempt of which nobody saw the end counts as stopped, if it does.
    pub(super) fn cause_of_loss(&self) -> Option<StopCause> {
        let interrupts = |stop: &StopRequest| stop.jobs == Stopping::Interrupt;
        self.stop.as_ref().filter(|stop| interrupts(stop)).map(|stop| stop.jobs.cause())
    }
}
