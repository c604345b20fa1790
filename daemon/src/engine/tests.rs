//! Scripts: inputs in, actions out, and nothing else came out.

mod random;
mod workers;

use super::action::Action;
use super::job::{End, Job, JobKey, Outcome, Settings, State, WorkflowKey};
use super::transition::Submission;
use super::{Engine, Moment};

const W: WorkflowKey = WorkflowKey(1);

struct EngineTest {
    engine: Engine,
    out: Vec<Action>,
    now: Moment,
}

impl EngineTest {
    fn cpus(cpus: u32) -> Self {
        let mut engine = Engine::default();
        engine.worker_ready(cpus);
        Self { engine, out: Vec::new(), now: 0 }
    }

    fn submit(&mut self, count: u32, settings: Settings, max_parallel: Option<u32>) {
        let job = Job { priority: 0, settings: 0, state: State::Ready, attempts: 0 };
        self.submit_jobs(W, vec![job; count as usize], vec![settings], max_parallel);
    }

    fn submit_jobs(
        &mut self,
        key: WorkflowKey,
        jobs: Vec<Job>,
        settings: Vec<Settings>,
        max_parallel: Option<u32>,
    ) {
        self.engine.submit(key, Submission { jobs, settings, max_parallel }, &mut self.out);
        self.engine.schedule(&mut self.out);
    }

    fn starts(&mut self, index: u32) {
        self.engine.started(JobKey { workflow: W, index }, &mut self.out);
        self.engine.schedule(&mut self.out);
    }

    fn ends(&mut self, index: u32, outcome: Outcome, took: u64) {
        let job = JobKey { workflow: W, index };
        self.engine.ended(job, End { outcome, took }, self.now, &mut self.out);
        self.engine.schedule(&mut self.out);
    }

    /// Compares what came out since the last look, as words.
    fn expect(&mut self, expected: &[&str]) {
        let got: Vec<String> = self.out.drain(..).map(|action| words(&action)).collect();
        assert_eq!(got, expected);
    }

    fn assigned(&mut self) -> Vec<u32> {
        let assigned = self.out.iter().filter_map(|action| match action {
            Action::Assign { job, .. } => Some(job.index),
            _ => None,
        });
        let assigned = assigned.collect();
        self.out.clear();
        assigned
    }
}

fn words(action: &Action) -> String {
    match action {
        Action::Set { job, state, .. } => format!("{} {state:?}", job.index).to_lowercase(),
        Action::CancelWaiting(_, count) => format!("{count} waiting canceled"),
        Action::Lane { width, .. } => format!("width {width}"),
        Action::Assign { job, attempt, .. } => format!("assign {}.{attempt}", job.index),
        Action::Stop { job, attempt } => format!("stop {}.{attempt}", job.index),
        Action::Finish(_, finish, _) => format!("finish {finish:?}").to_lowercase(),
    }
}

fn plain() -> Settings {
    Settings { cpus: 1, retries: 0, retry_delay: 0 }
}

const SECOND: u64 = 1_000_000;

#[test]
fn jobs_run_to_the_end_of_their_workflow() {
    let mut t = EngineTest::cpus(1);
    t.submit(2, plain(), None);
    t.expect(&["width 1", "assign 0.1", "assign 1.1"]);
    t.starts(0);
    t.expect(&["0 running"]);
    t.ends(0, Outcome::Success, SECOND);
    t.expect(&["0 completed"]);
    t.starts(1);
    t.ends(1, Outcome::Success, SECOND);
    t.expect(&["1 running", "1 completed", "finish completed"]);
    assert_eq!(t.engine.cpus_used, 0);
}

#[test]
fn a_workflow_without_jobs_ends_at_once() {
    let mut t = EngineTest::cpus(1);
    t.submit(0, plain(), None);
    t.expect(&["finish completed"]);
}

#[test]
fn long_jobs_are_not_assigned_ahead_and_short_ones_are() {
    let mut t = EngineTest::cpus(2);
    t.submit(10_000, plain(), None);
    assert_eq!(t.assigned(), [0, 1, 2, 3]);
    t.ends(0, Outcome::Success, 60 * SECOND);
    assert!(t.assigned().is_empty());
    t.ends(1, Outcome::Success, 60 * SECOND);
    t.ends(2, Outcome::Success, 60 * SECOND);
    assert_eq!(t.assigned(), [4]);
    let mut t = EngineTest::cpus(2);
    t.submit(10_000, plain(), None);
    t.assigned();
    t.ends(0, Outcome::Success, 1_000);
    assert_eq!(t.assigned().len(), 79);
}

