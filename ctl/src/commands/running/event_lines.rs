//! `--format ndjson`: every event as one line of JSON on stdout.

use torc_protocol::event::Event;

use super::sinks::{Sink, write_all};

/// Writes events until nobody reads them any more; the run goes on then.
#[derive(Debug, Default)]
pub(crate) struct EventLines {
    closed: bool,
}

impl EventLines {
    /// Writes a batch in one piece.
    pub(crate) async fn write(&mut self, events: &[Event]) {
        if !self.closed {
            self.closed = write_all(Sink::Stdout, lines(events)).await.is_err();
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
