//! Waiting for what runs, and interrupting it for the next daemon.

use std::collections::HashSet;

use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use torc_protocol::id::WorkflowId;
use torc_protocol::response::ErrorCode;
use torc_protocol::result::{Ending, StopCause};
use torc_protocol::spec::{ActionSpec, RetryRule, Trigger, WorkflowSpec};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Span;

use super::{
    DispatcherTest, code, ended, exits, jobs, spec, started, told, with_retries, withdrawn,
};
use crate::dispatcher::input::{Input, Left, StopRequest, Stopping};
use crate::dispatcher::restore::Unfinished;
use crate::store::home::Home;

fn hold() -> (Input, watch::Receiver<Left>) {
    let (left, receiver) = watch::channel(Left::default());
    (Input::Hold { left }, receiver)
}

fn interrupt() -> (Input, oneshot::Receiver<()>) {
    let (ended, wait) = oneshot::channel();
    let jobs = Stopping::Interrupt;
    (Input::Stop(StopRequest { jobs, grace: None, ended: Some(ended) }), wait)
}

fn interrupted(job: u64, attempt: u32) -> Input {
    ended(job, attempt, Ending::Signaled(15), Some(StopCause::Again))
}

fn with_action(trigger: Trigger) -> WorkflowSpec {
    let commands = vec!["true".to_owned()];
    let action = ActionSpec { trigger, jobs: vec![0], commands, persistent: false };
    WorkflowSpec { actions: vec![action], ..spec() }
}

/// A dispatcher on disk whose worker has one CPU.
fn on_disk(dir: &TempDir) -> DispatcherTest {
    let mut t = DispatcherTest::without_worker(&Home::File(dir.path().join("t.db")));
    t.worker_is_ready(1);
    t
}

/// The one that follows it.
fn next(dir: &TempDir) -> DispatcherTest {
    let mut t = DispatcherTest::without_worker(&Home::File(dir.path().join("t.db")));
    t.dispatcher.restore(Unfinished::Resume, &HashSet::new()).unwrap();
    t.worker_is_ready(1);
    t
}

#[test]
fn what_runs_ends_by_itself_and_what_was_assigned_ahead_is_taken_back() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), jobs(&["a", "b", "c"]));
    t.turn([started(1, 1)]);
    t.sent();
    let (order, left) = hold();
    t.turn([order]);
    assert_eq!(t.sent(), ["withdraw 2.1"]);
    assert_eq!(*left.borrow(), Left { running: 1, ended: false });
    t.turn([withdrawn(2, 1, StopCause::Shutdown)]);
    let (later, _) = t.submit(spec(), jobs(&["d"]));
    t.turn([exits(1, 1, 0)]);
    assert_eq!(*left.borrow(), Left { running: 0, ended: true });
    let states: Vec<_> = (1..=4).map(|job| t.stands(job)).collect();
    assert_eq!(states, ["completed 1", "ready 0", "ready 0", "ready 0"]);
    assert!(t.sent().is_empty(), "nothing is started");
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running);
    t.turn([Input::GoOn]);
    assert_eq!(t.sent(), ["start in 1: 2.1 3.1"]);
    t.turn([exits(2, 1, 0), exits(3, 1, 0)]);
    t.turn([exits(4, 1, 0)]);
    assert_eq!(t.workflow(later).unwrap().status, WorkflowStatus::Completed);
    assert_eq!(told(&mut live).last().unwrap(), "workflow completed");
    t.check_counts(id);
}

#[test]
fn where_nothing_runs_the_wait_is_over_at_once() {
    let mut t = DispatcherTest::cpus(1);
    let (order, left) = hold();
    t.turn([order]);
    assert_eq!(*left.borrow(), Left { running: 0, ended: true });
}

#[test]
fn the_worker_is_replaced_in_a_hold_and_gets_no_job() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(with_retries(1, Span(0)), jobs(&["a"]));
    t.turn([started(1, 1)]);
    let (order, left) = hold();
    t.turn([order]);
    t.worker_dies();
    assert!(left.borrow().ended);
    t.next_worker();
    t.worker_is_ready(1);
    assert_eq!(t.stands(1), "ready 1");
    assert!(t.sent().is_empty());
}

#[test]
fn a_stop_ends_a_hold_and_stops_what_runs() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a"]));
    t.turn([started(1, 1)]);
    let (order, left) = hold();
    t.turn([order]);
    t.sent();
    let (ended, mut wait) = oneshot::channel();
    let jobs = Stopping::Terminate;
    t.turn([Input::Stop(StopRequest { jobs, grace: None, ended: Some(ended) })]);
    assert_eq!(t.sent(), ["stop all: shutdown", "stop 1.1: shutdown"]);
    t.turn([super::ended(1, 1, Ending::Signaled(15), Some(StopCause::Shutdown))]);
    assert_eq!(wait.try_recv(), Ok(()));
    assert_eq!(t.stands(1), "terminated 1");
    assert!(left.has_changed().is_err(), "nobody tells any more what is left");
    t.sent();
    t.turn([Input::GoOn]);
    assert_eq!(code(t.begin(spec())), ErrorCode::Unavailable);
    assert!(t.sent().is_empty());
}

