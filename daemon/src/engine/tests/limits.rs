//! What keeps jobs from running: time limits, failures, and jobs that are disabled or held.

use super::{EngineTest, Outcome, SECOND, W, cpus, job, plain, retries, submission};
use crate::engine::hook::Trigger;
use crate::engine::job::{End, Job, Rule, Settings, State};
use crate::engine::submission::{Halt, Limit};

fn limit(stop_at: u64) -> Option<Limit> {
    Some(Limit { stop_at })
}

fn halt(after: u64, now: bool) -> Option<Halt> {
    Some(Halt { after, now })
}

#[test]
fn when_time_is_over_what_waits_is_canceled_and_what_runs_is_stopped() {
    let t = EngineTest::graph("a -> b; c").settings("c", |c| c.need.cpus = 4);
    let mut t = t.with(|next| next.limit = limit(100)).hook(Trigger::JobsEnded, "a").submitted();
    t.starts("a");
    t.expect(&["assign a.1", "a running"]);
    assert_eq!(t.engine.next_due(), Some(100));
    t.later(99);
    t.expect(&[]);
    t.later(1);
    t.expect(&["stop a.1", "2 waiting canceled"]);
    assert_eq!(t.engine.next_due(), None);
    t.ends("a", Outcome::TimedOut, 100);
    t.expect(&["a terminated", "finish failed"]);
}

#[test]
fn a_job_that_would_not_end_in_time_is_canceled_instead_of_started() {
    let t = EngineTest::graph("a; b -> c").settings("a", |a| a.need.cpus = 4);
    let t = t.settings("b", |b| b.runtime = Some(50)).with(|next| next.limit = limit(100));
    let mut t = t.settings("c", |c| c.cancel_on_failure = false).submitted();
    t.expect(&["assign a.1"]);
    t.later(51);
    t.completes("a");
    t.expect(&["a completed", "b canceled", "c ready", "assign c.1"]);
    t.completes("c");
    t.expect(&["c completed", "finish failed"]);
    assert_eq!(t.engine.next_due(), None);
}

#[test]
fn a_job_that_just_ends_in_time_is_started_and_none_ahead_of_it() {
    let mut t = EngineTest::cpus(1);
    let mut two = submission(vec![job(0, 0); 2], vec![Settings { runtime: Some(50), ..plain() }]);
    two.limit = limit(100);
    t.now = 50;
    t.enter(W, two);
    t.expect(&["assign 0.1"]);
    t.later(1);
    t.ends(0, Outcome::Success, 1);
    t.expect(&["0 completed", "1 canceled", "finish failed"]);
}

#[test]
fn after_so_many_failures_nothing_more_starts_and_what_runs_ends() {
    let mut t = EngineTest::cpus(2);
    let mut many = submission(vec![job(0, 0); 9], vec![retries(0)]);
    many.halt = halt(2, false);
    many.hooks = vec![super::Hook { trigger: Trigger::Complete, jobs: Vec::new(), fired: false }];
    t.enter(W, many);
    t.starts(1);
    t.fails(0);
    t.out.clear();
    t.starts(2);
    t.fails(2);
    t.expect(&["2 running", "2 failed", "6 waiting canceled"]);
    t.completes(1);
    t.expect(&["1 completed", "fire 0"]);
    t.engine.hook_ended(W, 0, &mut t.out);
    t.expect(&["finish failed"]);
}

#[test]
fn to_halt_at_once_stops_what_runs_and_tries_nothing_again() {
    let t = EngineTest::graph("a; b; c -> d").settings("b", |b| b.rules = retries(9).rules);
    let mut t = t.with(|next| next.halt = halt(1, true)).hook(Trigger::Complete, "").submitted();
    t.starts("b");
    t.out.clear();
    t.fails("a");
    t.expect(&["a failed", "stop b.1", "stop c.1", "1 waiting canceled"]);
    t.fails("b");
    t.ends("c", Outcome::Withdrawn, 0);
    t.expect(&["b failed", "c canceled", "finish failed"]);
}

#[test]
fn failures_of_before_count_and_what_waited_is_canceled_at_once() {
    let t = EngineTest::graph("a; b -> c; d").given("a", State::Failed).given("d", State::Running);
    let mut t = t.with(|next| next.halt = halt(1, false)).submitted();
    t.expect(&["b canceled", "c canceled", "d canceled", "finish failed"]);
}

#[test]
fn a_disabled_job_pauses_the_workflow_once_nothing_else_is_left() {
    let mut t = EngineTest::graph("a -> b -> c").given("b", State::Disabled).submitted();
    t.expect(&["assign a.1"]);
    t.completes("a");
    t.expect(&["a completed", "finish paused"]);
    assert_eq!(t.cpus_used(), 0);
}

