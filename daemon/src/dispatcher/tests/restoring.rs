//! What a daemon finds that an earlier one left unfinished.

use std::collections::HashSet;

use tempfile::TempDir;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::spec::{ActionSpec, JobSpec, Trigger, WorkflowSpec};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Span;

use super::{DispatcherTest, exits, jobs, line, spec, started, with_limit, with_retries};
use crate::dispatcher::restore::Unfinished;
use crate::store::home::Home;
use crate::store::tables::settings;

/// Leaves a workflow behind of which one job has completed, one runs, one is assigned, one waits for
/// its retry, one is ready.
fn left_behind(dir: &TempDir) -> Home {
    let home = Home::File(dir.path().join("t.db"));
    let mut t = DispatcherTest::without_worker(&home);
    t.worker_is_ready(1);
    let spec = with_limit(1, with_retries(1, Span(1_000_000_000)));
    t.submit(spec, jobs(&["done", "again", "runs", "assigned", "ready"]));
    let twice = [started(1, 1), exits(1, 1, 0), started(2, 1), exits(2, 1, 1)];
    t.turn(twice);
    t.turn([started(3, 1)]);
    let states: Vec<_> = (1..=5).map(|job| t.stands(job)).collect();
    let left = ["completed 1", "blocked 1", "running 1", "pending 1", "pending 1"];
    assert_eq!(states, left);
    home
}

#[test]
fn a_service_goes_on_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = DispatcherTest::without_worker(&left_behind(&dir));
    assert_eq!(t.dispatcher.restore(Unfinished::Resume, &HashSet::new()).unwrap(), 1);
    let states: Vec<_> = (1..=5).map(|job| t.stands(job)).collect();
    assert_eq!(states, ["completed 1", "ready 1", "ready 1", "ready 0", "ready 0"]);
    assert_eq!(t.results(3)[0].status, JobStatus::Failed);
    assert!(t.results(3)[0].reason.starts_with("lost: "));
    t.check_counts(WorkflowId(1));
    t.worker_is_ready(1);
    assert_eq!(t.sent(), ["context 1", "lane 1 width 1", "start in 1: 2.2 3.2"]);
    t.turn([exits(2, 2, 0), exits(3, 2, 0)]);
    t.turn([exits(4, 1, 0), exits(5, 1, 0)]);
    assert_eq!(t.workflow(WorkflowId(1)).unwrap().status, WorkflowStatus::Completed);
    assert_eq!(t.results(3).len(), 2);
    t.check_counts(WorkflowId(1));
}

#[test]
fn a_private_daemon_records_how_far_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = DispatcherTest::without_worker(&left_behind(&dir));
    assert_eq!(t.dispatcher.restore(Unfinished::Settle, &HashSet::new()).unwrap(), 1);
    let states: Vec<_> = (1..=5).map(|job| t.stands(job)).collect();
    assert_eq!(states, ["completed 1", "canceled 1", "failed 1", "canceled 0", "canceled 0"]);
    assert_eq!(t.job(3).return_code, Some(-1));
    let left = t.workflow(WorkflowId(1)).unwrap();
    assert_eq!(left.status, WorkflowStatus::Canceled);
    assert!(left.finished_at.is_some());
    t.check_counts(WorkflowId(1));
    let store = t.dispatcher.store.reading();
    assert_eq!(settings::environment(store, WorkflowId(1)).unwrap(), None);
    t.worker_is_ready(1);
    assert!(t.sent().is_empty());
}

