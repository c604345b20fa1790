//! `--format ndjson`: every event as one line of JSON on stdout.
//!
//! A task of its own writes, from a queue without a limit: torcd cuts off whoever reads events too
//! slowly, and how fast our stdout is read must not decide which events there are.

use std::io;

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use torc_protocol::event::Event;
use torc_protocol::view::WorkflowView;

use super::sinks::{Sink, write_all};

/// Writes events until nobody reads them any more; the run goes on then.
#[derive(Debug)]
pub(crate) struct EventLines {
    queue: mpsc::UnboundedSender<Vec<u8>>,
    writer: JoinHandle<()>,
}

impl EventLines {
    /// Begins to write what will be queued.
    pub(crate) fn start() -> Self {
        let (queue, queued) = mpsc::unbounded_channel();
        Self { queue, writer: tokio::spawn(write(queued)) }
    }

    /// Queues a batch, which is written in one piece.
    pub(crate) fn events(&self, events: &[Event]) {
        self.queue(lines(events));
    }

    /// Queues the state that stands in for events which torcd no longer has.
    pub(crate) fn state(&self, workflow: &WorkflowView, next_seq: u64) -> io::Result<()> {
        self.queue(state_line(workflow, next_seq)?);
        Ok(())
    }

    /// Waits until all is written, or nobody reads it. When dropped before, the rest is left.
    pub(crate) async fn finish(self) {
        let Self { queue, writer } = self;
        drop(queue);
        let mut writer = AbortOnDrop(writer);
        // It neither panics nor is aborted while this waits.
        drop((&mut writer.0).await);
    }

    fn queue(&self, lines: Vec<u8>) {
        if !self.queue.is_closed() {
            drop(self.queue.send(lines));
        }
    }
}

/// Sees to it that nothing is written after the wait for it was given up.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn write(mut queued: mpsc::UnboundedReceiver<Vec<u8>>) {
    while let Some(lines) = queued.recv().await {
        if write_all(Sink::Stdout, lines).await.is_err() {
            return;
        }
    }
}

/// Returns a line of JSON for each event.
pub(crate) fn lines(events: &[Event]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(events.len() * 256);
    for event in events {
        // Neither a map with other keys than text nor a failing writer: this cannot fail.
        if serde_json::to_writer(&mut lines, event).is_ok() {
            lines.push(b'\n');
        }
    }
    lines
}

/// Returns the line that stands in for events which are not told: `next_seq` is the first that is.
///
/// # Errors
///
/// When the workflow cannot be JSON.
pub(crate) fn state_line(workflow: &WorkflowView, next_seq: u64) -> io::Result<Vec<u8>> {
    #[derive(Serialize)]
    struct State<'a> {
        next_seq: u64,
        state: &'a WorkflowView,
    }

    let mut line = serde_json::to_vec(&State { next_seq, state: workflow })?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use torc_protocol::event::EventKind;
    use torc_protocol::id::{AttemptNumber, JobId, WorkflowId};
    use torc_protocol::time::Timestamp;

    use super::*;

    #[test]
    fn an_event_is_a_line() {
        let kind = EventKind::JobStarted {
            job_id: JobId(7),
            name: "job7".to_owned(),
            attempt: AttemptNumber(1),
            pid: 42,
        };
        let event = |seq| Event {
            seq,
            at: Timestamp(1_500_000),
            workflow_id: WorkflowId(3),
            kind: kind.clone(),
        };
        let lines = String::from_utf8(lines(&[event(1), event(2)])).unwrap();
        let first = lines.lines().next().unwrap();
        assert_eq!(
            first,
            r#"{"seq":1,"at":1.5,"workflow_id":3,"event":{"job_started":{"job_id":7,"name":"job7","attempt":1,"pid":42}}}"#
        );
        assert_eq!(lines.lines().count(), 2);
    }
}