#[test]
fn a_job_can_be_disabled_and_enabled_until_it_is_assigned() {
    let mut t = EngineTest::graph("a -> b; c").settings("c", |c| c.need.cpus = 4).submitted();
    t.out.clear();
    assert_eq!(t.engine.disable(t.key("b"), &mut t.out), Some(State::Blocked));
    assert_eq!(t.engine.disable(t.key("c"), &mut t.out), Some(State::Ready));
    assert_eq!(t.engine.disable(t.key("a"), &mut t.out), Some(State::Pending));
    t.expect(&["b disabled", "c disabled"]);
    assert_eq!(t.engine.enable(t.key("b"), &mut t.out), Some(State::Disabled));
    t.expect(&["b blocked"]);
    t.engine.disable(t.key("b"), &mut t.out);
    t.completes("a");
    t.expect(&["b disabled", "a completed", "finish paused"]);
}

#[test]
fn what_is_enabled_in_the_same_turn_goes_on() {
    let mut t = EngineTest::graph("a -> b").given("b", State::Disabled).submitted();
    t.out.clear();
    let end = End { outcome: Outcome::Success, code: 0, took: 1 };
    t.engine.ended(t.key("a"), end, 0, &mut t.out);
    t.engine.enable(t.key("b"), &mut t.out);
    t.turn();
    t.expect(&["a completed", "b ready", "assign b.1"]);
}

#[test]
fn a_disabled_job_is_canceled_with_what_it_waits_for_and_with_its_workflow() {
    let mut t = EngineTest::graph("a -> b").given("b", State::Disabled).submitted();
    t.fails("a");
    t.expect(&["assign a.1", "a failed", "b canceled", "finish failed"]);
    let mut t = EngineTest::graph("a; b").given("b", State::Disabled).submitted();
    t.engine.cancel(W, &mut t.out);
    t.ends("a", Outcome::Withdrawn, 0);
    let end = ["stop a.1", "1 waiting canceled", "a canceled", "finish canceled"];
    t.expect(&["assign a.1"].into_iter().chain(end).collect::<Vec<_>>());
}

#[test]
fn a_held_job_keeps_its_workflow_waiting_until_all_else_has_ended() {
    let mut t = EngineTest::graph("a -> b; c").settings("a", |a| a.held = true).submitted();
    t.expect(&["assign c.1"]);
    t.completes("c");
    t.expect(&["c completed", "finish paused"]);
}

#[test]
fn a_workflow_is_not_paused_while_a_retry_is_due() {
    let retry = |a: &mut Settings| *a = Settings { retry_delay: 100, ..retries(1) };
    let t = EngineTest::graph("a; b").settings("a", retry).given("b", State::Disabled);
    let mut t = t.submitted();
    t.fails("a");
    t.expect(&["assign a.1", "a blocked"]);
    t.later(100);
    t.expect(&["a ready", "assign a.2"]);
    t.completes("a");
    t.expect(&["a completed", "finish paused"]);
}

#[test]
fn a_delayed_job_that_is_disabled_is_due_when_it_is_enabled() {
    let retry = |a: &mut Settings| *a = Settings { retry_delay: 100, ..retries(1) };
    let mut t = EngineTest::graph("a; b").settings("a", retry).submitted();
    t.fails("a");
    t.out.clear();
    t.engine.disable(t.key("a"), &mut t.out);
    assert_eq!(t.engine.next_due(), None);
    t.later(200);
    t.engine.enable(t.key("a"), &mut t.out);
    t.turn();
    t.expect(&["a disabled", "a ready", "assign a.2"]);
}

#[test]
fn the_first_rule_that_names_the_code_decides_before_one_for_any() {
    let rule = |codes: &[i32], any, retries| Rule { codes: codes.to_vec(), any, retries };
    let rules = vec![rule(&[], true, 3), rule(&[7], false, 1), rule(&[7, 8], false, 9)];
    let settings = Settings { rules, ..plain() };
    assert_eq!([7, 8, 9].map(|code| settings.retries(code)), [1, 9, 3]);
    assert_eq!(plain().retries(1), 0);
}

#[test]
fn only_the_tries_of_this_run_count() {
    let mut t = EngineTest::cpus(1);
    let again = Job { attempts: 5, first: 5, ..job(0, 0) };
    t.enter(W, submission(vec![again], vec![retries(1)]));
    t.fails(0);
    t.fails(0);
    t.expect(&["assign 0.6", "0 ready", "assign 0.7", "0 failed", "finish failed"]);
}

#[test]
fn a_failure_that_cannot_be_mended_is_not_tried_again() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, retries(9), None);
    t.ends(0, Outcome::Unretryable, SECOND);
    t.expect(&["assign 0.1", "0 failed", "finish failed"]);
}

#[test]
fn canceling_a_job_cancels_what_waits_for_it() {
    let mut t = EngineTest::graph("a -> b -> c; d -> c").submitted();
    t.out.clear();
    t.engine.cancel_job(t.key("b"), &mut t.out);
    t.expect(&["b canceled", "c canceled"]);
    t.engine.cancel_job(t.key("a"), &mut t.out);
    t.ends("a", Outcome::Withdrawn, 0);
    t.completes("d");
    t.expect(&["stop a.1", "a canceled", "d completed", "finish failed"]);
    assert_eq!(t.engine.capacity(), Some(cpus(4)));
    assert_eq!(t.cpus_used(), 0);
}
