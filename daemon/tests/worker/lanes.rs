//! How many jobs run at a time, and in which order.

use torc_protocol::spec::{Command, JobSettings};
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

use crate::harness::{LANE, WORKFLOW, Worker, start_job};

/// Queues many jobs in one request.
fn start_many(worker: &mut Worker, jobs: std::ops::RangeInclusive<u64>, line: &str) {
    let jobs = jobs.map(|job| start_job(job, Command::Line(line.to_owned())));
    worker.send(WorkerRequest::Start { lane: LANE, jobs: jobs.collect() });
}

/// Reads events until `count` jobs have finished; returns the order in which jobs were started, and
/// the most that ran at a time.
fn watch(worker: &mut Worker, count: usize) -> (Vec<u64>, usize) {
    let (mut order, mut finished, mut most) = (Vec::new(), 0, 0);
    while finished < count {
        match worker.event().expect("the worker ended") {
            WorkerEvent::Started { attempt, .. } => order.push(attempt.job.0),
            WorkerEvent::Finished { .. } => finished += 1,
            _ => {}
        }
        most = most.max(order.len() - finished);
    }
    (order, most)
}

#[test]
fn a_lane_runs_as_many_as_it_is_wide() {
    let mut worker = Worker::new(3, JobSettings::default());
    start_many(&mut worker, 1..=60, "true");
    let (order, most) = watch(&mut worker, 60);
    assert_eq!(order.len(), 60);
    assert!((2..=3).contains(&most), "{most}");
}

#[test]
fn a_lane_of_one_keeps_the_order() {
    let mut worker = Worker::plain();
    start_many(&mut worker, 1..=30, "true");
    assert_eq!(watch(&mut worker, 30), ((1..=30).collect(), 1));
}

#[test]
fn a_wider_lane_starts_more_at_once() {
    let mut worker = Worker::new(0, JobSettings::default());
    start_many(&mut worker, 1..=4, "sleep 60");
    worker.lane(2, JobSettings::default());
    worker.started(1);
    worker.started(2);
    worker.lane(4, JobSettings::default());
    worker.started(3);
    worker.started(4);
}

#[test]
fn a_forgotten_workflow_still_ends_its_jobs() {
    let mut worker = Worker::plain();
    worker.start_line(1, "true");
    worker.send(WorkerRequest::Forget { workflow: WORKFLOW });
    assert_eq!(worker.finished(1).return_code(), 0);
    worker.start_line(2, "true");
    assert_eq!(worker.finished(2).return_code(), 125);
}

#[test]
fn many_lanes_run_side_by_side() {
    let mut worker = Worker::plain();
    for lane in 10..20 {
        let settings = JobSettings::default();
        worker.send(WorkerRequest::Lane { lane, width: 1, workflow: WORKFLOW, settings });
        let job = start_job(lane.into(), Command::Line("sleep 60".to_owned()));
        worker.send(WorkerRequest::Start { lane, jobs: vec![job] });
    }
    for lane in 10..20 {
        worker.started(lane);
    }
}
