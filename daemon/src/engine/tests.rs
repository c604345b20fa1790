//! Scripts: inputs in, actions out, and nothing else came out.

mod explain;
mod graph;
mod holding;
mod hooks;
mod limits;
mod random;
mod resources;
mod states;
mod workers;

use super::action::Action;
use super::graph::{Dependencies, Graph};
use super::hook::{Hook, Trigger};
use super::job::{End, Job, JobKey, Outcome, Rule, Settings, State, WorkflowKey};
use super::resources::{Need, Room};
use super::submission::Submission;
use super::{Engine, Moment};

const W: WorkflowKey = WorkflowKey(1);
const SECOND: u64 = 1_000_000;

/// An engine, and a workflow of which the jobs have names.
struct EngineTest {
    engine: Engine,
    out: Vec<Action>,
    now: Moment,
    names: Vec<String>,
    next: Submission,
}

impl EngineTest {
    /// A node with so many CPUs, and no workflow yet.
    fn cpus(cpus: u32) -> Self {
        let mut engine = Engine::default();
        engine.worker_ready(Need { cpus, ..Need::default() });
        let next = submission(Vec::new(), vec![plain()]);
        Self { engine, out: Vec::new(), now: 0, names: Vec::new(), next }
    }

    /// A workflow that is not submitted yet: `a -> b -> c; a -> d` makes b wait for a, c for b, and d
    /// for a. Each job has settings of its own; four CPUs.
    fn graph(script: &str) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut on: Vec<Vec<u32>> = Vec::new();
        for chain in script.split(';') {
            let mut before = None;
            for name in chain.split("->").map(str::trim) {
                let known = names.iter().position(|known| known == name);
                let index = known.unwrap_or_else(|| {
                    names.push(name.to_owned());
                    on.push(Vec::new());
                    names.len() - 1
                });
                on[index].extend(before.replace(index as u32));
            }
        }
        let mut dependencies = Dependencies::default();
        on.iter().for_each(|on| dependencies.push(on.iter().copied()));
        let jobs = on.iter().enumerate().map(|(index, on)| {
            let state = if on.is_empty() { State::Ready } else { State::Blocked };
            Job { settings: index as u32, state, ..job(0, 0) }
        });
        let mut t = Self::cpus(4);
        t.next = submission(jobs.collect(), vec![plain(); names.len()]);
        t.next.graph = Graph::new(dependencies).unwrap();
        t.names = names;
        t
    }

    fn hook(mut self, trigger: Trigger, jobs: &str) -> Self {
        let jobs = jobs.split_whitespace().map(|name| self.index(name)).collect();
        self.next.hooks.push(Hook { trigger, jobs, fired: false });
        self
    }

    fn settings(mut self, name: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let index = self.index(name) as usize;
        change(&mut self.next.settings[index]);
        self
    }

    fn given(mut self, name: &str, state: State) -> Self {
        let index = self.index(name) as usize;
        self.next.jobs[index].state = state;
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Submission)) -> Self {
        change(&mut self.next);
        self
    }

    /// Submits the workflow of the script.
    fn submitted(mut self) -> Self {
        let next = std::mem::replace(&mut self.next, submission(Vec::new(), Vec::new()));
        self.enter(W, next);
        self
    }

    fn enter(&mut self, key: WorkflowKey, submission: Submission) {
        self.engine.submit(key, submission, &mut self.out);
        self.turn();
    }

    fn submit(&mut self, count: u32, settings: Settings, max_parallel: Option<u32>) {
        self.submit_jobs(W, vec![job(0, 0); count as usize], vec![settings], max_parallel);
    }

    fn submit_jobs(
        &mut self,
        key: WorkflowKey,
        jobs: Vec<Job>,
        settings: Vec<Settings>,
        max_parallel: Option<u32>,
    ) {
        let mut submission = submission(jobs, settings);
        submission.room = max_parallel.map_or(Room::Node, Room::Count);
        self.enter(key, submission);
    }

    fn turn(&mut self) {
        self.engine.tick(self.now, &mut self.out);
        self.engine.schedule(self.now, &mut self.out);
    }

    fn index(&self, name: &str) -> u32 {
        let index = self.names.iter().position(|known| known == name);
        index.map_or_else(|| name.parse().unwrap(), |index| index as u32)
    }

    fn key(&self, name: impl ToString) -> JobKey {
        JobKey { workflow: W, index: self.index(&name.to_string()) }
    }

    fn starts(&mut self, name: impl ToString) {
        self.engine.started(self.key(name), &mut self.out);
        self.turn();
    }

    fn ends(&mut self, name: impl ToString, outcome: Outcome, took: u64) {
        self.ends_in(self.key(name), outcome, took);
    }

    fn ends_in(&mut self, job: JobKey, outcome: Outcome, took: u64) {
        let code = i32::from(outcome != Outcome::Success);
        self.ends_as(job, End { outcome, code, took });
    }

    fn ends_as(&mut self, job: JobKey, end: End) {
        self.engine.ended(job, end, self.now, &mut self.out);
        self.turn();
    }

    /// Lets a job complete after a long time, so that nothing is assigned ahead.
    fn completes(&mut self, name: impl ToString) {
        self.ends(name, Outcome::Success, 60 * SECOND);
    }

    fn fails(&mut self, name: impl ToString) {
        self.ends(name, Outcome::Failure, 60 * SECOND);
    }

    fn later(&mut self, microseconds: u64) {
        self.now += microseconds;
        self.turn();
    }

    /// Compares what came out since the last look, as words; the widths of lanes aside.
    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        let actions = std::mem::take(&mut self.out);
        let shown = actions.iter().filter(|action| !matches!(action, Action::Lane { .. }));
        let got: Vec<String> = shown.map(|action| self.words(action)).collect();
        assert_eq!(got, expected);
    }

    /// Compares what came out since the last look, as words.
    #[track_caller]
    fn expect_all(&mut self, expected: &[&str]) {
        let actions = std::mem::take(&mut self.out);
        let got: Vec<String> = actions.iter().map(|action| self.words(action)).collect();
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

    /// Returns how many CPUs of the node are in use.
    fn cpus_used(&self) -> u32 {
        let total = self.engine.capacity().map_or(0, |total| total.cpus);
        total - self.engine.free().map_or(0, |free| free.cpus)
    }

    /// Names a job: by its name in the script, else by its place, that of another workflow with it.
    fn name(&self, job: JobKey) -> String {
        let workflow =
            if job.workflow == W { String::new() } else { format!("{}/", job.workflow.0) };
        let index = job.index as usize;
        let name = self.names.get(index).filter(|_| job.workflow == W);
        workflow + &name.cloned().unwrap_or_else(|| index.to_string())
    }

    fn words(&self, action: &Action) -> String {
        match action {
            Action::Set { job, state, .. } => {
                format!("{} {}", self.name(*job), format!("{state:?}").to_lowercase())
            }
            Action::CancelWaiting(_, count) => format!("{count} waiting canceled"),
            Action::Lane { width, .. } => format!("width {width}"),
            Action::Assign { job, attempt, gpus, .. } if gpus.is_empty() => {
                format!("assign {}.{attempt}", self.name(*job))
            }
            Action::Assign { job, attempt, gpus, .. } => {
                format!("assign {}.{attempt} gpus {gpus:?}", self.name(*job))
            }
            Action::Stop { job, attempt } => format!("stop {}.{attempt}", self.name(*job)),
            Action::Withdraw { job, attempt } => format!("withdraw {}.{attempt}", self.name(*job)),
            Action::Fire { hook, .. } => format!("fire {hook}"),
            Action::StopHook { hook, .. } => format!("stop hook {hook}"),
            Action::Finish(_, finish, _) => format!("finish {finish:?}").to_lowercase(),
        }
    }
}

