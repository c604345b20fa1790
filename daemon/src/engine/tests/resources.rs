//! Who gets the room: GPUs, pools, holes and reservations.

use super::{EngineTest, Outcome, SECOND, W, WorkflowKey, cpus, job, plain, submission};
use crate::engine::action::Action;
use crate::engine::assign::PATIENCE;
use crate::engine::job::{JobKey, Settings};
use crate::engine::resources::{Need, Own, Resource, Room, Shortage};

fn needing(need: Need) -> Settings {
    Settings { need, ..plain() }
}

fn on(node: Need) -> EngineTest {
    let mut t = EngineTest::cpus(1);
    t.engine.worker_ready(node);
    t
}

/// Submits jobs of one kind as another workflow.
fn enter(t: &mut EngineTest, key: u64, jobs: usize, need: Need, room: Room) {
    let mut submission = submission(vec![job(0, 0); jobs], vec![needing(need)]);
    submission.room = room;
    t.enter(WorkflowKey(key), submission);
}

fn of(key: u64, index: u32) -> JobKey {
    JobKey { workflow: WorkflowKey(key), index }
}

/// Ends a job after a long time, so that nothing is assigned ahead.
fn ends(t: &mut EngineTest, key: u64, index: u32) {
    t.ends_in(of(key, index), Outcome::Success, 60 * SECOND);
}

#[test]
fn a_gpu_is_leased_with_its_index_and_comes_back_at_every_end() {
    let mut t = on(Need { cpus: 8, memory: 0, gpus: 3 });
    enter(&mut t, 1, 4, Need { gpus: 1, ..cpus(1) }, Room::Node);
    t.expect_all(&["width 3", "assign 0.1 gpus [0]", "assign 1.1 gpus [1]", "assign 2.1 gpus [2]"]);
    ends(&mut t, 1, 1);
    t.expect_all(&["1 completed", "assign 3.1 gpus [1]"]);
    t.fails(0);
    t.ends(3, Outcome::Withdrawn, 0);
    t.expect_all(&["0 failed", "3 ready", "width 2", "assign 3.1 gpus [0]"]);
    t.ends(2, Outcome::TimedOut, 1);
    ends(&mut t, 1, 3);
    assert_eq!(t.engine.free(), t.engine.capacity());
}

#[test]
fn jobs_with_gpus_are_never_assigned_ahead_however_short_they_are() {
    let mut t = on(Need { cpus: 8, memory: 0, gpus: 2 });
    enter(&mut t, 1, 100, Need { gpus: 1, ..cpus(1) }, Room::Node);
    assert_eq!(t.assigned(), [0, 1]);
    t.ends(0, Outcome::Success, 1);
    assert_eq!(t.assigned(), [2]);
}

#[test]
fn memory_is_counted_and_a_job_that_does_not_say_takes_none() {
    let mut t = on(Need { cpus: 8, memory: 100, gpus: 0 });
    enter(&mut t, 1, 9, Need { memory: 30, ..cpus(1) }, Room::Node);
    enter(&mut t, 2, 9, cpus(1), Room::Node);
    assert_eq!(t.engine.free(), Some(Need { cpus: 0, memory: 10, gpus: 0 }));
    assert_eq!(t.engine.workflows[&W].lanes[0].width, 3);
    assert_eq!(t.engine.workflows[&WorkflowKey(2)].lanes[0].width, 5);
}

#[test]
fn what_a_workflow_has_for_itself_is_not_shared_and_the_rest_is() {
    let mut t = on(Need { cpus: 2, memory: 100, gpus: 1 });
    let own = Room::Own(Own { cpus: Some(3), memory: None, gpus: Some(2) });
    let need = Need { cpus: 1, memory: 40, gpus: 1 };
    enter(&mut t, 1, 3, need, own);
    t.expect(&["assign 0.1 gpus [0]", "assign 1.1 gpus [1]"]);
    assert_eq!(t.engine.free(), Some(Need { cpus: 2, memory: 20, gpus: 1 }));
    enter(&mut t, 2, 2, need, Room::Node);
    t.expect(&[]);
    ends(&mut t, 1, 0);
    t.expect(&["0 completed", "assign 2.1 gpus [0]"]);
    ends(&mut t, 1, 1);
    t.expect(&["1 completed", "assign 2/0.1 gpus [0]"]);
    ends(&mut t, 1, 2);
    ends(&mut t, 2, 0);
    t.expect(&["2 completed", "finish completed", "2/0 completed", "assign 2/1.1 gpus [0]"]);
}

