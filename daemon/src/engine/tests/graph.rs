//! What waits for what.

use super::{EngineTest, SECOND, W, job, plain, submission};
use crate::engine::action::{Action, Finish};
use crate::engine::graph::{Cycle, Dependencies, Graph, GraphError};
use crate::engine::job::{Outcome, State};

const MANY: u32 = 100_000;

fn graph(on: &[&[u32]]) -> Result<Graph, GraphError> {
    let mut dependencies = Dependencies::default();
    on.iter().for_each(|on| dependencies.push(on.iter().copied()));
    Graph::new(dependencies)
}

fn cycle(on: &[&[u32]]) -> Vec<u32> {
    match graph(on) {
        Err(GraphError::Cycle(Cycle(jobs))) => jobs,
        other => panic!("no cycle: {other:?}"),
    }
}

#[test]
fn a_graph_knows_both_directions_and_drops_duplicates() {
    let graph = graph(&[&[], &[0], &[1, 0, 1, 0], &[]]).unwrap();
    assert_eq!(graph.dependencies(2), [1, 0]);
    assert_eq!(graph.dependents(0), [1, 2]);
    assert_eq!(graph.dependents(1), [2]);
    assert!(graph.dependents(3).is_empty() && graph.dependencies(3).is_empty());
    assert_eq!(graph.edges(), 3);
}

#[test]
fn a_cycle_is_told_in_order_and_without_what_only_leads_to_it() {
    assert_eq!(cycle(&[&[0]]), [0]);
    assert_eq!(cycle(&[&[2], &[0], &[1], &[2], &[]]), [0, 2, 1]);
    assert_eq!(cycle(&[&[], &[0, 3], &[1], &[2], &[3]]), [1, 3, 2]);
}

#[test]
fn of_two_ways_round_the_shorter_is_told() {
    // 0 waits for 1 and 3, 1 for 2, 2 for 3, and 3 for 0.
    assert_eq!(cycle(&[&[1, 3], &[2], &[3], &[0]]), [0, 3]);
}

#[test]
fn a_dependency_that_is_not_there_is_an_error() {
    let error = graph(&[&[], &[2]]).unwrap_err();
    assert_eq!(error, GraphError::NoSuchJob { job: 1, dependency: 2 });
    assert_eq!(error.to_string(), "job 1 waits for job 2, which is not there");
}

#[test]
fn a_cycle_of_many_jobs_is_found_without_recursion() {
    let mut dependencies = Dependencies::default();
    (0..MANY).for_each(|job| dependencies.push([(job + 1) % MANY]));
    let Err(GraphError::Cycle(Cycle(jobs))) = Graph::new(dependencies) else { panic!("no cycle") };
    assert!(jobs.into_iter().eq(0..MANY));
}

#[test]
fn each_job_starts_in_the_turn_in_which_the_one_before_completes() {
    let mut t = EngineTest::graph("a -> b -> c").submitted();
    t.expect(&["assign a.1"]);
    t.completes("a");
    t.expect(&["a completed", "b ready", "assign b.1"]);
    t.completes("b");
    t.expect(&["b completed", "c ready", "assign c.1"]);
    t.completes("c");
    t.expect(&["c completed", "finish completed"]);
    assert_eq!(t.cpus_used(), 0);
}

#[test]
fn a_fan_in_waits_for_the_last() {
    let mut t = EngineTest::graph("a -> d; b -> d; c -> d").submitted();
    t.out.clear();
    t.completes("b");
    t.completes("c");
    t.expect(&["b completed", "c completed"]);
    t.completes("a");
    t.expect(&["a completed", "d ready", "assign d.1"]);
}

#[test]
fn failure_cancels_what_waits_for_it_at_any_depth() {
    let mut t = EngineTest::graph("a -> b -> c; b -> d; e -> d").submitted();
    t.out.clear();
    t.fails("a");
    t.expect(&["a failed", "b canceled", "c canceled", "d canceled"]);
    t.completes("e");
    t.expect(&["e completed", "finish failed"]);
}

