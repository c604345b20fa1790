//! What else is run on the way of a workflow.

use super::{EngineTest, W};
use crate::engine::hook::Trigger::{
    Complete, JobsEnded, JobsReady, Start, WorkerComplete, WorkerStart,
};
use crate::engine::job::State;

fn hook_ends(t: &mut EngineTest, hook: u32) {
    t.engine.hook_ended(W, hook, &mut t.out);
    t.turn();
}

#[test]
fn the_end_waits_for_the_hooks_that_fired_and_jobs_do_not() {
    let t = EngineTest::graph("a").hook(Start, "").hook(WorkerStart, "").hook(Complete, "");
    let mut t = t.hook(WorkerComplete, "").submitted();
    t.expect(&["fire 0", "fire 1", "assign a.1"]);
    t.completes("a");
    t.expect(&["a completed", "fire 2", "fire 3"]);
    hook_ends(&mut t, 2);
    hook_ends(&mut t, 0);
    hook_ends(&mut t, 3);
    t.expect(&[]);
    hook_ends(&mut t, 1);
    t.expect(&["finish completed"]);
}

#[test]
fn a_hook_fires_when_the_last_of_its_jobs_is_ready_and_only_once() {
    let t = EngineTest::graph("a -> b; c -> d").hook(JobsReady, "b d a");
    let retry = |b: &mut super::Settings| b.rules = super::retries(1).rules;
    let mut t = t.settings("b", retry).submitted();
    t.out.clear();
    t.completes("c");
    t.expect(&["c completed", "d ready", "assign d.1"]);
    t.completes("a");
    t.expect(&["a completed", "b ready", "fire 0", "assign b.1"]);
    t.fails("b");
    t.expect(&["b ready", "assign b.2"]);
}

#[test]
fn a_hook_never_fires_for_jobs_of_which_one_is_canceled_before_it_is_ready() {
    let mut t = EngineTest::graph("a -> b; c -> d").hook(JobsReady, "b d").submitted();
    t.out.clear();
    t.fails("a");
    t.completes("c");
    t.completes("d");
    t.expect(
        &["a failed", "b canceled", "c completed", "d ready", "assign d.1", "d completed"]
            .into_iter()
            .chain(["finish failed"])
            .collect::<Vec<_>>(),
    );
}

#[test]
fn a_hook_fires_when_the_last_of_its_jobs_has_ended_in_whatever_state() {
    let mut t = EngineTest::graph("a -> b; c").hook(JobsEnded, "a b").submitted();
    t.out.clear();
    t.fails("a");
    t.expect(&["a failed", "b canceled", "fire 0"]);
    t.completes("c");
    t.expect(&["c completed"]);
    hook_ends(&mut t, 0);
    t.expect(&["finish failed"]);
}

#[test]
fn what_has_fired_or_has_been_passed_does_not_fire_again() {
    let t = EngineTest::graph("a -> b").hook(Start, "").hook(JobsReady, "a").hook(JobsEnded, "a");
    let t = t.with(|next| next.hooks[0].fired = true).given("a", State::Completed);
    let mut t = t.given("b", State::Ready).submitted();
    t.expect(&["fire 1", "fire 2", "assign b.1"]);
}

#[test]
fn nothing_new_begins_in_a_workflow_that_was_canceled() {
    let t = EngineTest::graph("a -> b").hook(Complete, "").hook(JobsEnded, "a b");
    let mut t = t.submitted();
    t.out.clear();
    t.engine.cancel(W, &mut t.out);
    t.ends("a", super::Outcome::Stopped, 1);
    t.expect(&["stop a.1", "1 waiting canceled", "a terminated", "finish canceled"]);
}

#[test]
fn a_workflow_is_not_paused_while_a_hook_runs() {
    let t = EngineTest::graph("a").given("a", State::Disabled).hook(Start, "");
    let mut t = t.submitted();
    t.expect(&["fire 0"]);
    hook_ends(&mut t, 0);
    t.expect(&["finish paused"]);
}