#[test]
fn what_is_interrupted_runs_again_under_the_next_torcd_and_takes_no_retry() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = on_disk(&dir);
    let retry = RetryRule {
        recovery_script: Some("mend".to_owned()),
        ..with_retries(1, Span(0)).settings[0].retry[0].clone()
    };
    let mut spec = with_retries(1, Span(0));
    spec.settings[0].retry = vec![retry];
    t.submit(spec, jobs(&["a", "b"]));
    t.turn([started(1, 1), exits(1, 1, 3)]);
    t.turn([started(1, 2)]);
    t.sent();
    let (order, mut wait) = interrupt();
    t.turn([order]);
    assert_eq!(t.sent(), ["stop all: again", "stop 1.2 2.1: again"]);
    t.turn([withdrawn(2, 1, StopCause::Again), interrupted(1, 2)]);
    assert_eq!(wait.try_recv(), Ok(()));
    assert_eq!([t.stands(1), t.stands(2)], ["ready 2", "ready 0"]);
    assert_eq!(t.job(1).return_code, Some(3), "by which the next attempt recovers");
    let last = &t.results(1)[1];
    assert_eq!((last.status, last.return_code), (JobStatus::Terminated, Some(143)));
    assert_eq!(last.reason, "torc was ended, to be run again (signal 15)");
    drop(t);

    let mut t = next(&dir);
    let sent = t.sent();
    assert_eq!(sent.last().unwrap(), "start in 1: 1.3 2.1");
    t.turn([exits(1, 3, 3), exits(2, 1, 0)]);
    assert_eq!(t.stands(1), "failed 3", "its only retry was the second attempt");
    t.check_counts(WorkflowId(1));
}

#[test]
fn what_waits_for_an_interrupted_job_is_not_canceled() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = on_disk(&dir);
    let mut jobs = jobs(&["a", "b"]);
    jobs[1].depends_on = vec![0];
    let (id, mut live) = t.submit(spec(), jobs);
    t.turn([started(1, 1)]);
    t.turn([interrupt().0]);
    t.turn([interrupted(1, 1)]);
    assert_eq!([t.stands(1), t.stands(2)], ["ready 1", "blocked 0"]);
    assert_eq!(told(&mut live), ["submitted 2", "started 1.1", "finished 1.1: ready"]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running);
    drop(t);
    let mut t = next(&dir);
    t.turn([exits(1, 2, 0)]);
    t.turn([exits(2, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
}

#[test]
fn a_worker_that_dies_while_it_is_to_interrupt_has_interrupted() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a"]));
    t.turn([started(1, 1)]);
    t.turn([interrupt().0]);
    t.worker_dies();
    assert_eq!(t.stands(1), "ready 1");
    assert_eq!(t.results(1)[0].status, JobStatus::Terminated);
}

#[test]
fn the_first_stop_says_what_becomes_of_jobs() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a"]));
    t.turn([started(1, 1)]);
    let (order, mut wait) = interrupt();
    t.turn([order]);
    t.sent();
    let (jobs, grace) = (Stopping::Terminate, Some(Span(0)));
    t.turn([Input::Stop(StopRequest { jobs, grace, ended: None })]);
    assert_eq!(t.sent(), ["stop all: again", "stop 1.1: again"]);
    t.turn([interrupted(1, 1)]);
    assert_eq!(wait.try_recv(), Ok(()));
    assert_eq!(t.stands(1), "ready 1");
}

#[test]
fn an_interrupted_action_is_done_again_by_the_next_torcd() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = on_disk(&dir);
    let (id, _) = t.submit(with_action(Trigger::OnJobsComplete), jobs(&["a"]));
    t.turn([exits(1, 1, 0)]);
    t.turn([started(2, 1)]);
    let (order, mut wait) = interrupt();
    t.turn([order]);
    t.turn([interrupted(2, 1)]);
    assert_eq!(wait.try_recv(), Ok(()));
    assert_eq!(t.stands(2), "blocked 1");
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running);
    drop(t);
    let mut t = next(&dir);
    assert!(t.sent().last().unwrap().ends_with(": 2.2"));
    t.turn([exits(2, 2, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
}

#[test]
fn an_action_that_falls_due_in_a_hold_is_left_for_the_next_torcd() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = on_disk(&dir);
    let (id, _) = t.submit(with_action(Trigger::OnWorkflowComplete), jobs(&["a"]));
    t.turn([started(1, 1)]);
    let (order, left) = hold();
    t.turn([order]);
    t.turn([exits(1, 1, 0)]);
    assert!(left.borrow().ended);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running);
    drop(t);
    let mut t = next(&dir);
    assert!(t.sent().last().unwrap().ends_with(": 2.1"));
    t.turn([exits(2, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
}