fn submission(jobs: Vec<Job>, settings: Vec<Settings>) -> Submission {
    Submission {
        jobs,
        settings,
        graph: Graph::default(),
        room: Room::Node,
        limit: None,
        halt: None,
        hooks: Vec::new(),
    }
}

fn job(priority: i32, settings: u32) -> Job {
    Job { priority, settings, state: State::Ready, attempts: 0, first: 0 }
}

fn plain() -> Settings {
    Settings {
        need: cpus(1),
        rules: Vec::new(),
        retry_delay: 0,
        cancel_on_failure: true,
        runtime: None,
        held: false,
    }
}

fn retries(retries: u32) -> Settings {
    Settings { rules: vec![Rule { codes: Vec::new(), any: true, retries }], ..plain() }
}

fn cpus(cpus: u32) -> Need {
    Need { cpus, ..Need::default() }
}

#[test]
fn jobs_run_to_the_end_of_their_workflow() {
    let mut t = EngineTest::cpus(1);
    t.submit(2, plain(), None);
    t.expect_all(&["width 1", "assign 0.1", "assign 1.1"]);
    t.starts(0);
    t.expect_all(&["0 running"]);
    t.ends(0, Outcome::Success, SECOND);
    t.expect_all(&["0 completed"]);
    t.starts(1);
    t.ends(1, Outcome::Success, SECOND);
    t.expect_all(&["1 running", "1 completed", "finish completed"]);
    assert_eq!(t.cpus_used(), 0);
}

