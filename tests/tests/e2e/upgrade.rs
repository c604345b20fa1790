//! A torcd that makes room for the next: when its jobs have ended, or at once.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use torc_protocol::hello::{Hello, PROTOCOL_VERSION};
use torc_tests::database::Database;
use torc_tests::processes::{self, is_alive};
use torc_tests::running::Running;
use torc_tests::torc::Torc;
use torc_tests::wait::wait_until;

use crate::other_programs::stranger;
use crate::{SLEEPER, UNTIL_GO, torc};

/// A torcd of the user whose first job runs until it is let go, while a second waits for its turn.
fn with_a_job() -> Torc {
    let torc = torc();
    torc.args(["daemon", "start", "--in-memory", "--db", "runs.db"]).run().expect(0);
    let exec = ["exec", "--detach", "-j", "1", "-c", UNTIL_GO, "-c", "touch second"];
    torc.args(exec).run().expect(0);
    torc.contents_of("started");
    torc
}

/// Returns whether the second job does not run because torcd is to end.
fn is_held(torc: &Torc) -> bool {
    torc.args(["explain", "job2"]).run().expect(0).stdout.contains("torcd is ending")
}

/// Asks torcd to end when its jobs have, and returns when that is being waited for.
fn wait_for_jobs(torc: &Torc, verb: &str) -> Running {
    let mut waiting = torc.args(["daemon", verb, "--running", "wait"]).start();
    waiting.await_stderr("waiting for 1 running job; Ctrl-C leaves all as it is");
    waiting
}

fn pid(torc: &Torc) -> u32 {
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    u32::try_from(status["pid"].as_u64().unwrap()).unwrap()
}

fn jobs(torc: &Torc) -> Vec<String> {
    let database = Database::open(torc.path("runs.db"));
    database.expect_sound();
    database.rows("SELECT status FROM job ORDER BY id")
}

#[test]
fn a_stop_that_waits_lets_end_what_runs_and_starts_nothing() {
    let torc = with_a_job();
    let stop = wait_for_jobs(&torc, "stop");
    torc.args(["exec", "--detach", "-c", "touch later"]).run().expect(0);
    let list = torc.args(["jobs", "list"]).run().expect(0);
    assert!(list.stdout.contains("ready"), "{list}");
    torc.write("go", "");
    stop.wait().expect(0).says("has ended");
    torc.wait_for_silence();
    assert_eq!(jobs(&torc), ["completed", "ready", "ready"]);
    assert!(!torc.path("second").exists() && !torc.path("later").exists());
}

#[test]
fn whoever_does_not_wait_any_more_leaves_all_as_it_was() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let torc = with_a_job();
        let before = pid(&torc);
        let stop = wait_for_jobs(&torc, "stop");
        stop.signal(signal);
        let outcome = stop.wait();
        if signal == Signal::SIGINT {
            outcome.expect(130).says("torcd goes on, and starts jobs again");
        }
        wait_until("jobs are started again", || !is_held(&torc));
        torc.write("go", "");
        wait_until("the second job runs", || torc.path("second").exists());
        assert_eq!(pid(&torc), before);
        torc.args(["daemon", "stop"]).run().expect(0);
        torc.wait_for_silence();
    }
}

#[test]
fn a_limit_of_the_wait_is_an_exit_code_and_leaves_all_as_it_was() {
    let torc = with_a_job();
    let call = ["daemon", "restart", "--timeout", "50ms"];
    torc.args(call).run().expect_refusal(4, "torcd has not ended: after 0.05 s it has ");
    wait_until("jobs are started again", || !is_held(&torc));
    torc.write("go", "");
    wait_until("the second job runs", || torc.path("second").exists());
    torc.args(["daemon", "stop"]).run().expect(0);
    let refused = ["daemon", "stop", "--timeout", "1s"];
    torc.args(refused).run().expect_refusal(2, "`--timeout` is for jobs that are waited for");
}

#[test]
fn a_stronger_wish_ends_the_wait() {
    let torc = with_a_job();
    let waiting = wait_for_jobs(&torc, "stop");
    torc.args(["daemon", "stop"]).run().expect(0);
    waiting.wait().expect(0);
    torc.wait_for_silence();
    assert_eq!(jobs(&torc), ["terminated", "ready"]);
}