#[test]
fn what_was_only_assigned_but_had_begun_is_lost_too() {
    let first_of = |job| AttemptId { job: JobId(job), number: AttemptNumber(1) };
    // The first has ended long since, and the last is of another database.
    let begun = HashSet::from([first_of(1), first_of(4), first_of(99)]);
    for (what, expected) in [
        (Unfinished::Resume, ["completed 1", "ready 1", "ready 1", "ready 1", "ready 0"]),
        (Unfinished::Settle, ["completed 1", "canceled 1", "failed 1", "failed 1", "canceled 0"]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut t = DispatcherTest::without_worker(&left_behind(&dir));
        assert_eq!(t.dispatcher.restore(what, &begun).unwrap(), 1);
        let states: Vec<_> = (1..=5).map(|job| t.stands(job)).collect();
        assert_eq!(states, expected);
        assert_eq!(t.results(4)[0].status, JobStatus::Failed);
        assert!(t.results(4)[0].reason.starts_with("lost: "));
        t.check_counts(WorkflowId(1));
    }
}

#[test]
fn an_action_that_was_being_done_is_lost_and_one_that_was_not_is_still_to_come() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::File(dir.path().join("t.db"));
    let mut t = DispatcherTest::without_worker(&home);
    t.worker_is_ready(1);
    let action = |trigger| ActionSpec {
        trigger,
        jobs: Vec::new(),
        commands: vec!["x".to_owned()],
        persistent: false,
    };
    let actions = vec![action(Trigger::OnWorkflowStart), action(Trigger::OnWorkflowComplete)];
    t.submit(WorkflowSpec { actions, ..spec() }, jobs(&["a"]));
    t.turn([started(2, 1)]);
    drop(t);
    let mut t = DispatcherTest::without_worker(&home);
    t.dispatcher.restore(Unfinished::Resume, &HashSet::new()).unwrap();
    assert_eq!((t.stands(2), t.stands(3)), ("failed 1".into(), "blocked 0".into()));
    t.worker_is_ready(1);
    t.turn([exits(1, 1, 0)]);
    assert_eq!(t.stands(3), "pending 1");
    t.turn([exits(3, 1, 0)]);
    assert_eq!(t.workflow(WorkflowId(1)).unwrap().status, WorkflowStatus::Completed);
}

#[test]
fn a_workflow_whose_environment_is_gone_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = DispatcherTest::without_worker(&left_behind(&dir));
    settings::delete_environment(t.dispatcher.store.reading(), WorkflowId(1)).unwrap();
    t.dispatcher.restore(Unfinished::Resume, &HashSet::new()).unwrap();
    assert_eq!(t.workflow(WorkflowId(1)).unwrap().status, WorkflowStatus::Canceled);
}

#[test]
fn what_cannot_be_recorded_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut t = DispatcherTest::without_worker(&left_behind(&dir));
    t.dispatcher.store.refuse_counts("no room");
    let error = t.dispatcher.restore(Unfinished::Resume, &HashSet::new()).unwrap_err();
    assert!(error.to_string().contains("no room"), "{error}");
}

#[test]
fn submissions_that_never_ended_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::File(dir.path().join("t.db"));
    let mut t = DispatcherTest::without_worker(&home);
    t.worker_is_ready(1);
    let draft = t.begin(spec()).unwrap();
    t.add(draft, jobs(&["a"])).unwrap();
    drop(t);
    let mut t = DispatcherTest::without_worker(&home);
    assert_eq!(t.dispatcher.restore(Unfinished::Resume, &HashSet::new()).unwrap(), 0);
    let states = crate::store::tables::job::states(t.dispatcher.store.reading(), draft).unwrap();
    assert!(states.is_empty());
}

#[test]
fn a_job_that_ran_is_tried_again_only_as_its_rules_say() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::File(dir.path().join("t.db"));
    let mut t = DispatcherTest::without_worker(&home);
    t.worker_is_ready(1);
    let after = JobSpec { depends_on: vec![0], ..line("after", "true") };
    let (id, _) = t.submit(spec(), vec![line("once", "true"), after, line("beside", "true")]);
    t.turn([started(1, 1)]);
    drop(t);
    let mut t = DispatcherTest::without_worker(&home);
    t.dispatcher.restore(Unfinished::Resume, &HashSet::new()).unwrap();
    let states: Vec<_> = (1..=3).map(|job| t.stands(job)).collect();
    assert_eq!(states, ["failed 1", "canceled 0", "ready 0"]);
    assert_eq!(t.job(1).return_code, Some(-1));
    t.check_counts(id);
    t.worker_is_ready(1);
    t.turn([exits(3, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
}
