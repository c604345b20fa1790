//! How jobs are stopped, and that nothing of them is left.

use std::fs;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use torc_protocol::result::{Ending, StopCause, TIMEOUT_CODE};
use torc_protocol::spec::{JobSettings, StdioMode};
use torc_protocol::time::Span;
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

use crate::harness::{WORKFLOW, Worker, attempt, is_alive, text};

const LONG: Span = Span(60_000_000);
const SHORT: Span = Span(50_000);

/// Says so when it can be asked to end, and never does by itself.
const STUBBORN: &str = "trap '' TERM; echo ready; while :; do sleep 60; done";

#[test]
fn a_running_job_is_asked_to_end() {
    let mut worker = Worker::plain();
    worker.start_line(1, "trap 'echo bye; exit 7' TERM; echo ready; while :; do :; done");
    worker.wait_for_output(1, 1, "ready\n");
    worker.stop(1, StopCause::Canceled, Some(LONG));
    let result = worker.finished(1);
    assert_eq!((&result.ending, result.stopped), (&Ending::Exited(7), Some(StopCause::Canceled)));
    assert_eq!(text(&result.stdout), "ready\nbye\n");
}

#[test]
fn one_that_does_not_end_is_killed() {
    let mut worker = Worker::plain();
    worker.start_line(1, STUBBORN);
    worker.wait_for_output(1, 1, "ready\n");
    worker.stop(1, StopCause::Canceled, Some(SHORT));
    assert_eq!(worker.finished(1).ending, Ending::Signaled(9));
}

#[test]
fn a_shorter_grace_shortens() {
    let mut worker = Worker::plain();
    worker.start_line(1, STUBBORN);
    worker.wait_for_output(1, 1, "ready\n");
    worker.stop(1, StopCause::Canceled, Some(LONG));
    worker.stop(1, StopCause::Shutdown, Some(SHORT));
    let result = worker.finished(1);
    assert_eq!(result.ending, Ending::Signaled(9));
    assert_eq!(result.stopped, Some(StopCause::Canceled));
}

#[test]
fn a_stopped_process_can_end_too() {
    let mut worker = Worker::plain();
    worker.start_line(1, "echo ready; kill -STOP $$");
    worker.wait_for_output(1, 1, "ready\n");
    worker.stop(1, StopCause::Canceled, Some(LONG));
    assert_eq!(worker.finished(1).ending, Ending::Signaled(15));
}

#[test]
fn what_a_shell_has_started_has_the_same_grace() {
    let mut worker = Worker::plain();
    let saves = "bash -c 'trap \"sleep 0.3; echo saved; exit\" TERM; echo ready; sleep 60 & wait'";
    worker.start_line(1, &format!("{saves}; true"));
    worker.wait_for_output(1, 1, "ready\n");
    worker.stop(1, StopCause::Canceled, Some(LONG));
    let result = worker.finished(1);
    assert_eq!(result.ending, Ending::Signaled(15));
    assert_eq!(text(&result.stdout), "ready\nsaved\n");
}

