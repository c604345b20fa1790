//! What the worker reports, and what is recorded and told of it.

use torc_protocol::id::JobId;
use torc_protocol::journal;
use torc_protocol::response::ErrorCode;
use torc_protocol::result::{LogPart, StopCause, StreamKind};
use torc_protocol::spec::{JobSettings, WorkflowSpec};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Span;

use super::{
    DispatcherTest, any, attempt, code, ended, exits, jobs, spec, started, told, with_retries,
    withdrawn,
};
use crate::store::tables::{output, settings};

#[test]
fn what_starts_and_ends_is_recorded_and_told() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), jobs(&["a"]));
    t.turn([started(1, 1)]);
    assert_eq!(t.stands(1), "running 1");
    assert_eq!(t.results(1)[0].pid, Some(101));
    assert_eq!(t.results(1)[0].status, JobStatus::Running);
    t.sent();
    t.turn([exits(1, 1, 0)]);
    assert_eq!(t.sent(), ["forget 1"]);
    assert_eq!(
        told(&mut live),
        ["submitted 1", "started 1.1", "finished 1.1: completed", "workflow completed"]
    );
    let result = t.results(1).remove(0);
    assert_eq!((result.status, result.return_code), (JobStatus::Completed, Some(0)));
    assert_eq!((result.pid, result.node.as_str()), (Some(101), "here"));
    let store = t.dispatcher.store.reading();
    let (out, length) = output::part(store, attempt(1, 1), StreamKind::Stdout, 4, 2).unwrap();
    assert_eq!((out, length), (LogPart::Bytes("of".into()), 8));
    assert_eq!(settings::environment(store, id).unwrap(), None);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
    t.check_counts(id);
}

#[test]
fn a_job_that_starts_and_ends_in_one_turn_keeps_its_process_and_all_its_events() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), jobs(&["a", "b"]));
    let before = t.dispatcher.store.changes();
    t.turn([started(1, 1), exits(1, 1, 3), started(2, 1)]);
    assert_eq!(t.dispatcher.store.changes(), before + 1);
    assert_eq!(
        told(&mut live),
        ["submitted 2", "started 1.1", "finished 1.1: failed", "started 2.1"]
    );
    assert_eq!(t.results(1)[0].pid, Some(101));
    assert_eq!((t.job(1).return_code, t.job(2).return_code), (Some(3), None));
    t.check_counts(id);
}

#[test]
fn a_failed_job_is_tried_again_and_every_attempt_is_kept() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(with_retries(1, Span(0)), jobs(&["a"]));
    t.turn([started(1, 1), exits(1, 1, 1)]);
    assert_eq!(t.stands(1), "pending 2");
    assert_eq!(t.sent(), ["context 1", "lane 1 width 1", "start in 1: 1.1", "start in 1: 1.2"]);
    t.turn([started(1, 2), exits(1, 2, 0)]);
    assert_eq!(t.stands(1), "completed 2");
    let codes: Vec<_> = t.results(1).iter().map(|result| result.return_code).collect();
    assert_eq!(codes, [Some(1), Some(0)]);
    assert_eq!(told(&mut live)[2], "finished 1.1: ready");
    t.check_counts(id);
}

#[test]
fn a_job_that_is_canceled_before_its_retry_keeps_its_attempts() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(with_retries(1, Span(1 << 50)), jobs(&["a"]));
    t.turn([started(1, 1), exits(1, 1, 1)]);
    assert_eq!(t.stands(1), "blocked 1");
    assert_eq!(t.cancel(id, &["a"]), Ok((1, 0)));
    assert_eq!(t.stands(1), "canceled 1");
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
    t.check_counts(id);
}

#[test]
fn a_retry_that_is_withdrawn_by_a_cancel_keeps_the_attempts_before_it() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(with_retries(1, Span(0)), jobs(&["a"]));
    t.turn([started(1, 1), exits(1, 1, 1)]);
    assert_eq!(t.cancel(id, &[]), Ok((0, 1)));
    t.turn([withdrawn(1, 2, StopCause::Canceled)]);
    assert_eq!(t.stands(1), "canceled 1");
    assert_eq!(t.results(1).len(), 1);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Canceled);
}

#[test]
fn a_canceled_workflow_ends_when_what_runs_has_ended() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), jobs(&["a", "b", "c"]));
    t.turn([started(1, 1)]);
    t.sent();
    assert_eq!(t.cancel(id, &[]), Ok((1, 2)));
    assert_eq!(t.sent(), ["stop 1.1 2.1: canceled"]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Running);
    t.turn([withdrawn(2, 1, StopCause::Canceled), {
        ended(1, 1, torc_protocol::result::Ending::Signaled(15), Some(StopCause::Canceled))
    }]);
    let states = [t.stands(1), t.stands(2), t.stands(3)];
    assert_eq!(states, ["terminated 1", "canceled 0", "canceled 0"]);
    let told = told(&mut live);
    assert_eq!(told[2..4], ["canceled 1", "finished 1.1: terminated"]);
    assert_eq!(told[4..], ["canceled 1", "workflow canceled"]);
    assert_eq!(t.cancel(id, &[]), Ok((0, 0)));
    t.check_counts(id);
}

