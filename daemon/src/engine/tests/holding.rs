//! Nothing starts for a while, or what runs is interrupted for good.

use super::{EngineTest, Outcome, SECOND, W, plain, retries};
use crate::engine::explain::{Explanation, Wait};
use crate::engine::hook::Trigger;
use crate::engine::job::{End, Settings, State};

#[test]
fn a_hold_takes_back_what_has_not_started_and_lets_run_what_has() {
    let mut t = EngineTest::cpus(1);
    t.submit(4, plain(), None);
    t.starts(0);
    t.out.clear();
    t.engine.hold(&mut t.out);
    t.expect_all(&["withdraw 1.1"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.completes(0);
    t.expect_all(&["1 ready", "0 completed"]);
    t.later(60 * SECOND);
    t.expect_all(&[]);
    t.engine.go_on(&mut t.out);
    t.turn();
    t.expect(&["assign 1.1"]);
}

#[test]
fn what_the_worker_had_begun_before_it_heard_of_the_hold_goes_on() {
    let mut t = EngineTest::cpus(1);
    t.submit(2, plain(), None);
    t.out.clear();
    t.engine.hold(&mut t.out);
    t.expect_all(&["withdraw 0.1", "withdraw 1.1"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.starts(0);
    t.completes(0);
    t.expect_all(&["1 ready", "0 running", "0 completed"]);
}

#[test]
fn in_a_hold_workflows_are_taken_in_retries_fall_due_and_nothing_starts() {
    let retry = Settings { retry_delay: SECOND, ..retries(1) };
    let mut t = EngineTest::graph("a; b").settings("a", |a| *a = retry.clone()).submitted();
    t.starts("a");
    t.starts("b");
    t.engine.hold(&mut t.out);
    t.out.clear();
    t.fails("a");
    t.completes("b");
    t.later(2 * SECOND);
    t.expect_all(&["a blocked", "b completed", "a ready"]);
    let waits = Explanation::Ready { before: 0, wait: Wait::Stopping };
    assert_eq!(t.engine.explain(t.key("a")), Some(waits));
    t.engine.go_on(&mut t.out);
    t.turn();
    t.expect(&["assign a.2"]);
}

#[test]
fn a_hook_that_is_due_in_a_hold_fires_after_it_and_its_workflow_ends_then() {
    let t = EngineTest::graph("a").hook(Trigger::JobsEnded, "a").hook(Trigger::Complete, "");
    let mut t = t.submitted();
    t.engine.hold(&mut t.out);
    t.out.clear();
    t.completes("a");
    t.expect(&["a completed"]);
    t.engine.go_on(&mut t.out);
    t.expect(&["fire 0", "fire 1"]);
    t.engine.hook_ended(W, 0, &mut t.out);
    t.engine.hook_ended(W, 1, &mut t.out);
    t.expect(&["finish completed"]);
}

#[test]
fn what_is_canceled_in_a_hold_ends() {
    let mut t = EngineTest::graph("a").hook(Trigger::JobsEnded, "a").submitted();
    t.starts("a");
    t.engine.hold(&mut t.out);
    t.out.clear();
    t.engine.cancel(W, &mut t.out);
    t.ends("a", Outcome::Stopped, 1);
    t.expect(&["stop a.1", "a terminated", "finish canceled"]);
}

#[test]
fn an_interrupted_attempt_takes_no_retry_and_keeps_what_waits_for_it() {
    let mut t = EngineTest::graph("a -> b").settings("a", |a| *a = retries(1)).submitted();
    t.starts("a");
    t.ends("a", Outcome::Interrupted, SECOND);
    t.out.clear();
    t.fails("a");
    t.expect(&["a ready", "assign a.3"]);
    t.ends("a", Outcome::Interrupted, SECOND);
    t.expect(&["a ready", "assign a.4"]);
    let job = t.engine.job(t.key("a")).unwrap();
    assert_eq!((job.attempts, job.first), (4, 2));
    t.fails("a");
    t.expect(&["a failed", "b canceled", "finish failed"]);
}

#[test]
fn what_is_interrupted_while_the_engine_stops_is_ready_and_nothing_ends() {
    let mut t = EngineTest::graph("a -> b; c").submitted();
    t.starts("a");
    t.engine.stop(&mut t.out);
    t.out.clear();
    t.ends("a", Outcome::Interrupted, SECOND);
    t.ends("c", Outcome::Withdrawn, 0);
    t.expect_all(&["a ready", "c ready"]);
    assert!(t.engine.counts(W).is_some());
}

#[test]
fn a_job_that_was_canceled_before_it_was_interrupted_is_terminated() {
    let mut t = EngineTest::graph("a -> b").submitted();
    t.starts("a");
    t.engine.cancel_job(t.key("a"), &mut t.out);
    let end = End { outcome: Outcome::Interrupted, code: 143, took: 1 };
    let state = t.engine.ended(t.key("a"), end, t.now, &mut t.out);
    assert_eq!(state, State::Terminated);
}
