//! What is run before an attempt because the one before it failed.

use std::fs;

use torc_protocol::id::{AttemptId, AttemptNumber};
use torc_protocol::result::{AttemptResult, Ending, OUT_OF_MEMORY_CODE, StopCause, TIMEOUT_CODE};
use torc_protocol::spec::{Command, JobSettings};
use torc_protocol::status::JobStatus;
use torc_protocol::time::Span;
use torc_protocol::worker::{Recovery, StartExtra, StartJob, WorkerEvent, WorkerRequest};

use crate::harness::{LANE, Worker, is_alive, start_job, text};

/// The second attempt of job 1.
fn second() -> AttemptId {
    AttemptId { number: AttemptNumber(2), ..crate::harness::attempt(1) }
}

/// Queues the second attempt of job 1, with a script before it.
fn start(worker: &mut Worker, script: &str, line: &str, extra: StartExtra) {
    let recovery = Recovery { script: script.to_owned(), return_code: 42 };
    let extra = StartExtra { recovery: Some(recovery), ..extra };
    let job = StartJob {
        attempt: second(),
        extra: Some(Box::new(extra)),
        ..start_job(1, Command::Line(line.to_owned()))
    };
    worker.send(WorkerRequest::Start { lane: LANE, jobs: vec![job] });
}

fn finished(worker: &mut Worker) -> AttemptResult {
    worker.wait_for(|event| match event {
        WorkerEvent::Finished { attempt, result } if *attempt == second() => Some(result.clone()),
        _ => None,
    })
}

fn run(worker: &mut Worker, script: &str, line: &str) -> AttemptResult {
    start(worker, script, line, StartExtra::default());
    finished(worker)
}

#[test]
fn the_script_runs_before_the_attempt_and_knows_what_failed() {
    let mut worker = Worker::plain();
    let say = "echo $TORC_JOB_ID $TORC_JOB_NAME $TORC_ATTEMPT ${TORC_RETURN_CODE-none}";
    let extra =
        StartExtra { environment: vec![("A".into(), "own".into())], ..StartExtra::default() };
    start(&mut worker, &format!("{say} $A; pwd >&2"), &format!("{say} $A"), extra);
    let result = finished(&mut worker);
    assert_eq!(text(&result.stdout), "1 job1 1 42 own\n1 job1 2 none own\n");
    assert_eq!(text(&result.stderr).trim_end(), worker.path());
    assert_eq!((result.status(), result.recovery_code), (JobStatus::Completed, Some(0)));
}

#[test]
fn the_attempt_is_not_made_when_the_script_fails() {
    let mut worker = Worker::plain();
    let extra = StartExtra { outputs: vec!["made".to_owned()], ..StartExtra::default() };
    start(&mut worker, "echo tried; exit 3", "touch made", extra);
    let result = finished(&mut worker);
    assert_eq!(result.ending, Ending::NotRecovered(3));
    assert_eq!((result.return_code(), result.recovery_code), (3, Some(3)));
    assert_eq!((result.status(), result.files), (JobStatus::Failed, None));
    assert_eq!(text(&result.stdout), "tried\n");
    assert!(!worker.directory.path().join("made").exists());
    let result = run(&mut worker, "no-such-script", "touch made");
    assert_eq!(result.ending, Ending::NotRecovered(127));
    assert!(!worker.directory.path().join("made").exists());
}

#[test]
fn a_job_that_fails_again_has_both_codes() {
    let mut worker = Worker::plain();
    let result = run(&mut worker, "true", "exit 5");
    assert_eq!((result.return_code(), result.recovery_code), (5, Some(0)));
}

#[test]
fn the_files_of_an_attempt_are_as_the_script_leaves_them() {
    let mut worker = Worker::plain();
    let extra = StartExtra { inputs: vec!["in".to_owned()], ..StartExtra::default() };
    start(&mut worker, "printf abc > in", "true", extra);
    assert_eq!(finished(&mut worker).files.unwrap().inputs[0].unwrap().bytes, 3);
}