#[test]
fn a_restart_waits_for_what_runs_and_goes_on_with_what_waits() {
    let torc = with_a_job();
    let before = pid(&torc);
    let restart = wait_for_jobs(&torc, "restart");
    torc.write("go", "");
    restart.wait().expect(0);
    assert_ne!(pid(&torc), before);
    wait_until("the second job runs", || torc.path("second").exists());
    torc.args(["wait"]).run().expect(0);
    torc.args(["daemon", "stop"]).run().expect(0);
    torc.wait_for_silence();
    assert_eq!(jobs(&torc), ["completed", "completed"]);
}

#[test]
fn what_is_to_run_again_is_stopped_and_run_again_by_the_next_torcd() {
    let torc = torc();
    torc.args(["daemon", "start", "--in-memory", "--db", "runs.db"]).run().expect(0);
    let exec = ["exec", "--detach", "-c", SLEEPER];
    torc.args(exec).run().expect(0);
    let first: u32 = torc.contents_of("started").trim().parse().unwrap();
    fs::remove_file(torc.path("started")).unwrap();
    torc.args(["daemon", "restart", "--running", "again"]).run().expect(0);
    let second: u32 = torc.contents_of("started").trim().parse().unwrap();
    assert!(first != second && !is_alive(first) && is_alive(second));
    torc.args(["daemon", "stop"]).run().expect(0);
    torc.wait_for_silence();
    assert_eq!(jobs(&torc), ["terminated"]);
    let attempts = "SELECT number, status, reason FROM attempt ORDER BY number";
    let attempts = Database::open(torc.path("runs.db")).rows(attempts);
    let again = "1|terminated|torc was ended, to be run again (signal 15)";
    assert_eq!(attempts, [again, "2|terminated|torc was ended (signal 15)"]);
}

#[test]
fn sigusr2_ends_torcd_when_its_jobs_have_ended_and_sigterm_at_once() {
    for at_once in [false, true] {
        let torc = torc();
        let mut daemon = torc.daemon(["--in-memory", "--snapshot", "runs.db"]);
        let exec = ["exec", "--detach", "-j", "1", "-c", UNTIL_GO, "-c", "touch second"];
        torc.args(exec).run().expect(0);
        torc.contents_of("started");
        daemon.signal(Signal::SIGUSR2);
        // From the moment on at which it is known that nothing starts.
        wait_until("nothing is started", || is_held(&torc));
        if at_once {
            daemon.signal(Signal::SIGTERM);
        } else {
            torc.write("go", "");
        }
        assert_eq!(daemon.exit_code(), 0);
        let first = if at_once { "terminated" } else { "completed" };
        assert_eq!(jobs(&torc), [first, "ready"]);
    }
}

#[test]
fn a_restart_keeps_what_the_torcd_before_was_told() {
    let torc = torc();
    let spill = torc.root().join("spill");
    fs::create_dir(&spill).unwrap();
    let start = ["daemon", "start", "--in-memory", "--snapshot", "x.db", "--snapshot-keep", "3"];
    let more = ["--snapshot-interval-seconds", "77", "--snapshot-timeout", "99", "--spill-dir"];
    let spill = spill.to_str().unwrap();
    torc.args(start.iter().chain(&more).chain(&[spill])).run().expect(0);
    let before = processes::command_of(pid(&torc));
    torc.args(["daemon", "restart"]).run().expect(0);
    assert_eq!(processes::command_of(pid(&torc)), before);
    torc.args(["daemon", "restart", "--snapshot-keep", "4"]).run().expect(0);
    let after = processes::command_of(pid(&torc));
    assert_eq!(after, before.replace("--snapshot-keep 3", "--snapshot-keep 4"));
    torc.args(["daemon", "stop"]).run().expect(0);
}

#[test]
fn a_restart_after_a_final_snapshot_that_failed_starts_nothing() {
    let torc = torc();
    fs::create_dir(torc.path("place")).unwrap();
    let start = ["daemon", "start", "--in-memory", "--db", "place/runs.db"];
    torc.args(start).run().expect(0);
    torc.args(["exec", "-c", "true"]).run().expect(0);
    fs::rename(torc.path("place"), torc.path("away")).unwrap();
    torc.write("place", "a file where the directory was");
    torc.args(["daemon", "restart"]).run().expect_refusal(5, "place/runs.db");
    torc.args(["status"]).run().expect_refusal(3, "no torcd");
    fs::remove_file(torc.path("place")).unwrap();
    fs::rename(torc.path("away"), torc.path("place")).unwrap();
    // Nothing is lost: the next one goes on from what the first has left elsewhere.
    torc.args(start).run().expect(0);
    let list = torc.args(["jobs", "list", "--format", "csv"]).run().expect(0);
    assert!(list.stdout.contains("completed"), "{list}");
    torc.args(["daemon", "stop"]).run().expect(0);
}