#[test]
fn a_job_that_does_not_mind_runs_when_all_before_it_have_ended() {
    let t = EngineTest::graph("a -> b -> d; c -> d");
    let mut t = t.settings("d", |d| d.cancel_on_failure = false).submitted();
    t.out.clear();
    t.fails("a");
    t.expect(&["a failed", "b canceled"]);
    t.fails("c");
    t.expect(&["c failed", "d ready", "assign d.1"]);
    t.completes("d");
    t.expect(&["d completed", "finish failed"]);
}

#[test]
fn a_submission_whose_states_are_right_says_nothing() {
    let mut t = EngineTest::graph("a -> b; c -> b").settings("a", |a| a.held = true);
    t = t.settings("c", |c| c.held = true).given("a", State::Completed).given("c", State::Failed);
    let mut t = t.given("b", State::Canceled).submitted();
    t.expect(&["finish failed"]);
}

#[test]
fn what_an_earlier_daemon_left_is_put_right() {
    let t = EngineTest::graph("a -> b -> c; d -> e -> f; g -> h; i -> j");
    let t = t.given("a", State::Completed).given("b", State::Running).given("c", State::Ready);
    let t = t.given("d", State::Terminated).given("g", State::Completed);
    let t = t.given("h", State::Ready).given("i", State::Failed);
    let mut t = t.settings("j", |j| j.cancel_on_failure = false).submitted();
    t.expect(&[
        "b ready",
        "c blocked",
        "e canceled",
        "f canceled",
        "j ready",
        "assign b.1",
        "assign h.1",
        "assign j.1",
    ]);
}

#[test]
fn a_chain_of_many_runs_and_is_canceled_without_recursion() {
    let mut dependencies = Dependencies::default();
    (0..MANY).for_each(|job| dependencies.push(job.checked_sub(1)));
    let chain = Graph::new(dependencies).unwrap();
    let mut jobs =
        vec![crate::engine::job::Job { state: State::Blocked, ..job(0, 0) }; MANY as usize];
    jobs[0].state = State::Ready;
    let mut t = EngineTest::cpus(1);
    let mut whole = submission(jobs, vec![plain()]);
    whole.graph = chain;
    t.enter(W, whole);
    for index in 0..MANY / 2 {
        assert_eq!(t.assigned(), [index]);
        t.ends(index, Outcome::Success, 1);
    }
    t.out.clear();
    t.ends(MANY / 2, Outcome::Failure, 1);
    let canceled = |action: &&Action| matches!(action, Action::Set { state: State::Canceled, .. });
    assert_eq!(t.out.iter().filter(canceled).count() as u32, MANY / 2 - 1);
    assert!(matches!(t.out.last(), Some(Action::Finish(W, Finish::Failed, _))));
}

#[test]
fn a_fan_out_and_fan_in_of_many_is_released_in_one_transition() {
    let mut dependencies = Dependencies::default();
    dependencies.push([]);
    (1..=MANY).for_each(|_| dependencies.push([0]));
    dependencies.push(1..=MANY);
    let mut jobs =
        vec![crate::engine::job::Job { state: State::Blocked, ..job(0, 0) }; MANY as usize + 2];
    jobs[0].state = State::Ready;
    let mut whole = submission(jobs, vec![plain()]);
    whole.graph = Graph::new(dependencies).unwrap();
    let mut t = EngineTest::cpus(64);
    t.enter(W, whole);
    t.out.clear();
    t.engine.ended(
        t.key(0),
        super::End { outcome: Outcome::Success, code: 0, took: 1 },
        0,
        &mut t.out,
    );
    assert_eq!(t.out.len() as u32, MANY + 1);
    t.turn();
    let mut ended = 0;
    while ended < MANY {
        for index in t.assigned() {
            t.ends(index, Outcome::Success, SECOND / 1_000);
            ended += 1;
        }
    }
    assert_eq!(t.engine.job(t.key(MANY + 1)).map(|job| job.state), Some(State::Pending));
}