#[test]
fn a_limit_of_the_workflow_counts_instead_of_cpus() {
    let mut t = EngineTest::cpus(2);
    t.submit(9, Settings { cpus: 2, ..plain() }, Some(3));
    t.expect(&[
        "width 3",
        "assign 0.1",
        "assign 1.1",
        "assign 2.1",
        "assign 3.1",
        "assign 4.1",
        "assign 5.1",
    ]);
    assert_eq!(t.engine.cpus_used, 0);
}

#[test]
fn cpus_of_a_job_limit_how_many_run() {
    let mut t = EngineTest::cpus(4);
    t.submit(9, Settings { cpus: 2, ..plain() }, None);
    assert_eq!(t.out[0], Action::Lane { lane: 1, workflow: W, settings: 0, width: 2 });
    assert_eq!(t.engine.cpus_used, 4);
}

#[test]
fn room_that_becomes_free_widens_the_lane_that_waits() {
    let mut t = EngineTest::cpus(2);
    let job = |settings| Job { priority: 0, settings, state: State::Ready, attempts: 0 };
    t.submit_jobs(W, vec![job(0), job(1), job(1)], vec![plain(), plain()], None);
    t.expect(&["width 1", "assign 0.1", "width 1", "assign 1.1", "assign 2.1"]);
    t.ends(0, Outcome::Success, SECOND);
    t.expect(&["0 completed", "width 2"]);
}

#[test]
fn the_higher_priority_starts_first() {
    let mut t = EngineTest::cpus(1);
    let job = |priority| Job { priority, settings: 0, state: State::Ready, attempts: 0 };
    t.submit_jobs(W, vec![job(0), job(5), job(-1), job(5)], vec![plain()], None);
    assert_eq!(t.assigned(), [1, 3]);
}

#[test]
fn a_failure_is_tried_again_as_often_as_it_may() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, Settings { retries: 1, ..plain() }, None);
    t.expect(&["width 1", "assign 0.1"]);
    t.ends(0, Outcome::Failure, SECOND);
    t.expect(&["0 ready", "assign 0.2"]);
    t.ends(0, Outcome::TimedOut, SECOND);
    t.expect(&["0 terminated", "finish failed"]);
}

#[test]
fn a_retry_waits_for_its_delay() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, Settings { retries: 1, retry_delay: 500, ..plain() }, None);
    t.now = 100;
    t.ends(0, Outcome::Failure, SECOND);
    t.expect(&["width 1", "assign 0.1", "0 blocked"]);
    assert_eq!(t.engine.next_due(), Some(600));
    t.engine.tick(599, &mut t.out);
    t.expect(&[]);
    t.engine.tick(600, &mut t.out);
    t.engine.schedule(&mut t.out);
    t.expect(&["0 ready", "assign 0.2"]);
}

