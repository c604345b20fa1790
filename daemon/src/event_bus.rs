//! Events on their way to those who watch.
//!
//! Owned by the dispatcher's thread, which publishes after the commit. A watcher that does not keep
//! up is cut off, not waited for: its queue closes, and it may come back and ask for what it
//! missed, which is remembered for a while. The log has those of whole workflows.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::WorkflowId;
use torc_protocol::time::Timestamp;
use torc_protocol::view::JobCounts;

/// So many events are remembered.
const REMEMBERED: usize = 16_384;
/// So many batches may wait for one watcher.
const QUEUE: usize = 1_024;
/// So many watchers there can be at a time.
pub const WATCHERS: usize = 512;

/// Events of one workflow that were recorded together.
pub type EventBatch = Arc<Vec<Event>>;

/// The receiving end of a watch. It closes when the workflow has ended or the watcher is cut off.
pub type Subscription = mpsc::Receiver<EventBatch>;

/// The events, and who watches them.
#[derive(Debug)]
pub struct EventBus {
    next_seq: u64,
    remembered: VecDeque<Event>,
    watchers: HashMap<WorkflowId, Vec<mpsc::Sender<EventBatch>>>,
    pending: Vec<Event>,
}

impl Default for EventBus {
    fn default() -> Self {
        Self {
            next_seq: 1,
            remembered: VecDeque::new(),
            watchers: HashMap::new(),
            pending: Vec::new(),
        }
    }
}

impl EventBus {
    /// Returns the number that the next event will have.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Adds an event to those that [`Self::publish`] sends out.
    pub fn add(&mut self, workflow_id: WorkflowId, at: Timestamp, kind: EventKind) {
        self.pending.push(Event { seq: self.next_seq, at, workflow_id, kind });
        self.next_seq += 1;
    }

    /// Forgets what was added since the last [`Self::publish`]: it was not recorded.
    pub fn discard(&mut self) {
        self.next_seq -= self.pending.len() as u64;
        self.pending.clear();
    }

    /// Sends out what was added.
    pub fn publish(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let events = std::mem::take(&mut self.pending);
        events.iter().for_each(log);
        let excess = (self.remembered.len() + events.len()).saturating_sub(REMEMBERED);
        self.remembered.drain(..excess.min(self.remembered.len()));
        self.remembered
            .extend(events.iter().skip(events.len().saturating_sub(REMEMBERED)).cloned());
        let first = events.first().map(|event| event.workflow_id);
        if events.iter().all(|event| Some(event.workflow_id) == first) {
            self.send(Arc::new(events));
            return;
        }
        let mut by_workflow: HashMap<WorkflowId, Vec<Event>> = HashMap::new();
        for event in events {
            by_workflow.entry(event.workflow_id).or_default().push(event);
        }
        for events in by_workflow.into_values() {
            self.send(Arc::new(events));
        }
    }

    /// Cuts all watchers off, because nothing will be recorded any more that they could be told.
    pub fn cut_all(&mut self) {
        self.watchers.clear();
    }

    /// Lets somebody watch a workflow from here on; none when there are [`WATCHERS`] already.
    pub fn watch(&mut self, workflow: WorkflowId) -> Option<Subscription> {
        // Those who have gone are noticed here too: there may be no event for hours.
        self.watchers.retain(|_, watchers| {
            watchers.retain(|watcher| !watcher.is_closed());
            !watchers.is_empty()
        });
        if self.watchers.values().map(Vec::len).sum::<usize>() >= WATCHERS {
            return None;
        }
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.watchers.entry(workflow).or_default().push(sender);
        Some(receiver)
    }

    /// Returns the events of a workflow from `from_seq` on; none when some may be forgotten.
    #[must_use]
    pub fn history(&self, workflow: WorkflowId, from_seq: u64) -> Option<Vec<Event>> {
        let first = self.remembered.front().map_or(self.next_seq, |event| event.seq);
        if from_seq < first || from_seq > self.next_seq {
            return None;
        }
        let events = self.remembered.iter();
        Some(
            events
                .filter(|event| event.seq >= from_seq && event.workflow_id == workflow)
                .cloned()
                .collect(),
        )
    }

