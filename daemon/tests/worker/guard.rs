//! What becomes of jobs when the worker, or the guard that watches over it, is killed.

use std::fs;
use std::path::Path;

use torc_protocol::spec::JobSettings;
use torc_protocol::worker::WorkerEvent;

use crate::harness::{Worker, is_alive};

/// Starts a process in its group, one in a session of its own, and there one that hides its
/// environment and has a child; says the numbers of all and its own.
const LEAVER: &str = "sleep 60 & one=$!; setsid sleep 60 & two=$!; \
    setsid env -i /bin/bash -c 'sleep 60 & echo $! > child; wait' & three=$!; \
    until test -s child; do :; done; echo $$ $one $two $three $(cat child) > pids.new; \
    mv pids.new pids; echo ready; wait";

/// Starts a worker with that job, and returns the numbers of its processes.
fn with_leaver() -> (Worker, Vec<String>) {
    let mut worker = Worker::new(1, JobSettings::default());
    worker.start_line(1, LEAVER);
    worker.wait_for_output(1, 1, "ready\n");
    let pids = fs::read_to_string(worker.directory.path().join("pids")).expect("it is there");
    let pids: Vec<String> = pids.split_whitespace().map(str::to_owned).collect();
    assert_eq!(pids.iter().filter(|pid| is_alive(pid)).count(), 5, "{pids:?}");
    (worker, pids)
}

fn alive(pids: &[String]) -> Vec<&String> {
    pids.iter().filter(|pid| is_alive(pid)).collect()
}

#[test]
fn what_a_killed_worker_leaves_is_gone_when_its_guard_is() {
    let (mut worker, pids) = with_leaver();
    worker.kill();
    assert_eq!(worker.exit_status().code(), Some(128 + 9));
    assert_eq!(alive(&pids), [""; 0]);
}

#[test]
fn when_torcd_is_gone_too_it_is_no_different() {
    let (mut worker, pids) = with_leaver();
    worker.kill();
    worker.hang_up();
    assert_eq!(worker.exit_status().code(), Some(128 + 9));
    assert_eq!(alive(&pids), [""; 0]);
}

#[test]
fn a_worker_whose_guard_is_killed_ends_all_and_says_nothing_of_it() {
    let (mut worker, pids) = with_leaver();
    worker.kill_guard();
    // The worker closes the connection when it has ended, and only then.
    while let Some(event) = worker.event() {
        assert!(!matches!(event, WorkerEvent::Finished { .. }), "{event:?}");
    }
    assert_eq!(alive(&pids), [""; 0]);
}

#[test]
fn the_guard_holds_nothing_open_and_is_known_by_another_name() {
    let worker = Worker::plain();
    let guard = Path::new("/proc").join(worker.guard().to_string());
    for fd in ["0", "1", "2"] {
        assert_eq!(fs::read_link(guard.join("fd").join(fd)).unwrap(), Path::new("/dev/null"));
    }
    let read = |file| fs::read_to_string(guard.join(file)).unwrap();
    assert_eq!(read("comm"), "torc-guard\n");
    assert_eq!(read("cmdline").trim_end_matches('\0'), "torc-guard");
    let worker = fs::read_to_string(format!("/proc/{}/cmdline", worker.pid())).unwrap();
    assert!(worker.ends_with("torcd\0worker\0"), "{worker:?}");
}
