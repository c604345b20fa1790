use torc_protocol::id::{AttemptNumber, JobId, WorkflowId};
use torc_protocol::result::Usage;

use super::*;

/// Numbers the kinds from `first` on.
fn events(first: u64, kinds: Vec<EventKind>) -> WatchItem {
    let numbered = kinds.into_iter().zip(first..).map(|(kind, seq)| Event {
        seq,
        at: Timestamp(seq as i64 * 1_000_000),
        workflow_id: WorkflowId(1),
        kind,
    });
    WatchItem::Events(numbered.collect())
}

fn started(job: u64) -> EventKind {
    EventKind::JobStarted {
        job_id: JobId(job),
        name: format!("job{job}"),
        attempt: AttemptNumber(1),
        pid: 42,
    }
}

fn finished(job: u64, status: JobStatus) -> EventKind {
    EventKind::JobFinished {
        job_id: JobId(job),
        name: format!("job{job}"),
        attempt: AttemptNumber(1),
        status,
        return_code: 0,
        reason: String::new(),
        usage: Usage::default(),
    }
}

fn workflow(jobs: JobCounts, status: WorkflowStatus) -> Box<WorkflowView> {
    Box::new(WorkflowView {
        id: WorkflowId(1),
        name: "w".to_owned(),
        description: None,
        status,
        jobs,
        submitted_at: Timestamp(5),
        finished_at: (status != WorkflowStatus::Running).then_some(Timestamp(9)),
        working_dir: "/".to_owned(),
        output_dir: "/o".to_owned(),
        metadata: None,
    })
}

#[test]
fn counts_follow_the_jobs() {
    let mut model = Model::of_run(4, JobCounts::default());
    model.apply(&events(
        10,
        vec![started(1), started(2), finished(1, JobStatus::Completed), started(3)],
    ));
    model.apply(&events(14, vec![finished(2, JobStatus::Failed)]));
    let counts = model.counts;
    assert_eq!((counts.ready, counts.running), (1, 1));
    assert_eq!((counts.completed, counts.failed), (1, 1));
    assert_eq!(model.next_seq, 15);
    assert_eq!(model.first_start, Some(Timestamp(10_000_000)));
    assert!(model.any_failed());
    assert_eq!(model.finished, None);
}

#[test]
fn a_retried_attempt_waits_again_and_is_no_failure() {
    let mut model = Model::of_run(1, JobCounts::default());
    model.apply(&events(1, vec![started(1), finished(1, JobStatus::Blocked)]));
    assert_eq!((model.counts.ready, model.counts.running, model.retried), (1, 0, 1));
    model.apply(&events(3, vec![started(1), finished(1, JobStatus::Completed)]));
    assert_eq!((model.counts.ready, model.counts.completed), (0, 1));
    assert!(!model.any_failed());
}

#[test]
fn a_job_that_could_not_be_started_leaves_the_ready_ones() {
    let mut model = Model::of_run(2, JobCounts::default());
    model.apply(&events(1, vec![finished(1, JobStatus::Failed)]));
    assert_eq!((model.counts.ready, model.counts.running, model.counts.failed), (1, 0, 1));
}

#[test]
fn the_final_counts_win() {
    let mut model = Model::of_run(3, JobCounts::default());
    let counts = JobCounts { total: 3, completed: 2, canceled: 1, ..JobCounts::default() };
    let ended = EventKind::WorkflowFinished { status: WorkflowStatus::Canceled, counts };
    model.apply(&events(1, vec![started(1), EventKind::JobsCanceled { count: 1 }, ended]));
    assert_eq!(model.counts, counts);
    assert_eq!(model.finished, Some(WorkflowStatus::Canceled));
}

#[test]
fn events_that_are_known_already_change_nothing() {
    let mut model = Model::of_run(2, JobCounts::default());
    let item = events(1, vec![started(1), finished(1, JobStatus::Completed)]);
    model.apply(&item);
    let before = model.clone();
    model.apply(&item);
    assert_eq!(model, before);
}

#[test]
fn a_watcher_that_is_cut_goes_on_where_it_was() {
    let mut model = Model::of_run(3, JobCounts::default());
    model.apply(&events(1, vec![started(1)]));
    assert_eq!(model.apply(&WatchItem::Cut { next_seq: 2 }), Next::Rewatch);
    assert_eq!(model.next_seq, 2);
    assert_eq!(model.apply(&events(2, vec![finished(1, JobStatus::Completed)])), Next::Go);
    assert_eq!(model.counts.completed, 1);
}

#[test]
fn a_state_replaces_what_was_missed() {
    let mut model = Model::of_run(5, JobCounts::default());
    let jobs = JobCounts {
        total: 5,
        ready: 1,
        pending: 1,
        running: 1,
        completed: 2,
        ..JobCounts::default()
    };
    let state =
        WatchItem::State { workflow: workflow(jobs, WorkflowStatus::Running), next_seq: 40 };
    assert_eq!(model.apply(&state), Next::Go);
    assert_eq!((model.counts.ready, model.counts.pending, model.counts.completed), (2, 0, 2));
    assert_eq!((model.next_seq, model.finished), (40, None));
    let jobs = JobCounts { total: 5, completed: 5, ..JobCounts::default() };
    let state =
        WatchItem::State { workflow: workflow(jobs, WorkflowStatus::Completed), next_seq: 50 };
    model.apply(&state);
    assert_eq!(model.finished, Some(WorkflowStatus::Completed));
}

#[test]
fn a_run_counts_only_its_own_jobs() {
    let outside = JobCounts { total: 7, completed: 6, disabled: 1, ..JobCounts::default() };
    let mut model = Model::of_run(3, outside);
    model.apply(&events(1, vec![started(1), finished(1, JobStatus::Completed)]));
    assert_eq!((model.counts.total, model.counts.completed), (3, 1));
    let counts = JobCounts { total: 10, completed: 8, failed: 1, disabled: 1, ..outside };
    model.apply(&events(
        3,
        vec![EventKind::WorkflowFinished { status: WorkflowStatus::Failed, counts }],
    ));
    let own = JobCounts { total: 3, completed: 2, failed: 1, ..JobCounts::default() };
    assert_eq!(model.counts, own);
}

#[test]
fn a_workflow_that_is_run_again_has_not_ended() {
    let mut model = Model::of_run(1, JobCounts::default());
    let counts = JobCounts { total: 1, failed: 1, ..JobCounts::default() };
    let ended = EventKind::WorkflowFinished { status: WorkflowStatus::Failed, counts };
    let again = EventKind::WorkflowRestarted { name: "w".to_owned(), jobs: 1 };
    model.apply(&events(1, vec![ended, again]));
    assert_eq!(model.finished, None);
}