#[test]
fn one_that_is_stopped_before_it_has_a_process_gets_none() {
    let settings = JobSettings { stdio: StdioMode::Separate, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    let stdio = worker.directory.path().join("stdio").join(WORKFLOW.to_string());
    fs::create_dir_all(&stdio).unwrap();
    let stem = stdio.join(attempt(1).to_string());
    let [out, err] = ["out", "err"].map(|extension| stem.with_added_extension(extension));
    for pipe in [&out, &err] {
        // Opening it takes until there is a reader, as on a file system that stalls.
        mkfifo(pipe, Mode::S_IRWXU).unwrap();
    }
    worker.start_line(1, "touch ran");
    let _stdout = fs::File::open(&out).unwrap();
    worker.stop(1, StopCause::Canceled, None);
    // What is answered was heard, and all before it.
    worker.tail(1, 1, 0, false);
    worker.tailed(1);
    let _stderr = fs::File::open(&err).unwrap();
    let result = worker.finished(1);
    assert_eq!((result.ending, result.stopped), (Ending::Withdrawn, Some(StopCause::Canceled)));
    assert!(!worker.directory.path().join("ran").exists());
}

#[test]
fn a_queued_job_is_withdrawn() {
    let mut worker = Worker::plain();
    worker.start_line(1, "sleep 60");
    worker.start_line(2, "true");
    worker.start_line(3, "true");
    worker.started(1);
    worker.stop(2, StopCause::Canceled, None);
    let result = worker.finished(2);
    assert_eq!((result.ending, result.stopped), (Ending::Withdrawn, Some(StopCause::Canceled)));
    worker.stop(1, StopCause::Canceled, None);
    assert_eq!(worker.finished(3).ending, Ending::Exited(0));
}

#[test]
fn what_runs_is_not_withdrawn() {
    let mut worker = Worker::plain();
    worker.start_line(1, "while [ ! -e go ]; do sleep 0.02; done");
    worker.start_line(2, "true");
    worker.started(1);
    let attempts = vec![attempt(2), attempt(1), attempt(9)];
    worker.send(WorkerRequest::Withdraw { attempts, cause: StopCause::Shutdown });
    let result = worker.finished(2);
    assert_eq!((result.ending, result.stopped), (Ending::Withdrawn, Some(StopCause::Shutdown)));
    fs::write(worker.directory.path().join("go"), "").unwrap();
    let result = worker.finished(1);
    assert_eq!((result.ending, result.stopped), (Ending::Exited(0), None));
}

#[test]
fn all_are_stopped_when_none_is_named() {
    let mut worker = Worker::new(2, JobSettings::default());
    for job in 1..=4 {
        worker.start_line(job, "sleep 60");
    }
    worker.started(1);
    worker.started(2);
    worker.send(WorkerRequest::Stop { attempts: vec![], cause: StopCause::Canceled, grace: None });
    let endings: Vec<_> = (1..=4).map(|job| worker.finished(job).ending).collect();
    let term = Ending::Signaled(15);
    assert_eq!(endings, [term.clone(), term, Ending::Withdrawn, Ending::Withdrawn]);
}

#[test]
fn a_timeout_ends_a_job_and_says_so() {
    let settings = JobSettings { timeout: Some(SHORT), grace: LONG, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    let result = worker.run("sleep 60");
    assert_eq!((&result.ending, result.stopped), (&Ending::Signaled(15), Some(StopCause::Timeout)));
    assert_eq!(result.return_code(), TIMEOUT_CODE);
    worker.lane(1, JobSettings { timeout: Some(LONG), ..JobSettings::default() });
    assert_eq!(worker.run("true").stopped, None);
}

#[test]
fn a_timeout_ends_what_a_job_waits_for_with_the_code_of_its_settings() {
    let settings =
        JobSettings { timeout: Some(Span(1_000_000)), timeout_code: 99, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    let result = worker.run("sleep 60 & echo $!; wait");
    assert_eq!((result.stopped, result.return_code()), (Some(StopCause::Timeout), 99));
    assert!(result.usage.wall.0 >= 1_000_000 && result.usage.wall < LONG, "{:?}", result.usage);
    assert!(!is_alive(&text(&result.stdout)));
}

#[test]
fn the_signal_of_the_settings_asks_a_job_to_end() {
    let settings = JobSettings { termination_signal: 12, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    worker.start_line(
        1,
        "trap 'echo usr2; exit 7' USR2; trap '' TERM; echo ready; while :; do :; done",
    );
    worker.wait_for_output(1, 1, "ready\n");
    worker.stop(1, StopCause::TimeLimit, Some(LONG));
    let result = worker.finished(1);
    assert_eq!((&result.ending, result.stopped), (&Ending::Exited(7), Some(StopCause::TimeLimit)));
    assert_eq!(result.return_code(), TIMEOUT_CODE);
    assert_eq!(text(&result.stdout), "ready\nusr2\n");
}

#[test]
fn a_timeout_escalates_after_the_grace() {
    let settings =
        JobSettings { timeout: Some(Span(1_500_000)), grace: SHORT, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    assert_eq!(worker.run("trap '' TERM; sleep 60").ending, Ending::Signaled(9));
}

#[test]
fn what_a_job_leaves_in_its_group_is_killed_with_its_end() {
    let mut worker = Worker::plain();
    let result = worker.run("sleep 60 & echo $!");
    assert_eq!(result.ending, Ending::Exited(0));
    assert!(!is_alive(&text(&result.stdout)));
}

#[test]
fn what_moved_to_a_session_of_its_own_is_killed_too() {
    let mut worker = Worker::plain();
    let daemon = "setsid bash -c 'setsid sleep 60 & echo $$ $! > pids; exec sleep 60' &";
    let result = worker.run(&format!("{daemon} until test -s pids; do :; done"));
    assert_eq!(result.ending, Ending::Exited(0));
    let pids = fs::read_to_string(worker.directory.path().join("pids")).unwrap();
    assert_eq!(pids.split_whitespace().filter(|pid| is_alive(pid)).count(), 0);
}

#[test]
fn what_hides_its_environment_is_killed_with_the_worker() {
    let mut worker = Worker::plain();
    let hidden = "setsid env -i bash -c 'echo $$ > pid; exec sleep 60' &";
    worker.run(&format!("{hidden} until test -s pid; do :; done"));
    let pid = fs::read_to_string(worker.directory.path().join("pid")).unwrap();
    assert!(is_alive(&pid));
    assert_eq!(worker.drain(SHORT).last(), Some(&WorkerEvent::Drained));
    assert!(!is_alive(&pid));
}

#[test]
fn draining_ends_everything_and_reports_it() {
    let mut worker = Worker::plain();
    worker.start_line(1, "sleep 60");
    worker.start_line(2, "true");
    worker.started(1);
    let mut events = worker.drain(LONG);
    assert_eq!(events.pop(), Some(WorkerEvent::Drained));
    let mut endings: Vec<_> = events
        .into_iter()
        .map(|event| match event {
            WorkerEvent::Finished { attempt, result } => {
                (attempt.job.0, result.ending, result.stopped)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    endings.sort_by_key(|(job, ..)| *job);
    let shutdown = Some(StopCause::Shutdown);
    assert_eq!(endings, [(1, Ending::Signaled(15), shutdown), (2, Ending::Withdrawn, shutdown)]);
    assert!(worker.exit_status().success());
}

#[test]
fn jobs_that_come_while_it_drains_are_withdrawn() {
    let mut worker = Worker::plain();
    worker.start_line(1, STUBBORN);
    worker.wait_for_output(1, 1, "ready\n");
    worker.send(WorkerRequest::Drain { grace: LONG });
    worker.start_line(2, "true");
    assert_eq!(worker.finished(2).ending, Ending::Withdrawn);
    worker.drain(SHORT);
    assert!(worker.exit_status().success());
}

#[test]
fn the_end_of_torcd_ends_everything() {
    let mut worker = Worker::new(2, JobSettings::default());
    worker.start_line(1, "sleep 60");
    worker.start_line(2, "setsid sleep 60 & echo $!; wait");
    let first = worker.started(1).to_string();
    let second = worker.started(2).to_string();
    worker.wait_for_output(1, 2, "\n");
    worker.hang_up();
    assert!(worker.exit_status().success());
    assert!(!is_alive(&first) && !is_alive(&second));
}

#[test]
fn garbage_is_an_error_and_ends_everything() {
    use std::io::Write;
    let mut worker = Worker::plain();
    worker.start_line(1, "sleep 60");
    let pid = worker.started(1).to_string();
    worker.raw().write_all(&[0xff; 64]).unwrap();
    assert_eq!(worker.exit_status().code(), Some(1));
    assert!(!is_alive(&pid));
}

#[test]
fn signals_do_not_end_the_worker() {
    use nix::sys::signal::{Signal, kill};
    let mut worker = Worker::plain();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGPIPE] {
        for pid in [worker.guard(), worker.pid()] {
            kill(nix::unistd::Pid::from_raw(pid.cast_signed()), signal).unwrap();
        }
    }
    assert_eq!(worker.run("true").ending, Ending::Exited(0));
}
