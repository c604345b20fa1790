//! Which step the writer is at, and since when; told to whoever listens.

use std::io::Write;
use std::time::Instant;

use torc_protocol::codec::frame;
use torc_protocol::time::Span;
use torc_protocol::view::SnapshotPhase;

use crate::snapshot_writer::event::WriterEvent;

/// Sends events to `W` until that fails, and never minds that it does.
#[derive(Debug)]
pub(super) struct Progress<W> {
    listener: Option<W>,
    phase: SnapshotPhase,
    since: Instant,
    ended: Vec<(SnapshotPhase, Span)>,
}

impl<W: Write> Progress<W> {
    pub(super) fn new(listener: W) -> Self {
        let (phase, since) = (SnapshotPhase::Write, Instant::now());
        Self { listener: Some(listener), phase, since, ended: Vec::new() }
    }

    /// Returns the present step.
    pub(super) fn phase(&self) -> SnapshotPhase {
        self.phase
    }

    /// Goes on to the next step; the first is [`SnapshotPhase::Write`].
    pub(super) fn begin(&mut self, phase: SnapshotPhase) {
        if phase != self.phase {
            self.ended.push((self.phase, self.since.elapsed().into()));
            (self.phase, self.since) = (phase, Instant::now());
        }
        self.send(WriterEvent::Phase(phase));
    }

    /// Ends the last step and returns how long each took.
    pub(super) fn finish(&mut self) -> Vec<(SnapshotPhase, Span)> {
        self.ended.push((self.phase, self.since.elapsed().into()));
        std::mem::take(&mut self.ended)
    }

    /// Tells the listener, if there still is one.
    pub(super) fn send(&mut self, event: WriterEvent) {
        let Some(listener) = &mut self.listener else { return };
        let sent = frame(event)
            .is_ok_and(|bytes| listener.write_all(&bytes).and_then(|()| listener.flush()).is_ok());
        if !sent {
            self.listener = None;
        }
    }
}