    fn send(&mut self, events: EventBatch) {
        let Some(last) = events.last() else { return };
        let workflow = last.workflow_id;
        let ended = events.iter().any(|e| matches!(e.kind, EventKind::WorkflowFinished { .. }));
        if let Some(watchers) = self.watchers.get_mut(&workflow) {
            watchers.retain(|watcher| watcher.try_send(events.clone()).is_ok());
            if ended || watchers.is_empty() {
                self.watchers.remove(&workflow);
            }
        }
    }
}

/// Notes the beginning and the end of a workflow in the log. What its jobs do is in the database.
fn log(Event { workflow_id, kind, .. }: &Event) {
    match kind {
        EventKind::WorkflowSubmitted { name, jobs } => {
            tracing::info!("workflow {workflow_id} is submitted: {name:?}, {jobs} jobs");
        }
        EventKind::WorkflowRestarted { name, jobs } => {
            tracing::info!("workflow {workflow_id} is run again: {name:?}, {jobs} jobs");
        }
        EventKind::WorkflowFinished { status, counts } => {
            let JobCounts { total, completed, failed, canceled, terminated, .. } = counts;
            tracing::info!(
                "workflow {workflow_id} has ended, {status}: of {total} jobs {completed} completed, \
                 {failed} failed, {terminated} terminated, {canceled} canceled"
            );
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: WorkflowId = WorkflowId(1);

    fn add(bus: &mut EventBus, workflow: WorkflowId) {
        bus.add(workflow, Timestamp(0), EventKind::JobsCanceled { count: 1 });
    }

    #[test]
    fn watchers_get_the_events_of_their_workflow_in_order() {
        let mut bus = EventBus::default();
        let mut watcher = bus.watch(W).unwrap();
        add(&mut bus, W);
        add(&mut bus, WorkflowId(2));
        add(&mut bus, W);
        bus.publish();
        let seqs: Vec<u64> = watcher.try_recv().unwrap().iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [1, 3]);
        assert!(watcher.try_recv().is_err());
    }

    #[test]
    fn what_was_not_recorded_is_not_sent_and_its_numbers_are_used_again() {
        let mut bus = EventBus::default();
        let mut watcher = bus.watch(W).unwrap();
        add(&mut bus, W);
        bus.discard();
        bus.publish();
        assert!(watcher.try_recv().is_err());
        assert_eq!(bus.next_seq(), 1);
    }

    #[test]
    fn a_watcher_that_does_not_read_is_cut_off_and_can_resume() {
        let mut bus = EventBus::default();
        let mut watcher = bus.watch(W).unwrap();
        for _ in 0..=QUEUE {
            add(&mut bus, W);
            bus.publish();
        }
        let mut last = 0;
        while let Ok(batch) = watcher.try_recv() {
            last = batch.last().unwrap().seq;
        }
        assert!(watcher.is_closed());
        let missed = bus.history(W, last + 1).unwrap();
        assert_eq!(missed.len(), 1);
    }

    #[test]
    fn history_that_is_forgotten_is_not_made_up() {
        let mut bus = EventBus::default();
        for _ in 0..REMEMBERED + 10 {
            add(&mut bus, W);
        }
        bus.publish();
        assert!(bus.history(W, 10).is_none());
        assert_eq!(bus.history(W, 11).unwrap().len(), REMEMBERED);
        assert!(bus.history(W, bus.next_seq() + 1).is_none());
    }

    #[test]
    fn watchers_that_have_gone_are_forgotten_without_any_event() {
        let mut bus = EventBus::default();
        let stays = bus.watch(W).unwrap();
        (0..100).for_each(|_| drop(bus.watch(W)));
        assert!(bus.watchers[&W].len() <= 2);
        drop(stays);
    }

    #[test]
    fn there_are_so_many_watchers_and_no_more() {
        let mut bus = EventBus::default();
        let of = |number: usize| WorkflowId(number as u64 % 3);
        let mut all: Vec<_> = (0..WATCHERS).map(|it| bus.watch(of(it)).unwrap()).collect();
        assert!(bus.watch(W).is_none());
        all.pop();
        assert!(bus.watch(W).is_some(), "one has gone");
    }

    #[test]
    fn a_watch_ends_with_its_workflow() {
        let mut bus = EventBus::default();
        let mut watcher = bus.watch(W).unwrap();
        let kind = EventKind::WorkflowFinished {
            status: torc_protocol::status::WorkflowStatus::Completed,
            counts: Default::default(),
        };
        bus.add(W, Timestamp(0), kind);
        bus.publish();
        assert!(watcher.try_recv().is_ok());
        assert!(watcher.is_closed());
    }
}
