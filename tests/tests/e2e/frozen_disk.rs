//! A target whose file system does not answer, or takes its time: nobody waits for it but who asks
//! for it, and at the end the record is saved elsewhere.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;
use torc_tests::daemon::Daemon;
use torc_tests::database::Database;
use torc_tests::memory;
use torc_tests::processes::Process;
use torc_tests::running::Running;
use torc_tests::slow_disk::{Slow, SlowDisk};
use torc_tests::torc::{Torc, names_in};
use torc_tests::wait::wait_until;

use crate::{UNTIL_GO, torc};

/// How long anything may take that must not wait for the disk. The freeze itself has no end.
const SOON: Duration = Duration::from_secs(20);

fn service(torc: &Torc, disk: &SlowDisk, more: &[&str]) -> Daemon {
    let target = disk.path("torc.db").display().to_string();
    let mut args = vec!["--in-memory", "--snapshot", &target];
    args.extend(more);
    torc.daemon(args)
}

/// Runs a job on the torcd of the user, to its end.
fn run_a_job(torc: &Torc, name: &str) {
    torc.args(["exec", "--detach", "-n", name, "-c", &format!("echo {name}")]).run().expect(0);
    torc.args(["wait", name]).run().expect(0);
}

fn snapshot_status(torc: &Torc) -> Value {
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    status["snapshot"].clone()
}

/// Returns what is recorded, and checks that it is sound.
fn workflows(path: &Path) -> Vec<String> {
    let database = Database::open(path);
    database.expect_sound();
    database.rows("SELECT name, status FROM workflow ORDER BY id")
}

/// Returns the names of the snapshots on the disk, by the way that always answers.
fn names(disk: &SlowDisk) -> Vec<String> {
    let mut names = names_in(disk.backing());
    names.retain(|name| !name.contains(".lease"));
    names
}

/// Checks that what was begun then has not waited for the disk.
#[track_caller]
fn expect_soon(begun: Instant) {
    assert!(begun.elapsed() < SOON, "it took {:?}", begun.elapsed());
}

/// Returns the processes that are left, the writers aside: they hang where nobody reaches them.
fn but_writers(torc: &Torc) -> Vec<Process> {
    let mut left = torc.processes();
    left.retain(|process| !process.command.contains("snapshot-writer"));
    left
}

#[test]
fn while_the_target_is_frozen_all_but_the_snapshot_goes_on() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let daemon = service(&torc, &disk, &[]);
    run_a_job(&torc, "before");
    torc.args(["snapshot", "--wait"]).run().expect(0);
    disk.freeze();
    let begun = Instant::now();
    let late = torc.args(["snapshot", "--wait=1"]).run().expect_refusal(4, "step '");
    disk.wait_for_a_victim();
    for name in ["one", "two", "three"] {
        run_a_job(&torc, name);
    }
    let jobs = torc.args(["jobs", "list", "-w", "three", "--format", "json"]).run().expect(0);
    assert_eq!(jobs.json()[0]["status"], "completed");
    let status = snapshot_status(&torc);
    let phase = status["phase"].as_str().unwrap();
    assert!(late.stderr.contains(&format!("step '{phase}'")), "{phase}: {late}");
    assert!(status["phase_since"].as_f64().unwrap() > 1e9, "{status}");
    assert_eq!(status["error"], Value::Null, "it has not failed: {status}");
    // Whoever asks meanwhile is queued behind it.
    let queued = torc.args(["snapshot", "--wait=0.2", "--format", "json"]).run().expect(4).json();
    assert_eq!(queued["status"], "timed_out");
    assert_eq!(queued["phase"], "waiting");
    expect_soon(begun);
    assert_eq!(workflows(&disk.backing().join("torc.db")), ["before|completed"]);
    disk.thaw();
    torc.args(["snapshot", "--wait"]).run().expect(0);
    assert_eq!(snapshot_status(&torc)["phase"], Value::Null);
    assert_eq!(workflows(&disk.backing().join("torc.db")).len(), 4);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_slow_target_takes_its_time_and_says_in_which_step() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let daemon = service(&torc, &disk, &[]);
    run_a_job(&torc, "job");
    disk.slow_down(Slow::Write, Duration::from_millis(20));
    disk.slow_down(Slow::Sync, Duration::from_millis(300));
    let report = torc.args(["snapshot", "--wait", "--format", "json"]).run().expect(0).json();
    let phases = report["phases"].as_array().unwrap();
    let took = |name: &str| {
        let phase = phases.iter().find(|phase| phase[0] == name);
        phase.unwrap_or_else(|| panic!("no {name} in {report}"))[1].as_f64().unwrap()
    };
    assert!(took("write") >= 0.02, "{report}");
    assert!(took("sync") >= 0.3, "{report}");
    assert!(took("copy") < 0.3, "{report}");
    assert_eq!(daemon.end(), 0);
    assert_eq!(workflows(&disk.backing().join("torc.db")), ["job|completed"]);
}