#[test]
fn a_restart_keeps_what_the_environment_of_the_torcd_before_said() {
    let torc = torc();
    let (interval, path) = ("TORC_SNAPSHOT_INTERVAL_SECONDS", torc.path("x.db"));
    let start = ["daemon", "start", "--in-memory", "--snapshot", path.to_str().unwrap()];
    torc.args(start).env(interval, "77").run().expect(0);
    let told = || -> Vec<String> {
        let environment = fs::read(format!("/proc/{}/environ", pid(&torc))).unwrap();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        environment
            .split('\0')
            .filter(|word| word.starts_with(interval))
            .map(str::to_owned)
            .collect()
    };
    let (kept, anew) = (vec![format!("{interval}=77")], vec![format!("{interval}=88")]);
    torc.args(["daemon", "restart"]).run().expect(0);
    assert_eq!(told(), kept);
    torc.args(["daemon", "restart"]).env(interval, "88").run().expect(0);
    assert_eq!(told(), anew);
    torc.args(["daemon", "stop"]).run().expect(0);
}

/// A torcd of another protocol, at the usual place, that was started with these options.
fn older(torc: &Torc, options: &[&str]) -> Child {
    let socket = torc.args(["daemon", "socket-path"]).run().expect(0).stdout;
    let socket = socket.trim_end();
    let mut call = Command::new(stranger("torcd-of-old"));
    call.args(["--socket", socket]).args(options).current_dir(torc.work());
    let mut child = call.stdin(Stdio::piped()).spawn().unwrap();
    let hello = Hello { protocol: PROTOCOL_VERSION + 1, version: "9.9.9".to_owned() };
    child.stdin.take().unwrap().write_all(&hello.encode()).unwrap();
    wait_until("the other torcd listens", || Path::new(socket).exists());
    child
}

#[test]
fn a_torcd_of_another_protocol_is_waited_for_and_the_next_started_as_it_was() {
    let torc = torc();
    let snapshot = torc.path("x.db").display().to_string();
    let options = ["--in-memory", "--snapshot", &snapshot, "--snapshot-interval-seconds=60"];
    let mut old = older(&torc, &options);
    let restart = torc.args(["daemon", "restart"]).start();
    wait_until("it is asked to finish", || torc.path("asked").exists());
    torc.write("go", "");
    assert!(old.wait().unwrap().success());
    restart.wait().expect(0).says("torcd of another version");
    let command = processes::command_of(pid(&torc));
    let expected = format!("--in-memory --snapshot {snapshot} --snapshot-interval-seconds 60");
    assert!(command.contains(&expected), "{command}");
    torc.args(["daemon", "stop"]).run().expect(0);
}

#[test]
fn a_torcd_of_another_protocol_is_stopped_only_when_the_next_can_be_started_as_it_was() {
    let torc = torc();
    let mut old = older(&torc, &["--in-memory", "--snapshot", "x.db"]);
    let relative = "'--snapshot x.db', and nobody knows in which directory";
    torc.args(["daemon", "restart", "--running", "stop"]).run().expect_refusal(7, relative);
    let again = ["daemon", "restart", "--running", "again", "--snapshot", "x.db"];
    torc.args(again).run().expect_refusal(7, "cannot be asked to run its jobs again");
    assert_eq!(old.try_wait().unwrap(), None);
    let stop = ["daemon", "restart", "--running", "stop", "--snapshot", "x.db"];
    torc.args(stop).run().expect(0);
    old.wait().unwrap();
    torc.args(["status"]).run().expect(0);
    torc.args(["daemon", "stop"]).run().expect(0);
}

#[test]
fn what_was_asked_for_by_a_signal_is_not_taken_back_and_that_is_said() {
    let torc = torc();
    let mut old = older(&torc, &["--in-memory", "--snapshot", "/x.db"]);
    let limit = ["daemon", "restart", "--timeout", "50ms"];
    torc.args(limit).run().expect_refusal(4, "hint: it still ends when they have");
    let mut stop = torc.args(["daemon", "stop", "--running", "wait"]).start();
    stop.await_stderr("waiting for the jobs of torcd");
    stop.signal(Signal::SIGINT);
    stop.wait().expect(130).says("torcd still ends, when its jobs have");
    torc.write("go", "");
    assert!(old.wait().unwrap().success());
}
