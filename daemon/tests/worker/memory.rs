//! Limits of memory.

use std::fs;

use torc_protocol::result::{AttemptResult, Ending, OUT_OF_MEMORY_CODE, StopCause};
use torc_protocol::spec::JobSettings;
use torc_protocol::status::JobStatus;
use torc_protocol::time::Span;

use crate::harness::{Worker, is_alive, text};

const MIB: u64 = 1024 * 1024;
const LIMIT: u64 = 256 * MIB;

/// The other half of 2 GiB: `tail` has to keep all that it may have to write. When it has all of it,
/// it keeps it until the end of `sleep`.
const GIB: &str = "{ head -c 1073741824 /dev/zero; sleep 60; } | tail -c 1073741824 > /dev/null";

fn limited(width: u32) -> Worker {
    let settings = JobSettings { memory: Some(LIMIT), ..JobSettings::default() };
    Worker::new(width, settings)
}

fn assert_out_of_memory(result: &AttemptResult) {
    assert_eq!(
        (&result.ending, result.stopped),
        (&Ending::Signaled(9), Some(StopCause::OutOfMemory))
    );
    assert_eq!((result.return_code(), result.status()), (OUT_OF_MEMORY_CODE, JobStatus::Failed));
    let peak = result.usage.peak_memory;
    assert_eq!(result.reason(), format!("out of memory at {} MiB (signal 9)", peak / MIB));
    assert!(peak > LIMIT / 4 && peak < 2048 * MIB, "{} MiB", peak / MIB);
    // It would run for a minute. How long it takes to fill so much depends on the machine.
    assert!(result.usage.wall < Span(50_000_000), "{:?}", result.usage);
}

/// Returns the processes of this machine that have this word on their command line.
fn processes_with(word: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.filter(|line| line.contains(word)).collect()
}

#[test]
fn what_takes_too_much_is_killed_with_all_its_children_and_no_neighbour() {
    let mut worker = limited(2);
    let gate = worker.directory.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    worker.start_line(2, "echo ready; cat gate; echo unharmed");
    worker.wait_for_output(1, 2, "ready\n");
    // The mark is an argument of the shells, by which they are looked for.
    let mark = format!("mark-{}", worker.pid());
    let line = format!("for i in 1 2; do bash -c '{GIB}' {mark} & done; echo $!; wait");
    worker.start_line(1, &line);
    let result = worker.finished(1);
    assert_out_of_memory(&result);
    assert!(!is_alive(&text(&result.stdout)));
    assert!(processes_with(&mark).is_empty(), "{:?}", processes_with(&mark));
    fs::write(gate, "").unwrap();
    let neighbour = worker.finished(2);
    assert_eq!((neighbour.ending, neighbour.stopped), (Ending::Exited(0), None));
    assert_eq!(text(&neighbour.stdout), "ready\nunharmed\n");
}

#[test]
fn a_process_that_left_its_group_and_hides_is_counted_and_killed_by_its_parents() {
    let mut worker = limited(1);
    let hidden = format!("setsid env -i /bin/bash -c 'echo $$ > pid; {GIB}' & wait");
    let result = worker.run(&hidden);
    assert_out_of_memory(&result);
    let pid = fs::read_to_string(worker.directory.path().join("pid")).unwrap();
    assert!(!is_alive(&pid));
}

#[test]
fn a_process_whose_parents_are_gone_is_known_by_its_environment() {
    let mut worker = limited(1);
    let orphan = format!("(setsid bash -c 'echo $$ > pid; {GIB}' &); sleep 60");
    let result = worker.run(&orphan);
    assert_out_of_memory(&result);
    let pid = fs::read_to_string(worker.directory.path().join("pid")).unwrap();
    assert!(!is_alive(&pid));
}

#[test]
fn the_code_of_the_settings_is_recorded() {
    let settings =
        JobSettings { memory: Some(32 * MIB), out_of_memory_code: 77, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    assert_eq!(worker.run(GIB).return_code(), 77);
}

#[test]
fn memory_that_forked_processes_share_counts_once() {
    let mut worker = limited(1);
    // Each shell has what its parent had; together they seem to have several times the limit.
    let line = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); \
                for i in 1 2 3 4 5 6 7 8; do (sleep 0.5; :) & done; wait; echo ${#x}";
    let result = worker.run(line);
    assert_eq!((&result.ending, result.stopped), (&Ending::Exited(0), None), "{result:?}");
    assert_eq!(text(&result.stdout), "60000000\n");
}

#[test]
fn a_limit_is_not_kept_when_that_is_not_asked_for() {
    let settings = JobSettings { memory: Some(MIB), limit_memory: false, ..JobSettings::default() };
    let mut worker = Worker::new(1, settings);
    let result = worker.run("head -c 50000000 /dev/zero | tail -c 50000000 | wc -c; sleep 0.3");
    assert_eq!((result.ending, result.stopped), (Ending::Exited(0), None));
}

#[test]
fn sigkill_by_somebody_else_is_a_signal() {
    let mut worker = limited(1);
    let result = worker.run("kill -KILL $$");
    assert_eq!((&result.ending, result.stopped), (&Ending::Signaled(9), None));
    assert_eq!(result.reason(), "signal 9");
}

#[test]
fn the_peak_is_of_all_processes_together() {
    let mut worker = limited(1);
    let hold = "{ head -c 60000000 /dev/zero; sleep 0.5; } | tail -c 60000000 > /dev/null &";
    let result = worker.run(&format!("{hold} {hold} wait"));
    assert_eq!(result.ending, Ending::Exited(0));
    assert!(result.usage.peak_memory > 110_000_000, "{:?}", result.usage);
}

#[test]
fn there_is_no_thread_for_limits_until_there_is_a_limit() {
    let mut worker = Worker::plain();
    worker.run("true");
    let threads = fs::read_dir(format!("/proc/{}/task", worker.pid())).unwrap().count();
    assert_eq!(threads, 2, "the main thread, and that of the slot");
    worker.lane(1, JobSettings { memory: Some(LIMIT), ..JobSettings::default() });
    assert_eq!(worker.run("true").ending, Ending::Exited(0));
}

#[test]
fn what_cannot_be_started_says_so_under_a_limit_too() {
    let mut worker = limited(1);
    let Ending::NotStarted(127, reason) = worker.run("no-such-program").ending else { panic!() };
    assert_eq!(reason, "command not found: no-such-program");
    assert_eq!(worker.run("/etc/passwd").return_code(), 126);
}