#[test]
fn a_cancel_of_an_unknown_job_cancels_nothing() {
    let mut t = DispatcherTest::cpus(1);
    let (id, _) = t.submit(spec(), jobs(&["a", "b"]));
    t.sent();
    assert_eq!(code(t.cancel(id, &["a", "z"])), ErrorCode::NotFound);
    assert!(t.sent().is_empty());
    assert_eq!(t.cancel(id, &["a"]), Ok((0, 1)));
    assert_eq!(t.sent(), ["stop 1.1: canceled"]);
}

#[test]
fn reports_of_unknown_attempts_are_passed_over() {
    let mut t = DispatcherTest::cpus(1);
    let (_, mut live) = t.submit(spec(), jobs(&["a"]));
    t.turn([started(9, 1), exits(9, 1, 0), started(1, 2), exits(1, 2, 0)]);
    assert_eq!(told(&mut live), ["submitted 1"]);
    t.turn([exits(1, 1, 0), exits(1, 1, 1)]);
    assert_eq!(told(&mut live), ["finished 1.1: completed", "workflow completed"]);
    assert_eq!(t.results(1).len(), 1);
}

#[test]
fn what_a_dead_worker_had_begun_is_lost_and_the_rest_is_given_to_the_next() {
    let mut t = DispatcherTest::cpus(3);
    let spec = WorkflowSpec {
        settings: vec![JobSettings { retry: any(1), ..JobSettings::default() }],
        ..spec()
    };
    let (id, mut live) = t.submit(spec, jobs(&["a", "b", "c"]));
    t.turn([started(1, 1)]);
    let noted: Vec<u8> = [attempt(1, 1), attempt(2, 1)].map(journal::entry).concat();
    std::fs::write(t.dir.path().join("begun"), noted).unwrap();
    t.sent();
    t.worker_dies();
    t.next_worker();
    assert_eq!([t.stands(1), t.stands(2), t.stands(3)], ["ready 1", "ready 1", "ready 0"]);
    assert_eq!(t.results(2)[0].reason, "lost: the worker was killed");
    assert!(t.sent().is_empty(), "it is not ready");
    t.worker_is_ready(3);
    assert_eq!(t.sent(), ["context 1", "lane 1 width 3", "start in 1: 1.2 2.2 3.1"]);
    t.turn((1..=2).map(|job| exits(job, 2, 0)).chain([exits(3, 1, 0)]));
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Completed);
    assert_eq!(told(&mut live).last().unwrap(), "workflow completed");
    t.check_counts(id);
}

#[test]
fn when_it_cannot_be_told_what_a_dead_worker_had_begun_nothing_runs_twice() {
    let mut t = DispatcherTest::cpus(2);
    let (id, _live) = t.submit(spec(), jobs(&["a", "b"]));
    std::fs::create_dir(t.dir.path().join("begun")).unwrap();
    t.worker_dies();
    assert_eq!([t.stands(1), t.stands(2)], ["failed 1", "failed 1"]);
    assert_eq!(t.results(2)[0].reason, "lost: the worker was killed");
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Failed);
}

#[test]
fn a_worker_with_fewer_cpus_gets_fewer_jobs() {
    let mut t = DispatcherTest::cpus(4);
    t.submit(spec(), jobs(&["a", "b", "c", "d", "e", "f", "g", "h"]));
    t.worker_dies();
    t.next_worker();
    t.worker_is_ready(2);
    assert_eq!(t.sent(), ["context 1", "lane 1 width 2", "start in 1: 1.1 2.1 3.1 4.1"]);
}

#[test]
fn when_no_other_worker_can_be_had_all_is_canceled() {
    let mut t = DispatcherTest::cpus(1);
    let (id, mut live) = t.submit(spec(), jobs(&["a", "b", "c"]));
    t.turn([started(1, 1)]);
    t.worker_dies();
    t.worker_dies();
    assert_eq!([t.stands(1), t.stands(2), t.stands(3)], ["failed 1", "canceled 0", "canceled 0"]);
    assert_eq!(t.workflow(id).unwrap().status, WorkflowStatus::Canceled);
    assert_eq!(told(&mut live).last().unwrap(), "workflow canceled");
    assert_eq!(code(t.begin(spec())), ErrorCode::Unavailable);
    assert_eq!(t.job(1).id, JobId(1));
    t.check_counts(id);
}