/// A torcd that has ended although its target was frozen, with exit code 5.
struct Ended {
    kept: PathBuf,
    pid: u32,
}

/// Ends a torcd whose target is frozen, by as many signals.
#[track_caller]
fn end_frozen(torc: &Torc, disk: &SlowDisk, mut daemon: Daemon, signals: u32) -> Ended {
    let begun = Instant::now();
    daemon.signal(Signal::SIGTERM);
    disk.wait_for_a_victim();
    for _ in 1..signals {
        daemon.signal(Signal::SIGTERM);
    }
    let kept = PathBuf::from(daemon.line("TORC_SNAPSHOT_KEPT="));
    let pid = daemon.pid();
    assert_eq!(daemon.exit_code(), 5);
    expect_soon(begun);
    wait_until("only writers hang", || but_writers(torc).is_empty());
    assert!(kept.starts_with(torc.root().join("tmp")), "{}", kept.display());
    assert!(memory::of(pid).is_empty(), "it is safe where it is");
    Ended { kept, pid }
}

#[test]
fn a_final_snapshot_on_a_frozen_target_is_saved_elsewhere_and_comes_home_after_the_thaw() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let daemon = service(&torc, &disk, &["--snapshot-timeout", "1"]);
    run_a_job(&torc, "before");
    torc.args(["snapshot", "--wait"]).run().expect(0);
    run_a_job(&torc, "after");
    disk.freeze();
    let Ended { kept, pid } = end_frozen(&torc, &disk, daemon, 1);
    assert_eq!(workflows(&kept), ["before|completed", "after|completed"]);
    assert_eq!(workflows(&disk.backing().join("torc.db")), ["before|completed"]);
    disk.thaw();
    // The writer that hung may come home by itself; what was saved elsewhere is newer, and wins.
    torc.wait_for_silence();
    let target = disk.path("torc.db").display().to_string();
    torc.args(["snapshot", "recover", "--db", &target]).run().expect(0);
    assert_eq!(workflows(&disk.backing().join("torc.db")), ["before|completed", "after|completed"]);
    assert!(!kept.exists(), "what is home is removed where it was");
    assert!(memory::of(pid).is_empty());
    let results = torc.args(["results", "list", "--db", &target, "-w", "after"]);
    assert_eq!(results.args(["--format", "json"]).run().expect(0).json()[0]["return_code"], 0);
    let leftovers = names_in(disk.backing());
    assert!(!leftovers.iter().any(|name| name.contains("tmp")), "{leftovers:?}");
}

#[test]
fn what_was_saved_elsewhere_can_be_read_while_its_place_still_hangs() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let daemon = service(&torc, &disk, &["--snapshot-timeout", "1"]);
    run_a_job(&torc, "job");
    disk.freeze();
    let Ended { kept, .. } = end_frozen(&torc, &disk, daemon, 1);
    let begun = Instant::now();
    let results = torc.args(["results", "list", "--format", "json", "--db"]).args([&kept]).run();
    assert_eq!(results.expect(0).json()[0]["return_code"], 0);
    expect_soon(begun);
    disk.thaw();
}

#[test]
fn a_second_signal_to_torcd_does_not_wait_for_the_time_limit() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let daemon = service(&torc, &disk, &[]);
    run_a_job(&torc, "job");
    disk.freeze();
    let Ended { kept, .. } = end_frozen(&torc, &disk, daemon, 2);
    assert_eq!(workflows(&kept), ["job|completed"]);
    disk.thaw();
}