#[test]
fn what_the_script_leaves_behind_is_gone_before_the_attempt() {
    let mut worker = Worker::plain();
    let script = "sleep 60 & setsid bash -c 'echo $$ > pid; exec sleep 60' & echo $!; \
                  until test -s pid; do :; done";
    let result = run(&mut worker, script, "ps -o pid= -p $(cat pid); true");
    let group_member = text(&result.stdout);
    assert_eq!(group_member.lines().count(), 1, "{group_member}");
    assert!(!is_alive(&group_member));
    assert_eq!(result.ending, Ending::Exited(0));
}

#[test]
fn what_both_use_is_added_up() {
    let mut worker = Worker::plain();
    let count = "for ((i = 0; i < 100000; i++)); do :; done";
    let alone = run(&mut worker, "true", count).usage;
    let both = run(&mut worker, count, count).usage;
    assert!(both.user_cpu.0 > alone.user_cpu.0 * 5 / 4, "{both:?} {alone:?}");
    assert!(both.wall >= both.user_cpu && both.peak_memory > 0);
}

/// Stops the attempt while its script runs, which opens the gate for that; returns its result.
fn stop_during(script: &str) -> AttemptResult {
    let mut worker = Worker::plain();
    let gate = worker.directory.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    start(&mut worker, script, "touch made", StartExtra::default());
    assert_eq!(fs::read_to_string(gate).unwrap(), "ready\n");
    let attempts = vec![second()];
    worker.send(WorkerRequest::Stop { attempts, cause: StopCause::Canceled, grace: None });
    let result = finished(&mut worker);
    assert_eq!(result.stopped, Some(StopCause::Canceled));
    assert!(!worker.directory.path().join("made").exists());
    result
}

#[test]
fn a_script_that_is_stopped_is_the_end_of_the_attempt() {
    let result = stop_during("echo ready > gate; sleep 60");
    assert_eq!(result.ending, Ending::NotRecovered(128 + 15));
    assert_eq!(result.status(), JobStatus::Terminated);
}

#[test]
fn a_script_that_makes_the_best_of_being_stopped_is_so_too() {
    let result = stop_during("trap 'exit 0' TERM; echo ready > gate; while :; do :; done");
    assert_eq!((result.ending, result.recovery_code), (Ending::NotRecovered(0), Some(0)));
}

#[test]
fn a_script_has_the_time_that_an_attempt_has() {
    let timeout = Some(Span(400_000));
    let mut worker = Worker::new(1, JobSettings { timeout, ..JobSettings::default() });
    let result = run(&mut worker, "sleep 60", "true");
    assert_eq!((result.stopped, result.return_code()), (Some(StopCause::Timeout), TIMEOUT_CODE));
    let result = run(&mut worker, "sleep 0.25", "sleep 0.25");
    assert_eq!((result.ending, result.stopped), (Ending::Exited(0), None));
}

#[test]
fn a_script_that_takes_too_much_memory_is_killed() {
    let settings = JobSettings { memory: Some(64 << 20), ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    let script = "{ head -c 500000000 /dev/zero; sleep 60; } | tail -c 500000000 > /dev/null";
    let result = run(&mut worker, script, "touch made");
    assert_eq!(result.ending, Ending::NotRecovered(OUT_OF_MEMORY_CODE));
    assert_eq!(result.stopped, Some(StopCause::OutOfMemory));
    assert_eq!(result.recovery_code, Some(OUT_OF_MEMORY_CODE));
    assert!(!worker.directory.path().join("made").exists());
}

#[test]
fn torcd_hears_of_the_process_of_the_attempt_only() {
    let mut worker = Worker::plain();
    let result = run(&mut worker, "true", "echo $$");
    let pids: Vec<u32> = worker
        .drain(Span(0))
        .iter()
        .filter_map(|event| match event {
            WorkerEvent::Started { pid, .. } => Some(*pid),
            _ => None,
        })
        .collect();
    assert_eq!(pids, [text(&result.stdout).trim().parse::<u32>().unwrap()]);
}