#[test]
fn a_workflow_without_jobs_ends_at_once() {
    let mut t = EngineTest::cpus(1);
    t.submit(0, plain(), None);
    t.expect_all(&["finish completed"]);
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
    t.submit(9, Settings { need: cpus(2), ..plain() }, Some(3));
    t.expect_all(&[
        "width 3",
        "assign 0.1",
        "assign 1.1",
        "assign 2.1",
        "assign 3.1",
        "assign 4.1",
        "assign 5.1",
    ]);
    assert_eq!(t.cpus_used(), 0);
}

#[test]
fn cpus_of_a_job_limit_how_many_run() {
    let mut t = EngineTest::cpus(4);
    t.submit(9, Settings { need: cpus(2), ..plain() }, None);
    assert_eq!(t.out[0], Action::Lane { lane: 1, workflow: W, settings: 0, width: 2 });
    assert_eq!(t.cpus_used(), 4);
}

#[test]
fn room_that_becomes_free_widens_the_lane_that_waits() {
    let mut t = EngineTest::cpus(2);
    t.submit_jobs(W, vec![job(0, 0), job(0, 1), job(0, 1)], vec![plain(), plain()], None);
    t.expect_all(&["width 1", "assign 0.1", "width 1", "assign 1.1", "assign 2.1"]);
    t.ends(0, Outcome::Success, SECOND);
    t.expect_all(&["0 completed", "width 2"]);
}

#[test]
fn the_higher_priority_starts_first() {
    let mut t = EngineTest::cpus(1);
    t.submit_jobs(W, vec![job(0, 0), job(5, 0), job(-1, 0), job(5, 0)], vec![plain()], None);
    assert_eq!(t.assigned(), [1, 3]);
}

#[test]
fn a_failure_is_tried_again_as_often_as_it_may() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, retries(1), None);
    t.expect_all(&["width 1", "assign 0.1"]);
    t.ends(0, Outcome::Failure, SECOND);
    t.expect_all(&["0 ready", "assign 0.2"]);
    t.ends(0, Outcome::TimedOut, SECOND);
    t.expect_all(&["0 terminated", "finish failed"]);
}

#[test]
fn a_retry_waits_for_its_delay() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, Settings { retry_delay: 500, ..retries(1) }, None);
    t.now = 100;
    t.ends(0, Outcome::Failure, SECOND);
    t.expect_all(&["width 1", "assign 0.1", "0 blocked"]);
    assert_eq!(t.engine.next_due(), Some(600));
    t.engine.tick(599, &mut t.out);
    t.expect_all(&[]);
    t.engine.tick(600, &mut t.out);
    t.engine.schedule(600, &mut t.out);
    t.expect_all(&["0 ready", "assign 0.2"]);
}

