//! `--print`: the output of jobs on our own stdout and stderr.
//!
//! It is pulled: a reader asks for what comes next when it has written what came before. So nothing
//! is lost however slowly we are read, and nothing piles up, here or in the daemon.

use std::collections::HashSet;
use std::path::PathBuf;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::AttemptId;
use torc_protocol::view::ResultView;

use super::args::Print;

mod grouped;
mod line_buffer;
mod live;
mod order;
mod stream;

/// An attempt whose output is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempt {
    id: AttemptId,
    name: String,
    /// It has ended.
    ended: bool,
    /// No other of this job comes after it.
    last: bool,
}

impl From<&ResultView> for Attempt {
    fn from(result: &ResultView) -> Self {
        let ended = result.status.is_final();
        Self {
            id: AttemptId { job: result.job_id, number: result.attempt },
            name: result.name.clone(),
            ended,
            last: ended,
        }
    }
}

/// Who shows the output of jobs, if anybody does.
#[derive(Debug)]
pub(crate) struct Printing {
    task: Option<Task>,
}

#[derive(Debug)]
struct Task {
    live: bool,
    seen: HashSet<AttemptId>,
    attempts: mpsc::UnboundedSender<Attempt>,
    /// Returns whether it could show everything.
    printer: JoinHandle<bool>,
    closed: watch::Receiver<bool>,
    told_closed: bool,
}

impl Printing {
    /// Begins to show output as `print` says, of `jobs` jobs, asking at `socket`. Whole outputs come
    /// in the order of the names in `order`, if there is one.
    pub(crate) fn start(
        print: Print,
        order: Option<Vec<String>>,
        jobs: u64,
        socket: PathBuf,
    ) -> Self {
        let (attempts, received) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(false);
        let printer = match print {
            Print::None => return Self { task: None },
            Print::Live => tokio::spawn(live::print(received, socket, jobs > 1, closing)),
            Print::Grouped => tokio::spawn(grouped::print(received, socket, order, closing)),
        };
        let live = print == Print::Live;
        let seen = HashSet::new();
        Self { task: Some(Task { live, seen, attempts, printer, closed, told_closed: false }) }
    }

    /// Returns whether nothing is shown.
    pub(crate) fn is_off(&self) -> bool {
        self.task.is_none()
    }

    /// Takes note of what happened.
    pub(crate) fn events(&mut self, events: &[Event]) {
        if let Some(task) = &mut self.task {
            events.iter().for_each(|event| task.event(event));
        }
    }

    /// Takes note of attempts of which no event told.
    pub(crate) fn missed(&mut self, attempts: Vec<Attempt>) {
        if let Some(task) = &mut self.task {
            let wanted = attempts.into_iter().filter(|attempt| task.live || attempt.ended);
            wanted.collect::<Vec<_>>().into_iter().for_each(|attempt| task.show(attempt));
        }
    }

    /// Waits until whoever read the output of a single job has gone; comes to pass once at most.
    /// Safe to drop and call again.
    pub(crate) async fn nobody_reads(&mut self) {
        if let Some(task) = &mut self.task
            && !task.told_closed
            && task.closed.wait_for(|closed| *closed).await.is_ok()
        {
            task.told_closed = true;
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until all is written, and returns whether it could be. A reader who has gone has had
    /// all that he wanted.
    pub(crate) async fn finish(&mut self) -> bool {
        match self.task.take() {
            Some(task) => {
                drop(task.attempts);
                task.printer.await.unwrap_or(false)
            }
            None => true,
        }
    }
}

impl Task {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::JobStarted { job_id, name, attempt, .. } if self.live => {
                let id = AttemptId { job: *job_id, number: *attempt };
                self.show(Attempt { id, name: name.clone(), ended: false, last: false });
            }
            EventKind::JobFinished { job_id, name, attempt, status, .. } if !self.live => {
                let id = AttemptId { job: *job_id, number: *attempt };
                let last = status.is_final();
                self.show(Attempt { id, name: name.clone(), ended: true, last });
            }
            EventKind::WorkflowSubmitted { .. }
            | EventKind::WorkflowRestarted { .. }
            | EventKind::ActionFinished { .. }
            | EventKind::JobStarted { .. }
            | EventKind::JobFinished { .. }
            | EventKind::JobsCanceled { .. }
            | EventKind::WorkflowFinished { .. } => {}
        }
    }

    fn show(&mut self, attempt: Attempt) {
        if self.seen.insert(attempt.id) {
            // The printer ends before us only when nobody reads what it writes.
            drop(self.attempts.send(attempt));
        }
    }
}
