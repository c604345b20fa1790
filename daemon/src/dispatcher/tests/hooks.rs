//! Actions: run beside the jobs, recorded as jobs are, waited for at the end.

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::ListJobs;
use torc_protocol::result::{Ending, StopCause};
use torc_protocol::spec::{ActionSpec, Trigger, WorkflowSpec};
use torc_protocol::status::WorkflowStatus;

use super::{DispatcherTest, ended, exits, jobs, spec, started, told, withdrawn};
use crate::store::query;

fn with_actions(triggers: &[Trigger]) -> WorkflowSpec {
    let action = |trigger: &Trigger| ActionSpec {
        trigger: *trigger,
        jobs: vec![0],
        commands: vec!["one".to_owned(), "two".to_owned()],
        persistent: false,
    };
    WorkflowSpec { actions: triggers.iter().map(action).collect(), ..spec() }
}

fn names(t: &DispatcherTest, id: WorkflowId, actions: bool) -> Vec<String> {
    let mut names = Vec::new();
    let request = ListJobs { actions, ..ListJobs::default() };
    query::jobs::list(t.dispatcher.store.reading(), id, &request, &mut |job| {
        names.push(job.name);
        true
    })
    .unwrap();
    names
}

#[test]
fn an_action_takes_no_room_and_is_recorded_apart_from_the_jobs() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(with_actions(&[Trigger::OnWorkflowStart]), jobs(&["a"]));
    let lane = u32::MAX - 1;
    let open = format!("lane {lane} width 64");
    let start = format!("start in {lane}: 2.1");
    assert_eq!(t.sent(), ["context 1", &open, &start, "lane 1 width 1", "start in 1: 1.1"]);
    assert_eq!(names(&t, id, false), ["a"]);
    assert_eq!(names(&t, id, true), ["on_workflow_start#1"]);
    assert_eq!(t.job(2).command, "set -e\none\ntwo");
    t.turn([started(1, 1), exits(1, 1, 0), started(2, 1)]);
    assert_eq!(t.stands(2), "running 1");
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running, "the action has not ended");
    t.turn([exits(2, 1, 3)]);
    assert_eq!(t.stands(2), "failed 1");
    assert_eq!(t.results(2)[0].return_code, Some(3));
    let view = t.workflow(id).unwrap();
    assert_eq!((view.status, view.jobs.total), (WorkflowStatus::Completed, 1));
    let words = told(&mut live);
    let tail = ["on_workflow_start#1: failed", "workflow completed"];
    assert_eq!(words[words.len() - 2..], tail);
}

#[test]
fn an_action_at_the_end_comes_after_the_last_job_and_before_the_end_of_the_workflow() {
    let mut t = DispatcherTest::cpus(1);
    let spec = with_actions(&[Trigger::OnWorkflowComplete, Trigger::OnJobsComplete]);
    let (id, _) = t.submit(spec, jobs(&["a"]));
    assert_eq!((t.stands(2), t.stands(3)), ("blocked 0".into(), "blocked 0".into()));
    t.turn([started(1, 1), exits(1, 1, 1)]);
    assert_eq!((t.stands(2), t.stands(3)), ("pending 1".into(), "pending 1".into()));
    t.turn([exits(2, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running);
    t.turn([exits(3, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
}

#[test]
fn a_cancel_stops_the_actions_too_and_none_follows() {
    let mut t = DispatcherTest::cpus(1);
    let spec = with_actions(&[Trigger::OnWorkflowStart, Trigger::OnWorkflowComplete]);
    let (id, _) = t.submit(spec, jobs(&["a"]));
    t.turn([started(1, 1), started(2, 1)]);
    t.sent();
    t.cancel(id, &[]).unwrap();
    assert_eq!(t.sent(), ["stop 1.1: canceled", "stop 2.1: canceled"]);
    let stopped = |job| ended(job, 1, Ending::Signaled(15), Some(StopCause::Canceled));
    t.turn([stopped(1), stopped(2)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Canceled);
    assert_eq!((t.stands(2), t.stands(3)), ("terminated 1".into(), "canceled 0".into()));
}

#[test]
fn an_action_that_the_worker_took_along_is_lost_and_not_done_again() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(with_actions(&[Trigger::OnWorkflowStart]), jobs(&["a"]));
    t.turn([started(1, 1), exits(1, 1, 0), started(2, 1)]);
    t.worker_dies();
    assert!(t.results(2)[0].reason.starts_with("lost: "));
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
}

#[test]
fn an_action_that_was_withdrawn_ends_the_workflow_as_well() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(with_actions(&[Trigger::OnWorkflowStart]), jobs(&["a"]));
    t.turn([exits(1, 1, 0), withdrawn(2, 1, StopCause::Canceled)]);
    assert_eq!(t.stands(2), "canceled 1");
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
    assert!(t.results(2).is_empty());
    assert_eq!(t.job(2).id, JobId(2));
}

#[test]
fn an_action_that_is_fired_in_the_turn_of_a_cancel_is_stopped_too() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(with_actions(&[Trigger::OnJobsComplete]), jobs(&["a", "b"]));
    let request = torc_protocol::request::Cancel {
        workflow: torc_protocol::request::WorkflowSelector::Id(id),
        jobs: Vec::new(),
        grace: None,
    };
    let (cancel, _answer) =
        super::asked(|reply| crate::dispatcher::input::Input::Cancel { request, reply });
    t.sent();
    t.turn([exits(1, 1, 0), cancel]);
    let sent = t.sent();
    let stop = sent.iter().position(|request| request == "stop 3.1: canceled");
    let start = sent.iter().position(|request| request.ends_with(": 3.1"));
    assert!(start.is_some() && start < stop, "{sent:?}");
}

#[test]
fn a_time_limit_ends_an_action_too() {
    let mut t = DispatcherTest::cpus(1);
    let now = torc_protocol::time::Timestamp::now().0;
    let limit = torc_protocol::spec::TimeLimit {
        stop_at: torc_protocol::time::Timestamp(now + 10_000_000),
        grace: torc_protocol::time::Span(1),
    };
    let mut spec = with_actions(&[Trigger::OnWorkflowStart]);
    spec.options.time_limit = Some(limit);
    t.submit(spec, jobs(&["a"]));
    t.turn([exits(1, 1, 0), started(2, 1)]);
    t.sent();
    t.dispatcher.epoch -= std::time::Duration::from_secs(20);
    t.turn([]);
    assert_eq!(t.sent(), ["stop 2.1: timelimit"]);
}

#[test]
fn an_action_that_a_dead_worker_had_not_begun_is_given_to_the_next() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(with_actions(&[Trigger::OnWorkflowStart]), jobs(&["a"]));
    assert_eq!(t.stands(2), "pending 1");
    t.worker_dies();
    t.next_worker();
    let sent = t.sent();
    assert!(sent.iter().any(|request| request.ends_with(": 2.1")), "{sent:?}");
    assert_eq!(t.stands(2), "pending 1");
}
