//! Why a job is where it is.

use super::{EngineTest, Outcome, WorkflowKey, cpus, job, plain, retries, submission};
use crate::engine::assign::PATIENCE;
use crate::engine::explain::{Explanation, Wait};
use crate::engine::graph::{Dependencies, Graph};
use crate::engine::job::{JobKey, Settings, State};
use crate::engine::resources::{Resource, Room, Shortage};

fn explain(t: &EngineTest, name: &str) -> Explanation {
    t.engine.explain(t.key(name)).unwrap()
}

#[test]
fn each_state_has_its_reason() {
    let retry = |f: &mut Settings| *f = Settings { retry_delay: 100, ..retries(1) };
    let t = EngineTest::graph("a -> b; c; d; e; f; g").settings("c", |c| c.held = true);
    let t = t.given("d", State::Disabled).given("e", State::Failed).settings("f", retry);
    let mut t = t.submitted();
    t.now = 7;
    t.fails("f");
    t.starts("g");
    let blocked = Explanation::Blocked { first: vec![0], count: 1 };
    assert_eq!(explain(&t, "b"), blocked);
    assert_eq!(explain(&t, "a"), Explanation::Pending);
    assert_eq!(explain(&t, "c"), Explanation::Held);
    assert_eq!(explain(&t, "d"), Explanation::Disabled);
    assert_eq!(explain(&t, "e"), Explanation::Ended(State::Failed));
    assert_eq!(explain(&t, "f"), Explanation::Delayed { until: 107 });
    assert_eq!(explain(&t, "g"), Explanation::Running);
    let other = JobKey { workflow: WorkflowKey(9), index: 0 };
    assert_eq!(t.engine.explain(other), None);
    assert_eq!(t.engine.explain(t.key("77")), None);
}

#[test]
fn of_many_that_a_job_waits_for_the_first_are_named_and_all_counted() {
    let mut dependencies = Dependencies::default();
    (0..50).for_each(|_| dependencies.push([]));
    dependencies.push(0..50);
    let mut t = EngineTest::cpus(1);
    let mut fan_in = submission(vec![job(0, 0); 51], vec![plain()]);
    fan_in.graph = Graph::new(dependencies).unwrap();
    t.enter(super::W, fan_in);
    t.completes(0);
    let first = (1..21).collect();
    assert_eq!(explain(&t, "50"), Explanation::Blocked { first, count: 49 });
}

#[test]
fn a_ready_job_is_told_who_is_before_it_and_what_is_free() {
    let mut t = EngineTest::cpus(2);
    t.submit(9, plain(), None);
    let wait = Wait::Room { need: cpus(1), free: cpus(0), total: cpus(2), reserved: None };
    assert_eq!(explain(&t, "6"), Explanation::Ready { before: 2, wait });
    t.engine.stop(&mut t.out);
    assert_eq!(explain(&t, "4"), Explanation::Ready { before: 0, wait: Wait::Stopping });
}

#[test]
fn a_reservation_is_named() {
    let mut t = EngineTest::cpus(2);
    t.submit(2, plain(), None);
    let large = Settings { need: cpus(2), ..plain() };
    t.enter(WorkflowKey(2), submission(vec![job(0, 0)], vec![large]));
    t.completes(0);
    t.later(PATIENCE);
    t.enter(WorkflowKey(3), submission(vec![job(0, 0)], vec![plain()]));
    let reserved = Some(JobKey { workflow: WorkflowKey(2), index: 0 });
    let wait = Wait::Room { need: cpus(1), free: cpus(1), total: cpus(2), reserved };
    let last = JobKey { workflow: WorkflowKey(3), index: 0 };
    assert_eq!(t.engine.explain(last), Some(Explanation::Ready { before: 0, wait }));
}

#[test]
fn the_count_and_a_missing_worker_are_told() {
    let mut t = EngineTest::cpus(2);
    t.submit(9, plain(), Some(3));
    let count = |before, wait| Explanation::Ready { before, wait };
    assert_eq!(explain(&t, "8"), count(2, Wait::Count { limit: 3 }));
    t.engine.worker_gone();
    assert_eq!(explain(&t, "8"), count(2, Wait::NoWorker));
}

#[test]
fn what_can_never_fit_says_what_is_missing() {
    let mut t = EngineTest::cpus(2);
    let kinds = vec![Settings { need: cpus(3), ..plain() }, plain()];
    let mut both = submission(vec![job(0, 0), job(0, 1)], kinds);
    both.room = Room::Node;
    t.enter(super::W, both);
    let shortage = Shortage { of: Resource::Cpus, need: 3, has: 2 };
    let never = Explanation::Ready { before: 0, wait: Wait::NeverFits(shortage) };
    assert_eq!(explain(&t, "0"), never);
    t.ends(1, Outcome::Success, 1);
    assert_eq!(t.engine.explain(t.key("0")), None);
}
