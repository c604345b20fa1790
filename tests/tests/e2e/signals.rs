//! Whatever ends torcctl, torcd or the worker: the record is on disk, and no process is left.

use std::process::Command;

use nix::sys::signal::Signal;
use torc_tests::memory;
use torc_tests::processes::{Process, is_alive, signal};
use torc_tests::running::Running;
use torc_tests::torc::{Torc, names_in};
use torc_tests::wait::wait_until;

use crate::{SLEEPER, torc};

/// A run with one job that sleeps and one that waits behind it.
struct Run {
    torc: Torc,
    torcctl: Running,
    job: u32,
    torcd: u32,
}

impl Run {
    fn start() -> Self {
        Self::of(SLEEPER)
    }

    /// Starts it, and waits until the job has said its process id.
    fn of(command: &str) -> Self {
        let torc = torc();
        let call = torc.args(["exec", "-j", "1", "-c", command, "-c", "touch second"]);
        let torcctl = call.start();
        let job = torc.contents_of("started").trim().parse().unwrap();
        let torcd = process(&torc, "--lifeline").pid;
        Self { torc, torcctl, job, torcd }
    }

    /// Waits until all has ended, and checks that nothing but the record is left.
    fn ended(self) -> (Torc, i32, String) {
        let Self { torc, torcctl, job, torcd } = self;
        let outcome = torcctl.wait();
        torc.wait_for_silence();
        assert!(!is_alive(job) && !is_alive(torcd));
        assert_eq!(names_in(&torc.runtime().join("torc")), [""; 0]);
        assert!(memory::of(torcd).is_empty(), "the database in memory is left");
        torc.database().expect_sound();
        (torc, outcome.status.code().unwrap_or(-1), outcome.stderr)
    }
}

fn process(torc: &Torc, with: &str) -> Process {
    let all = torc.processes();
    let found = all.iter().find(|process| process.command.contains(with));
    found.unwrap_or_else(|| panic!("no process with {with} in {all:?}")).clone()
}

fn jobs(torc: &Torc) -> Vec<String> {
    torc.database().rows("SELECT name, status FROM job ORDER BY id")
}

#[test]
fn signals_end_the_jobs_and_are_the_exit_code_after_the_record_is_safe() {
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let run = Run::start();
        run.torcctl.signal(signal);
        let (torc, ended, stderr) = run.ended();
        assert_eq!(ended, code, "{signal}: {stderr}");
        assert_eq!(jobs(&torc), ["job1|terminated", "job2|canceled"], "{signal}");
        let attempts = torc.database().rows("SELECT status, return_code, reason FROM attempt");
        assert_eq!(attempts, ["terminated|143|canceled (signal 15)"], "{signal}");
        assert_eq!(torc.database().value("SELECT status FROM workflow"), "canceled");
        assert!(!torc.path("second").exists());
    }
}

#[test]
fn when_torcctl_is_killed_the_jobs_end_and_the_record_is_written() {
    let run = Run::start();
    run.torcctl.signal(Signal::SIGKILL);
    let (torc, ended, stderr) = run.ended();
    assert_eq!(ended, -1, "{stderr}");
    assert_eq!(jobs(&torc), ["job1|terminated", "job2|canceled"]);
    let attempts = torc.database().rows("SELECT status, return_code, reason FROM attempt");
    assert_eq!(attempts, ["terminated|143|torc was ended (signal 15)"]);
}

#[test]
fn a_second_interrupt_does_not_wait_for_jobs_that_will_not_end() {
    let stubborn = "trap 'touch termed' TERM; echo $$ > started.new; mv started.new started; \
                    while :; do sleep 0.1; done";
    let run = Run::of(stubborn);
    run.torcctl.signal(Signal::SIGINT);
    wait_until("the job gets SIGTERM", || run.torc.path("termed").exists());
    run.torcctl.signal(Signal::SIGINT);
    let (torc, ended, stderr) = run.ended();
    assert_eq!(ended, 130, "{stderr}");
    let attempts = torc.database().rows("SELECT status, return_code, reason FROM attempt");
    assert_eq!(attempts, ["terminated|137|canceled (signal 9)"]);
}

#[test]
fn the_whole_group_of_a_job_ends_and_strays_too() {
    let command = "sleep 301 & (setsid sleep 302 &) ; echo $$ > started.new; \
                   mv started.new started; wait";
    let run = Run::of(command);
    process(&run.torc, "sleep 302");
    run.torcctl.signal(Signal::SIGINT);
    let (torc, ended, stderr) = run.ended();
    assert_eq!(ended, 130, "{stderr}");
    assert_eq!(jobs(&torc), ["job1|terminated", "job2|canceled"]);
}

