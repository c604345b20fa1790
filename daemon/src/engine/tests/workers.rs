//! Workers that go, and those that come after them.

use super::{EngineTest, SECOND, W, plain};
use crate::engine::action::Action;
use crate::engine::job::{Outcome, Settings};

#[test]
fn a_lost_worker_gives_its_room_to_the_next() {
    let mut t = EngineTest::cpus(1);
    t.submit(2, Settings { retries: 1, ..plain() }, None);
    t.out.clear();
    t.engine.worker_gone();
    t.ends(0, Outcome::Failure, SECOND);
    t.ends(1, Outcome::Withdrawn, 0);
    t.expect(&["0 ready", "1 ready"]);
    t.engine.worker_ready(1);
    t.engine.schedule(&mut t.out);
    t.expect(&["width 1", "assign 0.2"]);
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
    t.engine.worker_ready(1);
    t.engine.schedule(&mut t.out);
    assert_eq!(t.assigned(), [1]);
}

#[test]
fn a_worker_with_fewer_cpus_is_not_given_what_the_last_one_had() {
    let mut t = EngineTest::cpus(4);
    t.submit(8, plain(), None);
    t.engine.worker_gone();
    assert_eq!(t.engine.cpus_used, 0);
    (0..8).for_each(|index| t.ends(index, Outcome::Withdrawn, 0));
    t.out.clear();
    t.engine.worker_ready(1);
    t.engine.schedule(&mut t.out);
    assert_eq!(t.out[0], Action::Lane { lane: 1, workflow: W, settings: 0, width: 1 });
    assert_eq!(t.assigned(), [0, 1]);
    assert_eq!(t.engine.cpus_used, 1);
}
