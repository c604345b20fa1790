//! A workflow that is run again, or removed.

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::{JobRange, Restart, WorkflowSelector};
use torc_protocol::response::{ErrorCode, RequestError};
use torc_protocol::spec::{
    ActionSpec, Command, Environment, JobSpec, RunOptions, Trigger, WorkflowSpec,
};
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::Span;

use super::{DispatcherTest, code, exits, jobs, line, spec, told, with_retries};
use crate::dispatcher::input::Input;
use crate::event_bus::Subscription;
use crate::store::tables::{job, settings};

fn request(id: WorkflowId, jobs: &[u64]) -> Restart {
    Restart {
        workflow: WorkflowSelector::Id(id),
        jobs: JobRange::of(jobs.iter().map(|job| JobId(*job))),
        commands: Vec::new(),
        environment: Environment("B=2\0".into()),
        options: RunOptions::default(),
        watch: true,
    }
}

fn restart(t: &mut DispatcherTest, request: Restart) -> Result<(u64, Subscription), RequestError> {
    let request = Box::new(request);
    t.ask(|reply| Input::Restart { request, reply })
        .map(|(submitted, live)| (submitted.jobs, live.unwrap()))
}

/// A chain `a -> b -> c` of which `b` has failed.
fn failed_chain() -> (DispatcherTest, WorkflowId) {
    let mut t = DispatcherTest::cpus(4);
    let after = |name: &str, on: u32| JobSpec { depends_on: vec![on], ..line(name, "true") };
    let (id, _) =
        t.submit(with_retries(1, Span(0)), vec![line("a", "true"), after("b", 0), after("c", 1)]);
    t.turn([exits(1, 1, 0)]);
    t.turn([exits(2, 1, 1)]);
    t.turn([exits(2, 2, 1)]);
    let states: Vec<_> = (1..=3).map(|job| t.stands(job)).collect();
    assert_eq!(states, ["completed 1", "failed 2", "canceled 0"]);
    t.sent();
    (t, id)
}

#[test]
fn only_the_jobs_that_are_named_run_again_and_attempts_are_counted_on() {
    let (mut t, id) = failed_chain();
    let (jobs, mut live) = restart(&mut t, request(id, &[2, 3])).unwrap();
    assert_eq!(jobs, 2);
    assert_eq!(t.sent(), ["context 1", "lane 2 width 1", "start in 2: 2.3"]);
    t.check_counts(id);
    // It may be tried again as often as in the first run.
    t.turn([exits(2, 3, 1)]);
    assert_eq!(t.stands(2), "pending 4");
    t.turn([exits(2, 4, 0)]);
    t.turn([exits(3, 1, 0)]);
    let view = t.workflow(id).unwrap();
    assert_eq!((view.status, view.jobs.completed), (WorkflowStatus::Completed, 3));
    assert_eq!(t.results(2).len(), 4);
    let words = told(&mut live);
    assert_eq!(words[0], "restarted 2");
    assert_eq!(words.last().unwrap(), "workflow completed");
}

#[test]
fn a_command_can_change_and_the_environment_is_the_new_one() {
    let (mut t, id) = failed_chain();
    let commands = vec![(JobId(2), Command::Line("better".to_owned()))];
    restart(&mut t, Restart { commands, ..request(id, &[2, 3]) }).unwrap();
    assert_eq!(t.job(2).command, "better");
    let environment = settings::environment(t.dispatcher.store.reading(), id).unwrap();
    assert_eq!(environment, Some(Environment("B=2\0".into())));
}

#[test]
fn what_waits_for_a_failed_job_that_does_not_run_again_is_canceled() {
    let (mut t, id) = failed_chain();
    restart(&mut t, request(id, &[3])).unwrap();
    assert_eq!(t.stands(3), "canceled 0");
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
    t.check_counts(id);
}

#[test]
fn a_workflow_that_runs_is_neither_run_again_nor_removed_and_strangers_are_not_found() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(spec(), jobs(&["a"]));
    let selector = WorkflowSelector::Id(id);
    assert_eq!(code(restart(&mut t, request(id, &[1]))), ErrorCode::WrongState);
    let delete = |t: &mut DispatcherTest| {
        let workflow = selector.clone();
        t.ask(|reply| Input::Delete { workflow, reply })
    };
    assert_eq!(code(delete(&mut t)), ErrorCode::WrongState);
    t.turn([exits(1, 1, 0)]);
    assert_eq!(code(restart(&mut t, request(id, &[7]))), ErrorCode::NotFound);
    assert_eq!(code(restart(&mut t, request(WorkflowId(9), &[]))), ErrorCode::NotFound);
    assert_eq!(delete(&mut t).unwrap().jobs, 1);
    assert!(t.workflow(id).is_none());
    t.turn([]);
    assert!(job::states(t.dispatcher.store.reading(), id).unwrap().is_empty());
    assert_eq!(code(delete(&mut t)), ErrorCode::NotFound);
}

#[test]
fn only_a_persistent_action_is_done_again() {
    let mut t = DispatcherTest::cpus(1);
    let action = |persistent| ActionSpec {
        trigger: Trigger::OnWorkflowStart,
        jobs: Vec::new(),
        commands: vec!["x".to_owned()],
        persistent,
    };
    let spec = WorkflowSpec { actions: vec![action(false), action(true)], ..spec() };
    let (id, _) = t.submit(spec, jobs(&["a"]));
    t.turn([exits(1, 1, 1), exits(2, 1, 0), exits(3, 1, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
    restart(&mut t, request(id, &[1])).unwrap();
    assert_eq!((t.stands(2), t.stands(3)), ("completed 1".into(), "pending 2".into()));
    t.turn([exits(1, 2, 0), exits(3, 2, 0)]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
}
