//! Stopping, closing, and the snapshots before it.

use std::sync::mpsc::channel;

use tokio::sync::oneshot;
use torc_protocol::id::Generation;
use torc_protocol::request::{JobSelector, SetDisabled, WorkflowSelector};
use torc_protocol::response::ErrorCode;
use torc_protocol::result::{Ending, StopCause};
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::view::SnapshotView;

use super::{DispatcherTest, code, ended, exits, jobs, spec, started, withdrawn};
use crate::dispatcher::input::Stopping::{self, Cancel, Terminate};
use crate::dispatcher::input::{Input, StopRequest};
use crate::store::home::Home;
use crate::store::tables::snapshot::Author;

fn stop(jobs: Stopping) -> (Input, oneshot::Receiver<()>) {
    let (ended, wait) = oneshot::channel();
    (Input::Stop(StopRequest { jobs, grace: None, ended: Some(ended) }), wait)
}

#[test]
fn a_stop_leaves_what_has_not_started_for_later() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(spec(), jobs(&["a", "b", "c"]));
    t.turn([started(1, 1)]);
    t.sent();
    let (order, mut wait) = stop(Terminate);
    t.turn([order]);
    assert_eq!(t.sent(), ["stop all: shutdown", "stop 1.1 2.1: shutdown"]);
    assert_eq!(code(t.begin(spec())), ErrorCode::Unavailable);
    t.turn([withdrawn(2, 1, StopCause::Shutdown)]);
    assert!(wait.try_recv().is_err());
    t.turn([ended(1, 1, Ending::Signaled(15), Some(StopCause::Shutdown))]);
    assert_eq!(wait.try_recv(), Ok(()));
    assert_eq!([t.stands(1), t.stands(2), t.stands(3)], ["terminated 1", "ready 0", "ready 0"]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running);
    assert!(t.sent().is_empty());
}

#[test]
fn nothing_is_changed_once_the_last_snapshot_may_be_taken() {
    let mut t = DispatcherTest::cpus(1);
    let (ended_before, _) = t.submit(spec(), jobs(&["x"]));
    t.turn([started(1, 1), exits(1, 1, 0)]);
    let (id, _) = t.submit(spec(), jobs(&["a", "b", "c"]));
    t.turn([started(2, 1)]);
    let (order, mut wait) = stop(Terminate);
    t.turn([order]);
    assert_eq!(t.cancel(id, &["c"]), Ok((1, 0)), "jobs are still being stopped");
    t.turn([withdrawn(3, 1, StopCause::Shutdown)]);
    t.turn([ended(2, 1, Ending::Signaled(15), Some(StopCause::Shutdown))]);
    assert_eq!(wait.try_recv(), Ok(()));
    let before = t.dispatcher.store.changes();
    assert_eq!(code(t.cancel(id, &[])), ErrorCode::Unavailable);
    assert_eq!(code(t.cancel(id, &["b"])), ErrorCode::Unavailable);
    let workflow = WorkflowSelector::Id(ended_before);
    assert_eq!(code(t.ask(|reply| Input::Delete { workflow, reply })), ErrorCode::Unavailable);
    let workflow = WorkflowSelector::Id(id);
    let job = JobSelector::Name(workflow.clone(), "b".to_owned());
    let request = SetDisabled { workflow, jobs: vec![job], disabled: true };
    assert_eq!(code(t.ask(|reply| Input::SetDisabled { request, reply })), ErrorCode::Unavailable);
    assert_eq!(t.stands(3), "ready 0");
    assert!(t.workflow(ended_before).is_some());
    assert_eq!(t.dispatcher.store.changes(), before);
}

#[test]
fn a_stop_that_cancels_ends_the_workflows() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(spec(), jobs(&["a", "b", "c"]));
    let (order, mut wait) = stop(Cancel);
    t.turn([order]);
    t.turn([withdrawn(1, 1, StopCause::Shutdown), withdrawn(2, 1, StopCause::Shutdown)]);
    assert_eq!(wait.try_recv(), Ok(()));
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Canceled);
    t.check_counts(id);
}

