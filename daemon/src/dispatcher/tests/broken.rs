//! A database that takes no more changes: nothing that is not recorded goes on.

use std::sync::atomic::Ordering;
use std::time::Duration;

use torc_protocol::response::ErrorCode;
use torc_protocol::result::StopCause;
use torc_protocol::time::Span;

use super::{
    DispatcherTest, asked, code, exits, jobs, line, spec, started, told, with_retries, withdrawn,
};
use crate::dispatcher::input::{Input, StopRequest, Stopping};
use crate::store::tables::snapshot::{self, Author};

fn author() -> Author {
    let word = String::new;
    Author { instance: word(), host: word(), boot_id: word(), pid: 1 }
}

#[test]
fn nothing_is_told_and_every_answer_is_an_error() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), jobs(&["a", "b", "c"]));
    let draft = t.begin(spec()).unwrap();
    t.turn([started(1, 1)]);
    told(&mut live);
    t.sent();
    t.dispatcher.store.take_outputs_away();
    let (add, mut added) = asked(|reply| Input::AddJobs { draft, jobs: jobs(&["a"]), reply });
    let (recorded, mut answer) = asked(|reply| Input::Recorded { reply });
    let workflow = torc_protocol::request::WorkflowSelector::Id(id);
    let (watch, mut watching) = asked(|reply| Input::Watch { workflow, from_seq: None, reply });
    t.turn([add, exits(1, 1, 0), recorded, watch]);
    assert!(told(&mut live).is_empty());
    assert!(live.is_closed(), "who watches learns that there is nothing more");
    assert_eq!(code(added.try_recv().unwrap()), ErrorCode::Internal);
    assert_eq!(code(answer.try_recv().unwrap()), ErrorCode::Internal);
    assert_eq!(code(watching.try_recv().unwrap()), ErrorCode::Internal);
    assert_eq!(t.sent(), ["stop all: shutdown"], "no other job is started");
    for _ in 0..2 {
        assert_eq!(code(t.begin(spec())), ErrorCode::Internal);
        assert_eq!(code(t.cancel(id, &[])), ErrorCode::Internal);
    }
}

#[test]
fn what_was_acknowledged_can_still_be_brought_to_safety() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _live) = t.submit(spec(), jobs(&["a", "b"]));
    t.turn([started(1, 1)]);
    t.dispatcher.store.refuse_to_grow();
    let growing = (0..1_000).map(|number| line(&format!("{number:0>999}"), "true")).collect();
    let draft = t.begin(spec());
    assert_eq!(code(draft.and_then(|draft| t.add(draft, growing))), ErrorCode::Internal);
    assert!(t.dispatcher.broken.is_some());
    assert_eq!(t.saves.load(Ordering::Relaxed), 1, "a snapshot is asked for at once");
    for _ in 0..2 {
        let before = t.dispatcher.store.changes();
        let (author, path) = (author(), String::new());
        let (generation, changes) =
            t.ask(|reply| Input::BeginSnapshot { author, path, reply }).expect("it begins");
        assert_eq!(changes, before + 1);
        assert_eq!(t.dispatcher.store.changes(), changes);
        let last = snapshot::last_generation(t.dispatcher.store.reading()).unwrap();
        assert_eq!(last, generation);
        assert!(t.dispatcher.store.reading().is_autocommit(), "it is committed");
    }
    assert_eq!(t.stands(1), "running 1");
    assert_eq!(t.workflow(id).unwrap().jobs.total, 2);
    let recorded = t.ask(|reply| Input::Recorded { reply }).unwrap_err();
    assert!(recorded.message.contains("all that was acknowledged is kept"), "{recorded:?}");
}

#[test]
fn a_database_that_takes_nothing_at_all_says_so() {
    let mut t = DispatcherTest::cpus(1);
    t.dispatcher.store.refuse_all();
    assert_eq!(code(t.begin(spec())), ErrorCode::Internal);
    let (author, path) = (author(), String::new());
    let begun = t.ask(|reply| Input::BeginSnapshot { author, path, reply });
    assert_eq!(code(begun), ErrorCode::Internal);
    assert!(t.dispatcher.store.reading().is_autocommit());
}

#[test]
fn nothing_is_kept_of_the_turn_that_fails() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a", "b"]));
    t.turn([started(1, 1)]);
    t.dispatcher.store.take_outputs_away();
    let changes = t.dispatcher.store.changes();
    t.turn([exits(1, 1, 0)]);
    assert!(t.dispatcher.store.reading().is_autocommit(), "no transaction is left open");
    assert_eq!(t.stands(1), "running 1");
    t.turn([Input::EndSnapshot {
        generation: torc_protocol::id::Generation(1),
        outcome: Err(torc_protocol::view::SnapshotFailure {
            path: String::new(),
            phase: torc_protocol::view::SnapshotPhase::Copy,
            errno: None,
            reason: String::new(),
            kept: None,
        }),
    }]);
    assert!(t.dispatcher.store.reading().is_autocommit());
    assert_eq!(t.dispatcher.store.changes(), changes);
}

#[test]
fn the_end_waits_only_for_what_the_worker_was_given() {
    let mut t = DispatcherTest::cpus(1);
    let (_, mut live) = t.submit(spec(), jobs(&["a", "b", "c", "d", "e"]));
    t.turn([started(1, 1)]);
    told(&mut live);
    t.sent();
    t.dispatcher.store.take_outputs_away();
    // The next job is assigned in the turn that is not recorded.
    t.turn([exits(1, 1, 0)]);
    t.sent();
    let (ended, mut wait) = tokio::sync::oneshot::channel();
    let grace = Some(Span(0));
    t.turn([Input::Stop(StopRequest { jobs: Stopping::Cancel, grace, ended: Some(ended) })]);
    assert_eq!(t.sent(), ["stop all: shutdown"], "with the shorter grace");
    assert!(wait.try_recv().is_err());
    t.turn([withdrawn(2, 1, StopCause::Shutdown)]);
    assert_eq!(wait.try_recv(), Ok(()));
    assert!(told(&mut live).is_empty());
}

#[test]
fn a_retry_that_is_due_does_not_keep_the_loop_busy() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(with_retries(1, Span(500_000)), jobs(&["a", "b"]));
    t.turn([started(1, 1), started(2, 1)]);
    t.dispatcher.store.take_outputs_away();
    t.turn([exits(1, 1, 1)]);
    assert!(t.dispatcher.engine.next_due().is_some());
    assert!(t.dispatcher.patience() > Duration::from_secs(1));
}

#[test]
fn people_can_still_ask_how_it_stands() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a", "b"]));
    t.turn([started(1, 1)]);
    t.dispatcher.store.take_outputs_away();
    t.turn([exits(1, 1, 0)]);
    let totals = t.ask(|reply| Input::Totals { reply }).unwrap();
    assert_eq!(totals.workflows, 1);
}

#[test]
fn a_database_that_is_read_only_breaks_it_too() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a"]));
    t.dispatcher.store.refuse_all();
    assert_eq!(code(t.begin(spec())), ErrorCode::Internal);
    t.turn([started(1, 1)]);
    assert!(t.dispatcher.broken.is_some());
}