#[test]
fn what_a_finished_job_has_left_behind_ends_with_it() {
    let torc = torc();
    torc.args(["exec", "-c", "sleep 303 & sleep 304 & true"]).run().expect(0);
    torc.wait_for_silence();
}

#[test]
fn when_torcd_is_told_to_end_the_record_is_written() {
    let run = Run::start();
    signal(run.torcd, Signal::SIGTERM);
    let (torc, ended, stderr) = run.ended();
    assert_eq!(ended, 1, "{stderr}");
    assert_eq!(jobs(&torc)[0], "job1|terminated");
}

#[test]
fn when_the_worker_is_killed_its_jobs_are_lost_and_the_rest_goes_on() {
    let run = Run::start();
    signal(process(&run.torc, "torcd worker").pid, Signal::SIGKILL);
    let (torc, ended, stderr) = run.ended();
    assert_eq!(ended, 1, "{stderr}");
    assert_eq!(jobs(&torc), ["job1|failed", "job2|completed"]);
    let reason = torc.database().value("SELECT reason FROM attempt WHERE job_id = 1");
    assert!(reason.starts_with("lost: "), "{reason}");
    assert!(torc.path("second").exists());
}

/// Starts a process in its group, one in another session, and one there that hides its environment;
/// says the numbers of all in the file `left`.
const LEAVER: &str = "sleep 305 & one=$!; setsid sleep 306 & two=$!; \
                      setsid env -i /bin/sleep 307 & echo $one $two $! > left; \
                      echo $$ > started.new; mv started.new started; wait";

/// Kills the processes with these words on their command line all at once, while a job runs that has
/// started others; returns when these are gone.
fn kill_at_once(victims: &[&str]) -> Run {
    let run = Run::of(LEAVER);
    let left = run.torc.contents_of("left");
    let left: Vec<u32> = left.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(left.len() == 3 && left.iter().all(|pid| is_alive(*pid)), "{left:?}");
    let victims = victims.iter().map(|with| process(&run.torc, with).pid.to_string());
    assert!(Command::new("kill").arg("-9").args(victims).status().unwrap().success());
    wait_until("all that the job has started is gone", || !left.iter().any(|pid| is_alive(*pid)));
    run
}

#[test]
fn nothing_is_left_when_torcd_is_killed_together_with_the_worker_or_its_guard() {
    for other in ["torcd worker", "torc-guard"] {
        let Run { torc, torcctl, job, torcd } = kill_at_once(&["--lifeline", other]);
        torcctl.wait().expect(5);
        torc.wait_for_silence();
        assert!(!is_alive(job));
        memory::clear(torcd);
    }
}

#[test]
fn nothing_is_left_of_lost_jobs_and_the_rest_goes_on() {
    for victim in ["torcd worker", "torc-guard"] {
        let (torc, ended, stderr) = kill_at_once(&[victim]).ended();
        assert_eq!(ended, 1, "{stderr}");
        assert_eq!(jobs(&torc), ["job1|failed", "job2|completed"], "{victim}");
        let reason = torc.database().value("SELECT reason FROM attempt WHERE job_id = 1");
        assert!(reason.starts_with("lost: the worker ended: signal: 9"), "{victim}: {reason}");
    }
}

#[test]
fn a_worker_that_is_stuck_does_not_keep_torcctl_from_ending() {
    let run = Run::start();
    signal(process(&run.torc, "torcd worker").pid, Signal::SIGSTOP);
    run.torcctl.signal(Signal::SIGINT);
    run.torcctl.signal(Signal::SIGINT);
    let (torc, ended, stderr) = run.ended();
    assert_eq!(ended, 130, "{stderr}");
    assert_eq!(jobs(&torc), ["job1|failed", "job2|canceled"]);
}

#[test]
fn when_torcd_is_killed_its_jobs_end_and_torcctl_says_that_nothing_is_safe() {
    let torc = torc();
    let torcctl = torc.args(["exec", "-c", SLEEPER]).start();
    let job = torc.contents_of("started").trim().parse().unwrap();
    let torcd = process(&torc, "--lifeline").pid;
    signal(torcd, Signal::SIGKILL);
    let outcome = torcctl.wait().expect(5);
    assert!(outcome.stderr.contains("error: "), "{outcome}");
    torc.wait_for_silence();
    assert!(!is_alive(job));
    let left = memory::of(torcd);
    assert!(
        left.len() == 1 && left[0].join("torc.db").is_file(),
        "the database survives: {left:?}"
    );
    memory::clear(torcd);
}
