//! What is removed goes in parts, and the room that it took is given back.

use super::*;

/// Has a workflow of so many jobs come and be given up, and returns how long the database is, in bytes.
fn peak(t: &mut DispatcherTest, jobs: usize) -> u64 {
    let draft = t.begin(spec()).unwrap();
    let text = "x".repeat(2_000);
    t.add(draft, (0..jobs).map(|number| line(&number.to_string(), &text)).collect()).unwrap();
    let bytes = t.dispatcher.store.bytes().unwrap();
    t.turn([Input::Drop { draft }]);
    bytes
}

/// Runs turns as long as there is something to do.
fn rest(t: &mut DispatcherTest) -> usize {
    let turns = (0..1_000).take_while(|_| {
        let is_busy = t.dispatcher.patience().is_zero();
        t.turn([]);
        t.dispatcher.give_back();
        is_busy
    });
    turns.count()
}

#[test]
fn what_is_removed_is_given_back_a_little_in_each_turn() {
    let mut t = DispatcherTest::cpus(1);
    let many = peak(&mut t, 5_000);
    let turns = rest(&mut t);
    assert!((20..1_000).contains(&turns), "{turns}");
    assert!(t.dispatcher.store.bytes().unwrap() < many / 10);
    t.submit(spec(), jobs(&["a"]));
}

#[test]
fn what_cannot_be_given_back_is_not_tried_for_ever() {
    let mut t = DispatcherTest::cpus(1);
    let many = peak(&mut t, 5_000);
    while !t.dispatcher.given_up.is_empty() {
        t.turn([]);
    }
    assert!(t.dispatcher.store.is_loose().unwrap());
    // It cannot begin a transaction within one.
    t.dispatcher.store.reading().execute_batch("BEGIN").unwrap();
    t.dispatcher.give_back();
    t.dispatcher.give_back();
    assert!(!t.dispatcher.patience().is_zero());
    assert_eq!(t.dispatcher.store.bytes().unwrap(), many);
    t.dispatcher.store.reading().execute_batch("ROLLBACK").unwrap();
    t.submit(spec(), jobs(&["a"]));
}

#[test]
fn a_large_workflow_that_has_ended_gives_its_memory_back() {
    let mut t = DispatcherTest::cpus(1);
    let (small, ..) = t.submit(spec(), jobs(&["a", "b"]));
    let many = (0..10_000).map(|number| line(&number.to_string(), "true"));
    let (large, ..) = t.submit(spec(), many.collect());
    for (workflow, is_large) in [(small, false), (large, true)] {
        let workflow = WorkflowSelector::Id(workflow);
        t.ask(|reply| Input::Cancel {
            request: Cancel { workflow, jobs: Vec::new(), grace: None },
            reply,
        })
        .unwrap();
        t.worker_dies();
        assert_eq!(t.dispatcher.has_freed, is_large);
    }
    t.dispatcher.give_back();
    assert!(!t.dispatcher.has_freed);
}