#[test]
fn a_stop_is_no_cancel_even_where_one_job_was_canceled_before() {
    let mut t = DispatcherTest::cpus(3);
    let (id, _) = t.submit(spec(), jobs(&["a", "b"]));
    t.cancel(id, &["a"]).unwrap();
    t.sent();
    t.turn([stop(Terminate).0]);
    assert_eq!(t.sent(), ["stop all: shutdown", "stop 1.1 2.1: shutdown"]);
}

#[test]
fn a_stop_is_answered_when_the_worker_dies_and_no_other_is_started() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a"]));
    t.turn([started(1, 1)]);
    let (order, mut wait) = stop(Terminate);
    t.turn([order]);
    // A second wish does not take the answer from the first.
    t.turn([Input::Stop(StopRequest { jobs: Terminate, grace: None, ended: None })]);
    assert!(wait.try_recv().is_err());
    t.worker_dies();
    assert_eq!(wait.try_recv(), Ok(()));
    assert_eq!(t.stands(1), "failed 1");
    assert!(t.later.try_recv().is_err());
}

#[test]
fn a_stop_gives_up_submissions_and_those_that_wait_for_a_worker() {
    let mut t = DispatcherTest::without_worker(&Home::Memory);
    let (begin, mut answer) = super::asked(|reply| {
        let spec = Box::new(spec());
        Input::Begin { spec, key: None, reply }
    });
    t.turn([begin]);
    t.turn([stop(Terminate).0]);
    assert_eq!(answer.try_recv().unwrap_err(), oneshot::error::TryRecvError::Closed);
    let mut t = DispatcherTest::cpus(1);
    let draft = t.begin(spec()).unwrap();
    t.turn([stop(Terminate).0]);
    assert_eq!(code(t.add(draft, jobs(&["a"]))), ErrorCode::Unavailable);
}

#[test]
fn the_database_is_closed_even_when_other_inputs_wait_before() {
    let t = DispatcherTest::cpus(1);
    let (inputs, receiver) = channel();
    let (closed, wait) = oneshot::channel();
    inputs.send(Input::Drop { draft: torc_protocol::id::WorkflowId(7) }).unwrap();
    inputs.send(Input::Close { closed }).unwrap();
    t.dispatcher.run(&receiver);
    assert_eq!(wait.blocking_recv(), Ok(()));
    drop(receiver);
    assert!(inputs.send(Input::Drop { draft: torc_protocol::id::WorkflowId(7) }).is_err());
}

fn begin_snapshot(t: &mut DispatcherTest) -> (Generation, u64) {
    let word = String::new;
    let author = Author { instance: word(), host: word(), boot_id: word(), pid: 1 };
    t.ask(|reply| Input::BeginSnapshot { author, path: "/s".to_owned(), reply }).unwrap()
}

fn snapshot_ends((generation, changes): (Generation, u64)) -> Input {
    let (started_at, finished_at) = (Timestamp(1), Timestamp(2));
    let (path, sha256, phases) = ("/s".to_owned(), String::new(), Vec::new());
    let view = SnapshotView {
        generation,
        changes,
        path,
        bytes: 1,
        sha256,
        started_at,
        finished_at,
        phases,
    };
    Input::EndSnapshot { generation, outcome: Ok(view) }
}

#[test]
fn the_end_of_a_snapshot_is_no_change_and_hides_none() {
    let mut t = DispatcherTest::cpus(1);
    t.submit(spec(), jobs(&["a", "b"]));
    let begun = begin_snapshot(&mut t);
    assert_eq!(begun, (Generation(1), t.dispatcher.store.changes()));
    t.turn([snapshot_ends(begun)]);
    assert_eq!(t.dispatcher.store.changes(), begun.1);
    let begun = begin_snapshot(&mut t);
    assert_eq!(begun.0, Generation(2));
    t.turn([exits(1, 1, 0), snapshot_ends(begun)]);
    assert_eq!(t.dispatcher.store.changes(), begun.1 + 1);
}
