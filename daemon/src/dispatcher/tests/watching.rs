//! Watches: a state or a history, then all that follows, without a gap and nothing twice.

use torc_protocol::event::Event;
use torc_protocol::id::WorkflowId;
use torc_protocol::request::WorkflowSelector;
use torc_protocol::response::ErrorCode;

use super::{DispatcherTest, asked, code, event_words, exits, jobs, spec, started, told};
use crate::dispatcher::input::{Input, Watching};

fn watch(t: &mut DispatcherTest, id: WorkflowId, from_seq: Option<u64>) -> Watching {
    let workflow = WorkflowSelector::Id(id);
    t.ask(|reply| Input::Watch { workflow, from_seq, reply }).unwrap()
}

fn seqs(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[test]
fn the_state_holds_just_what_the_events_after_it_do_not() {
    let mut t = DispatcherTest::cpus(2);
    let (id, _) = t.submit(spec(), jobs(&["a", "b"]));
    t.turn([started(1, 1)]);
    let workflow = WorkflowSelector::Id(id);
    let (input, mut answer) = asked(|reply| Input::Watch { workflow, from_seq: None, reply });
    // The watch comes in first, and begins after all of its turn.
    t.turn([input, exits(1, 1, 0)]);
    let watching = answer.try_recv().unwrap().unwrap();
    let counts = watching.state.unwrap().jobs;
    assert_eq!((counts.completed, counts.pending, watching.next_seq), (1, 1, 4));
    assert!(watching.history.is_empty());
    t.turn([exits(2, 1, 0)]);
    let mut live = watching.live.unwrap();
    let batch = live.try_recv().unwrap();
    assert_eq!(batch[0].seq, watching.next_seq);
    assert_eq!(event_words(batch.last().unwrap()), "workflow completed");
    assert!(live.is_closed());
}

#[test]
fn history_and_live_events_join_without_a_gap() {
    let mut t = DispatcherTest::cpus(2);
    let (id, _) = t.submit(spec(), jobs(&["a", "b"]));
    let (other, _) = t.submit(spec(), jobs(&["c"]));
    t.turn([started(1, 1)]);
    let watching = watch(&mut t, id, Some(1));
    assert!(watching.state.is_none());
    assert_eq!(seqs(&watching.history), [1, 3]);
    assert_eq!(watching.next_seq, 4);
    t.turn([exits(1, 1, 0), exits(2, 1, 0)]);
    assert_eq!(seqs(&watching.live.unwrap().try_recv().unwrap()), [4, 5, 6]);
    let resumed = watch(&mut t, id, Some(4));
    assert_eq!(seqs(&resumed.history), [4, 5, 6]);
    assert!(resumed.live.is_none());
    assert!(watch(&mut t, other, Some(7)).history.is_empty());
}

#[test]
fn a_watch_from_what_never_was_begins_with_the_state() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(spec(), jobs(&["a"]));
    for from_seq in [0, 3, u64::MAX] {
        let watching = watch(&mut t, id, Some(from_seq));
        assert!(watching.state.is_some(), "from {from_seq}");
        assert!(watching.history.is_empty());
    }
}

#[test]
fn a_watch_of_a_workflow_that_has_ended_has_nothing_live() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), jobs(&["a"]));
    t.turn([exits(1, 1, 0)]);
    assert_eq!(told(&mut live).last().unwrap(), "workflow completed");
    let watching = watch(&mut t, id, None);
    assert_eq!(watching.state.unwrap().jobs.completed, 1);
    assert!(watching.live.is_none());
}

#[test]
fn a_workflow_that_is_not_there_cannot_be_watched() {
    let mut t = DispatcherTest::cpus(1);
    let draft = t.begin(spec()).unwrap();
    for id in [draft, WorkflowId(9), WorkflowId(u64::MAX)] {
        let workflow = WorkflowSelector::Id(id);
        let refused = t.ask(|reply| Input::Watch { workflow, from_seq: None, reply });
        assert_eq!(code(refused), ErrorCode::NotFound);
        assert_eq!(code(t.cancel(id, &[])), ErrorCode::NotFound);
    }
}