#[test]
fn a_canceled_workflow_ends_when_what_ran_has_ended() {
    let mut t = EngineTest::cpus(1);
    t.submit(5, plain(), None);
    t.starts(0);
    t.out.clear();
    assert_eq!(t.engine.cancel(W, &mut t.out), Some((3, 2)));
    t.expect(&["stop 0.1", "stop 1.1", "3 waiting canceled"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.ends(0, Outcome::Stopped, SECOND);
    t.expect(&["1 canceled", "0 terminated", "finish canceled"]);
    assert_eq!(t.engine.cancel(W, &mut t.out), None);
}

#[test]
fn canceling_one_job_leaves_the_others() {
    let mut t = EngineTest::cpus(1);
    t.submit(4, plain(), None);
    t.out.clear();
    let job = |index| JobKey { workflow: W, index };
    assert_eq!(t.engine.cancel_job(job(3), &mut t.out), Some(State::Ready));
    assert_eq!(t.engine.cancel_job(job(0), &mut t.out), Some(State::Pending));
    assert_eq!(t.engine.cancel_job(job(1), &mut t.out), Some(State::Pending));
    t.expect(&["3 canceled", "stop 0.1", "stop 1.1"]);
    t.ends(0, Outcome::Stopped, SECOND);
    t.expect(&["0 terminated"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.expect(&["1 canceled", "assign 2.1"]);
    t.ends(2, Outcome::Success, SECOND);
    t.expect(&["2 completed", "finish failed"]);
}

#[test]
fn stopping_keeps_what_has_not_started_for_later() {
    let mut t = EngineTest::cpus(1);
    t.submit(3, Settings { retries: 5, ..plain() }, None);
    t.starts(0);
    t.out.clear();
    t.engine.stop(&mut t.out);
    t.expect(&["stop 0.1", "stop 1.1"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.ends(0, Outcome::Stopped, SECOND);
    t.expect(&["1 ready", "0 terminated"]);
    assert_eq!(t.engine.job(JobKey { workflow: W, index: 1 }).unwrap().attempts, 0);
}

#[test]
fn two_workflows_share_the_cpus_and_give_them_back() {
    let mut t = EngineTest::cpus(2);
    let job = Job { priority: 0, settings: 0, state: State::Ready, attempts: 0 };
    t.submit_jobs(W, vec![job; 1], vec![plain()], None);
    t.submit_jobs(WorkflowKey(2), vec![job; 4], vec![plain()], None);
    assert_eq!(t.engine.cpus_used, 2);
    t.ends(0, Outcome::Success, SECOND);
    let other = &t.engine.workflows[&WorkflowKey(2)];
    assert_eq!(other.width(), 2);
    assert_eq!(t.engine.cpus_used, 2);
}

#[test]
fn a_retry_after_all_of_time_never_comes() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, Settings { retries: 1, retry_delay: u64::MAX, ..plain() }, None);
    t.now = 100;
    t.ends(0, Outcome::Failure, SECOND);
    assert_eq!(t.engine.next_due(), Some(u64::MAX));
}

#[test]
fn a_job_is_recorded_with_its_attempts_even_when_its_workflow_ends_with_it() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, Settings { retries: 1, retry_delay: SECOND, ..plain() }, None);
    t.ends(0, Outcome::Failure, SECOND);
    t.out.clear();
    let job = JobKey { workflow: W, index: 0 };
    t.engine.cancel_job(job, &mut t.out);
    assert_eq!(t.out[0], Action::Set { job, state: State::Canceled, attempts: 1 });
}

#[test]
fn a_higher_priority_takes_the_room_of_a_lower_one_as_it_ends() {
    let mut t = EngineTest::cpus(2);
    let job = |priority| Job { priority, settings: 0, state: State::Ready, attempts: 0 };
    t.submit_jobs(W, vec![job(0); 100], vec![plain()], None);
    t.out.clear();
    // What long jobs there are is known now, so nothing is assigned ahead any more.
    for index in 0..2 {
        t.ends(index, Outcome::Success, 60 * SECOND);
    }
    t.out.clear();
    t.submit_jobs(WorkflowKey(2), vec![job(5); 3], vec![plain()], None);
    t.expect(&[]);
    t.ends(2, Outcome::Success, 60 * SECOND);
    t.expect(&["2 completed", "width 1", "assign 0.1", "assign 1.1"]);
    t.ends(3, Outcome::Success, 60 * SECOND);
    t.expect(&["3 completed", "width 2", "assign 2.1"]);
    let urgent = |index| JobKey { workflow: WorkflowKey(2), index };
    for index in 0..2 {
        let end = End { outcome: Outcome::Success, took: 60 * SECOND };
        t.engine.ended(urgent(index), end, t.now, &mut t.out);
        t.engine.schedule(&mut t.out);
    }
    t.expect(&["0 completed", "1 completed", "width 1", "assign 4.1"]);
}

#[test]
fn a_lane_that_no_node_could_serve_holds_up_nobody() {
    let mut t = EngineTest::cpus(2);
    let job = |priority| Job { priority, settings: 0, state: State::Ready, attempts: 0 };
    t.submit_jobs(W, vec![job(5)], vec![Settings { cpus: 8, ..plain() }], None);
    t.submit_jobs(WorkflowKey(2), vec![job(0)], vec![plain()], None);
    assert_eq!(t.assigned(), [0]);
}