#[test]
fn a_canceled_workflow_ends_when_what_ran_has_ended() {
    let mut t = EngineTest::cpus(1);
    t.submit(5, plain(), None);
    t.starts(0);
    t.out.clear();
    assert_eq!(t.engine.cancel(W, &mut t.out), Some((3, 2)));
    t.expect_all(&["stop 0.1", "stop 1.1", "3 waiting canceled"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.ends(0, Outcome::Stopped, SECOND);
    t.expect_all(&["1 canceled", "0 terminated", "finish canceled"]);
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
    t.expect_all(&["3 canceled", "stop 0.1", "stop 1.1"]);
    t.ends(0, Outcome::Stopped, SECOND);
    t.expect_all(&["0 terminated"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.expect_all(&["1 canceled", "assign 2.1"]);
    t.ends(2, Outcome::Success, SECOND);
    t.expect_all(&["2 completed", "finish failed"]);
}

#[test]
fn stopping_keeps_what_has_not_started_for_later() {
    let mut t = EngineTest::cpus(1);
    t.submit(3, retries(5), None);
    t.starts(0);
    t.out.clear();
    t.engine.stop(&mut t.out);
    t.expect_all(&["stop 0.1", "stop 1.1"]);
    t.ends(1, Outcome::Withdrawn, 0);
    t.ends(0, Outcome::Stopped, SECOND);
    t.expect_all(&["1 ready", "0 terminated"]);
    assert_eq!(t.engine.job(JobKey { workflow: W, index: 1 }).unwrap().attempts, 0);
}

#[test]
fn two_workflows_share_the_cpus_and_give_them_back() {
    let mut t = EngineTest::cpus(2);
    t.submit_jobs(W, vec![job(0, 0); 1], vec![plain()], None);
    t.submit_jobs(WorkflowKey(2), vec![job(0, 0); 4], vec![plain()], None);
    assert_eq!(t.cpus_used(), 2);
    t.ends(0, Outcome::Success, SECOND);
    let other = &t.engine.workflows[&WorkflowKey(2)];
    assert_eq!(other.lanes[0].width, 2);
    assert_eq!(t.cpus_used(), 2);
}

#[test]
fn a_retry_after_all_of_time_never_comes() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, Settings { retry_delay: u64::MAX, ..retries(1) }, None);
    t.now = 100;
    t.ends(0, Outcome::Failure, SECOND);
    assert_eq!(t.engine.next_due(), Some(u64::MAX));
}

#[test]
fn a_job_is_recorded_with_its_attempts_even_when_its_workflow_ends_with_it() {
    let mut t = EngineTest::cpus(1);
    t.submit(1, Settings { retry_delay: SECOND, ..retries(1) }, None);
    t.ends(0, Outcome::Failure, SECOND);
    t.out.clear();
    let job = JobKey { workflow: W, index: 0 };
    t.engine.cancel_job(job, &mut t.out);
    assert_eq!(t.out[0], Action::Set { job, state: State::Canceled, attempts: 1 });
}

#[test]
fn a_higher_priority_takes_the_room_of_a_lower_one_as_it_ends() {
    let mut t = EngineTest::cpus(2);
    t.submit_jobs(W, vec![job(0, 0); 100], vec![plain()], None);
    t.out.clear();
    // What long jobs there are is known now, so nothing is assigned ahead any more.
    for index in 0..2 {
        t.ends(index, Outcome::Success, 60 * SECOND);
    }
    t.out.clear();
    t.submit_jobs(WorkflowKey(2), vec![job(5, 0); 3], vec![plain()], None);
    t.expect_all(&[]);
    t.ends(2, Outcome::Success, 60 * SECOND);
    t.expect_all(&["2 completed", "width 1", "assign 2/0.1", "assign 2/1.1"]);
    t.ends(3, Outcome::Success, 60 * SECOND);
    t.expect_all(&["3 completed", "width 2", "assign 2/2.1"]);
    let urgent = |index| JobKey { workflow: WorkflowKey(2), index };
    for index in 0..2 {
        t.ends_in(urgent(index), Outcome::Success, 60 * SECOND);
    }
    t.expect_all(&["2/0 completed", "2/1 completed", "width 1", "assign 4.1"]);
}

#[test]
fn a_lane_that_no_node_could_serve_holds_up_nobody() {
    let mut t = EngineTest::cpus(2);
    t.submit_jobs(W, vec![job(5, 0)], vec![Settings { need: cpus(8), ..plain() }], None);
    t.submit_jobs(WorkflowKey(2), vec![job(0, 0)], vec![plain()], None);
    assert_eq!(t.assigned(), [0]);
}
