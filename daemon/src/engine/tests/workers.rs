//! Workers that go, and those that come after them.

use super::{EngineTest, SECOND, W, cpus, plain, retries};
use crate::engine::action::Action;
use crate::engine::job::Outcome;
use crate::engine::resources::Need;

#[test]
fn a_lost_worker_gives_its_room_to_the_next() {
    let mut t = EngineTest::cpus(1);
    t.submit(2, retries(1), None);
    t.out.clear();
    t.engine.worker_gone();
    t.ends(0, Outcome::Failure, SECOND);
    t.ends(1, Outcome::Withdrawn, 0);
    t.expect_all(&["0 ready", "1 ready"]);
    t.engine.worker_ready(cpus(1));
    t.turn();
    t.expect_all(&["width 1", "assign 0.2"]);
}

#[test]
fn attempts_that_were_withdrawn_do_not_make_long_jobs_look_short() {
    let mut t = EngineTest::cpus(1);
    t.submit(100, plain(), None);
    t.ends(0, Outcome::Success, 60 * SECOND);
    t.assigned();
    t.ends(1, Outcome::Withdrawn, 0);
    assert_eq!(t.assigned(), [1]);
    t.engine.worker_gone();
    t.ends(1, Outcome::Withdrawn, 0);
    t.engine.worker_ready(cpus(1));
    t.turn();
    assert_eq!(t.assigned(), [1]);
}

#[test]
fn a_worker_with_fewer_cpus_is_not_given_what_the_last_one_had() {
    let mut t = EngineTest::cpus(4);
    t.submit(8, plain(), None);
    t.engine.worker_gone();
    assert_eq!(t.engine.free(), None);
    (0..8).for_each(|index| t.ends(index, Outcome::Withdrawn, 0));
    t.out.clear();
    t.engine.worker_ready(cpus(1));
    t.turn();
    assert_eq!(t.out[0], Action::Lane { lane: 1, workflow: W, settings: 0, width: 1 });
    assert_eq!(t.assigned(), [0, 1]);
    assert_eq!(t.cpus_used(), 1);
}

#[test]
fn gpus_of_a_lost_worker_are_not_given_back_to_the_next() {
    let mut t = EngineTest::graph("a; b").settings("a", |a| a.need.gpus = 1);
    t.engine.worker_ready(Need { cpus: 2, memory: 0, gpus: 1 });
    let mut t = t.submitted();
    t.expect(&["assign a.1 gpus [0]", "assign b.1"]);
    t.engine.worker_gone();
    t.ends("a", Outcome::Withdrawn, 0);
    t.ends("b", Outcome::Withdrawn, 0);
    t.engine.worker_ready(Need { cpus: 2, memory: 0, gpus: 1 });
    t.turn();
    t.expect(&["a ready", "b ready", "assign a.1 gpus [0]", "assign b.1"]);
    t.completes("a");
    assert_eq!(t.engine.free(), Some(Need { cpus: 1, memory: 0, gpus: 1 }));
}

#[test]
fn a_node_too_small_for_what_is_left_pauses_the_workflow() {
    let mut t = EngineTest::graph("a").settings("a", |a| a.need.cpus = 3).submitted();
    t.expect(&["assign a.1"]);
    t.engine.worker_gone();
    t.ends("a", Outcome::Withdrawn, 0);
    t.expect(&["a ready"]);
    t.engine.worker_ready(cpus(2));
    t.turn();
    t.expect(&["finish paused"]);
}