#[test]
fn where_only_the_count_matters_gpus_are_not_leased() {
    let mut t = on(Need { cpus: 2, memory: 100, gpus: 1 });
    enter(&mut t, 1, 5, Need { cpus: 9, memory: 900, gpus: 4 }, Room::Count(2));
    t.expect_all(&["width 2", "assign 0.1", "assign 1.1", "assign 2.1", "assign 3.1"]);
    assert_eq!(t.engine.free(), t.engine.capacity());
}

#[test]
fn smaller_jobs_fill_the_hole_that_is_too_small_for_the_one_before_them() {
    let mut t = EngineTest::cpus(4);
    enter(&mut t, 1, 1, cpus(3), Room::Node);
    enter(&mut t, 2, 1, cpus(3), Room::Node);
    enter(&mut t, 3, 2, cpus(1), Room::Node);
    t.expect(&["assign 0.1", "assign 3/0.1"]);
    ends(&mut t, 3, 0);
    t.expect(&["3/0 completed", "assign 3/1.1"]);
    ends(&mut t, 1, 0);
    t.expect(&["0 completed", "finish completed", "assign 2/0.1"]);
}

#[test]
fn the_order_is_by_priority_and_then_by_age_whatever_jobs_need() {
    let mut t = EngineTest::cpus(3);
    enter(&mut t, 9, 1, cpus(3), Room::Node);
    let mut urgent = submission(vec![job(5, 0), job(-1, 1)], vec![plain(), needing(cpus(2))]);
    urgent.settings[0].need.cpus = 3;
    enter(&mut t, 2, 1, cpus(1), Room::Node);
    t.enter(WorkflowKey(3), urgent);
    enter(&mut t, 1, 1, cpus(2), Room::Node);
    t.out.clear();
    ends(&mut t, 9, 0);
    t.expect(&["9/0 completed", "finish completed", "assign 3/0.1"]);
    ends(&mut t, 3, 0);
    t.expect(&["3/0 completed", "assign 0.1", "assign 2/0.1"]);
    ends(&mut t, 1, 0);
    t.expect(&["0 completed", "finish completed", "assign 3/1.1"]);
}

#[test]
fn a_lane_gives_way_to_one_before_it_and_gets_no_work_ahead() {
    let mut t = EngineTest::cpus(2);
    enter(&mut t, 2, 9, cpus(1), Room::Node);
    t.expect(&["assign 2/0.1", "assign 2/1.1", "assign 2/2.1", "assign 2/3.1"]);
    enter(&mut t, 1, 2, cpus(1), Room::Node);
    ends(&mut t, 2, 0);
    ends(&mut t, 2, 1);
    t.expect(&["2/0 completed", "2/1 completed"]);
    ends(&mut t, 2, 2);
    t.expect(&["2/2 completed", "assign 0.1", "assign 1.1"]);
    ends(&mut t, 2, 3);
    t.expect(&["2/3 completed"]);
    assert_eq!(t.engine.workflows[&W].lanes[0].width, 2);
}