/// A run of torcctl with a torcd of its own, whose target is frozen while its only job runs.
fn frozen_run(torc: &Torc, disk: &SlowDisk, more: &[&str]) -> Running {
    let target = disk.path("torc.db").display().to_string();
    let call = torc.args(["exec", "--db", &target, "-c", UNTIL_GO]).args(more.iter().copied());
    let running = call.start();
    torc.contents_of("started");
    disk.freeze();
    torc.write("go", "");
    disk.wait_for_a_victim();
    running
}

/// Checks how it ended, and that all that it recorded comes home.
fn expect_kept_and_home(torc: &Torc, disk: &SlowDisk, running: Running) {
    let begun = Instant::now();
    let outcome = running.wait().expect(5);
    expect_soon(begun);
    assert!(outcome.stderr.contains("error: "), "{outcome}");
    let kept = outcome.stderr.lines().find_map(|line| line.strip_prefix("it is saved in "));
    let kept = PathBuf::from(kept.unwrap_or_else(|| panic!("it does not say where: {outcome}")));
    assert!(outcome.stderr.contains("torcctl snapshot recover"), "{outcome}");
    assert_eq!(Database::open(&kept).output("job1", "stdout"), b"out\n");
    wait_until("only writers hang", || but_writers(torc).is_empty());
    disk.thaw();
    torc.wait_for_silence();
    let target = disk.path("torc.db").display().to_string();
    torc.args(["snapshot", "recover", "--db", &target]).run().expect(0);
    let home = Database::open(disk.backing().join("torc.db"));
    home.expect_sound();
    assert_eq!(home.rows("SELECT name, status FROM job"), ["job1|completed"]);
    assert_eq!(home.output("job1", "stdout"), b"out\n");
    assert!(!kept.exists());
    assert_eq!(names(disk)[0], "torc.db");
}

#[test]
fn torcctl_ends_when_its_time_limit_is_over_and_says_where_the_record_is() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let running = frozen_run(&torc, &disk, &["--snapshot-timeout", "1"]);
    expect_kept_and_home(&torc, &disk, running);
}

#[test]
fn a_second_interrupt_of_torcctl_saves_the_record_elsewhere_at_once() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let mut running = frozen_run(&torc, &disk, &[]);
    running.signal(Signal::SIGINT);
    running.await_stderr("once more to save it elsewhere");
    running.signal(Signal::SIGINT);
    expect_kept_and_home(&torc, &disk, running);
}

#[test]
fn when_torcctl_is_killed_its_torcd_does_not_wait_for_ever() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let running = frozen_run(&torc, &disk, &["--snapshot-timeout", "1"]);
    running.signal(Signal::SIGKILL);
    drop(running);
    wait_until("only writers hang", || but_writers(&torc).is_empty());
    disk.thaw();
    torc.wait_for_silence();
    let target = disk.path("torc.db").display().to_string();
    torc.args(["snapshot", "recover", "--db", &target]).run().expect(0);
    assert_eq!(workflows(&disk.backing().join("torc.db")).len(), 1);
}

#[test]
fn who_starts_on_a_frozen_target_can_be_interrupted_and_leaves_nothing() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    disk.freeze();
    let target = disk.path("torc.db").display().to_string();
    let mut running = torc.args(["exec", "--db", &target, "-c", "touch ran"]).start();
    disk.wait_for_a_victim();
    running.await_stderr("waiting for torcd");
    let begun = Instant::now();
    running.signal(Signal::SIGINT);
    assert_eq!(running.exit().code(), Some(130));
    expect_soon(begun);
    drop(running);
    // What hangs in the kernel ends when it is let go.
    disk.thaw();
    torc.wait_for_silence();
    assert!(!torc.path("ran").exists());
    assert_eq!(names(&disk), [""; 0]);
    assert_eq!(names_in(&torc.runtime().join("torc")), [""; 0]);
    torc.args(["exec", "--db", &target, "-c", "true"]).run().expect(0);
}