#[test]
fn a_job_that_is_passed_over_for_long_reserves() {
    let mut t = EngineTest::cpus(4);
    enter(&mut t, 1, 3, cpus(1), Room::Node);
    enter(&mut t, 2, 1, cpus(3), Room::Node);
    enter(&mut t, 3, 9, cpus(1), Room::Node);
    t.expect(&["assign 0.1", "assign 1.1", "assign 2.1", "assign 3/0.1"]);
    ends(&mut t, 1, 0);
    t.expect(&["0 completed", "assign 3/1.1"]);
    t.later(PATIENCE);
    ends(&mut t, 3, 0);
    t.expect(&["3/0 completed"]);
    ends(&mut t, 3, 1);
    t.expect(&["3/1 completed"]);
    ends(&mut t, 1, 1);
    t.expect(&["1 completed", "assign 2/0.1"]);
    ends(&mut t, 1, 2);
    t.expect(&["2 completed", "finish completed", "assign 3/2.1"]);
}

#[test]
fn who_reserves_leaves_to_others_what_it_does_not_need() {
    let mut t = on(Need { cpus: 4, memory: 100, gpus: 0 });
    let memory = |memory| Need { memory, ..cpus(1) };
    enter(&mut t, 1, 1, memory(60), Room::Node);
    enter(&mut t, 2, 1, memory(80), Room::Node);
    enter(&mut t, 3, 1, memory(40), Room::Node);
    t.expect(&["assign 0.1", "assign 3/0.1"]);
    t.later(PATIENCE);
    ends(&mut t, 3, 0);
    t.expect(&["3/0 completed", "finish completed"]);
    enter(&mut t, 4, 1, memory(10), Room::Node);
    t.expect(&[]);
    enter(&mut t, 5, 9, cpus(1), Room::Node);
    t.expect(&["assign 5/0.1", "assign 5/1.1"]);
    ends(&mut t, 1, 0);
    t.expect(&["0 completed", "finish completed", "assign 2/0.1", "assign 4/0.1"]);
}

#[test]
fn what_can_never_fit_is_told_and_reserves_nothing() {
    let mut t = on(Need { cpus: 4, memory: 100, gpus: 1 });
    let never = |need, room| t.engine.never_fits(&needing(need), &room);
    let short = |of, need, has| Some(Shortage { of, need, has });
    assert_eq!(never(cpus(5), Room::Node), short(Resource::Cpus, 5, 4));
    assert_eq!(never(cpus(4), Room::Node), None);
    let much = Need { cpus: 1, memory: 101, gpus: 2 };
    assert_eq!(never(much, Room::Node), short(Resource::Memory, 101, 100));
    let own = Room::Own(Own { cpus: Some(1), memory: Some(200), gpus: None });
    assert_eq!(never(much, own), short(Resource::Gpus, 2, 1));
    assert_eq!(never(much, Room::Count(1)), None);
    assert_eq!(never(much, Room::Count(0)), short(Resource::Jobs, 1, 0));
    t.engine.worker_gone();
    assert_eq!(t.engine.never_fits(&needing(much), &Room::Node), None);
}

#[test]
fn a_lost_reservation_ends_with_the_job() {
    let mut t = EngineTest::cpus(2);
    enter(&mut t, 1, 2, cpus(1), Room::Node);
    enter(&mut t, 2, 1, cpus(2), Room::Node);
    ends(&mut t, 1, 0);
    t.later(PATIENCE);
    enter(&mut t, 3, 2, cpus(1), Room::Node);
    t.out.clear();
    t.engine.cancel(WorkflowKey(2), &mut t.out);
    t.turn();
    t.expect(&["1 waiting canceled", "finish canceled", "assign 3/0.1", "assign 3/1.1"]);
}

#[test]
fn many_lanes_of_one_class_cost_a_turn_no_more_than_few() {
    // Ten thousand kinds of job that need the same, on one CPU: each end starts the next.
    let kinds = 10_000;
    let jobs = (0..kinds).map(|kind| job(0, kind)).collect();
    let mut t = EngineTest::cpus(1);
    t.enter(W, submission(jobs, vec![plain(); kinds as usize]));
    for index in 0..kinds {
        let assign =
            |action: &Action| matches!(action, Action::Assign { job, .. } if job.index == index);
        assert!(t.out.iter().any(assign));
        t.out.clear();
        ends(&mut t, 1, index);
    }
    assert!(matches!(t.out.last(), Some(Action::Finish(..))));
}
