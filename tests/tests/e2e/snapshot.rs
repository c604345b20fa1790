//! Snapshots of a torcd that runs as a service: when they are taken, and what is kept.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use torc_tests::daemon::Daemon;
use torc_tests::database::{Database, mode};
use torc_tests::torc::{Torc, names_in};
use torc_tests::wait::wait_until;

use crate::torc;

const SERVICE: [&str; 3] = ["--in-memory", "--snapshot", "snapshots/torc.db"];

fn service(torc: &Torc, keep: &str) -> Daemon {
    torc.daemon(SERVICE.into_iter().chain(["--snapshot-keep", keep]))
}

fn target(torc: &Torc) -> Database {
    Database::open(torc.path("snapshots/torc.db"))
}

/// Returns the names of the snapshots, without the lease of the torcd that makes them.
fn names(torc: &Torc) -> Vec<String> {
    let mut names = names_in(&torc.path("snapshots"));
    names.retain(|name| name != "torc.db.lease");
    names
}

/// Makes the database change, so that the next snapshot has something to hold.
fn run_a_job(torc: &Torc) {
    torc.args(["exec", "--detach", "-c", "true"]).run().expect(0);
}

#[test]
fn sigusr1_takes_a_snapshot_and_torcd_says_so() {
    let torc = torc();
    let daemon = service(&torc, "3");
    daemon.signal(Signal::SIGUSR1);
    let path = daemon.line("TORC_SNAPSHOT_DONE=");
    assert_eq!(path, torc.path("snapshots/torc.db").to_str().unwrap());
    target(&torc).expect_sound();
    assert_eq!(mode(path.as_ref()), 0o600);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_snapshot_that_was_waited_for_holds_all_that_was_recorded_before() {
    let torc = torc();
    let daemon = service(&torc, "3");
    let mut generation = 0;
    for number in 1..=3_u64 {
        run_a_job(&torc);
        let outcome = torc.args(["snapshot", "--wait", "--format", "json"]).run().expect(0);
        let report = outcome.json();
        assert_eq!(report["status"], "durable");
        let database = target(&torc);
        database.expect_sound();
        assert_eq!(database.value("SELECT count(*) FROM workflow"), number.to_string());
        assert!(database.generation() > generation);
        generation = database.generation();
        assert_eq!(report["generation"], generation);
        assert_eq!(report["bytes"], fs::metadata(torc.path("snapshots/torc.db")).unwrap().len());
        assert_eq!(report["sha256"], sha256(&torc, "snapshots/torc.db"));
    }
    assert_eq!(daemon.end(), 0);
}

/// As users would check it.
fn sha256(torc: &Torc, name: &str) -> Value {
    let sum = torc.program("sha256sum".as_ref()).args([name]).run().expect(0);
    sum.stdout.split(' ').next().unwrap().into()
}

#[test]
fn exactly_as_many_as_asked_for_are_kept_newest_first() {
    let torc = torc();
    let daemon = service(&torc, "3");
    for _ in 0..5 {
        run_a_job(&torc);
        torc.args(["snapshot", "--wait"]).run().expect(0);
    }
    assert_eq!(names(&torc), ["torc.db", "torc.db.1", "torc.db.2"]);
    let generations: Vec<u64> = names(&torc)
        .iter()
        .map(|name| Database::open(torc.path("snapshots").join(name)).generation())
        .collect();
    assert!(generations.is_sorted_by(|a, b| a > b), "{generations:?}");
    assert_eq!(daemon.end(), 0);
    let daemon = service(&torc, "1");
    run_a_job(&torc);
    torc.args(["snapshot", "--wait"]).run().expect(0);
    assert_eq!(names(&torc), ["torc.db"], "what exceeds a lower number is removed");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn the_end_of_torcd_takes_a_snapshot_too() {
    let torc = torc();
    let daemon = service(&torc, "3");
    torc.args(["exec", "-c", "echo x"]).run().expect(0);
    run_a_job(&torc);
    assert_eq!(daemon.end(), 0);
    assert_eq!(target(&torc).value("SELECT count(*) FROM workflow"), "2");
}

#[test]
fn a_snapshot_can_go_elsewhere_once() {
    let torc = torc();
    let daemon = service(&torc, "3");
    run_a_job(&torc);
    let daemon_path = torc.path("snapshots/torc.db");
    torc.args(["snapshot", "--wait", "--path", "elsewhere/copy.db"]).run().expect(0);
    Database::open(torc.path("elsewhere/copy.db")).expect_sound();
    assert!(!daemon_path.exists());
    assert_eq!(daemon.end(), 0);
    target(&torc).expect_sound();
}

#[test]
fn a_snapshot_that_fails_is_told_everywhere_and_leaves_the_one_before() {
    let torc = torc();
    let daemon = service(&torc, "3");
    run_a_job(&torc);
    torc.args(["snapshot", "--wait"]).run().expect(0);
    fs::rename(torc.path("snapshots"), torc.path("safe")).unwrap();
    torc.write("snapshots", "a file in place of the directory");
    let before = fs::read(torc.path("safe/torc.db")).unwrap();
    run_a_job(&torc);
    torc.args(["snapshot", "--wait"]).run().expect_refusal(5, "snapshots/torc.db");
    let line = daemon.line("TORC_SNAPSHOT_FAILED=");
    let path = torc.path("snapshots/torc.db");
    assert!(line.starts_with(&format!("{}: ", path.display())), "{line}");
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    assert_eq!(status["snapshot"]["error"]["path"], path.to_str().unwrap());
    assert!(fs::read(torc.path("safe/torc.db")).unwrap() == before);
    fs::remove_file(torc.path("snapshots")).unwrap();
    fs::rename(torc.path("safe"), torc.path("snapshots")).unwrap();
    torc.args(["snapshot", "--wait"]).run().expect(0);
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    assert_eq!(status["snapshot"]["error"], Value::Null);
    assert_eq!(target(&torc).value("SELECT count(*) FROM workflow"), "2");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_directory_at_the_target_is_an_error_and_torcd_ends_with_code_5() {
    let torc = torc();
    let daemon = service(&torc, "3");
    fs::create_dir_all(torc.path("snapshots/torc.db/inside")).unwrap();
    run_a_job(&torc);
    torc.args(["snapshot", "--wait"]).run().expect_refusal(5, "snapshots/torc.db");
    assert_eq!(daemon.end(), 5);
    assert!(torc.path("snapshots/torc.db/inside").is_dir());
    assert_eq!(names(&torc), ["torc.db"], "no temporary file is left");
}

#[test]
fn a_storm_of_signals_gives_few_snapshots_and_the_last_one_holds_all() {
    let torc = torc();
    let daemon = service(&torc, "2");
    for number in 0..1_000 {
        daemon.signal(Signal::SIGUSR1);
        if number == 500 {
            run_a_job(&torc);
        }
    }
    torc.args(["snapshot", "--wait"]).run().expect(0);
    assert_eq!(target(&torc).value("SELECT count(*) FROM workflow"), "1");
    assert_eq!(names(&torc), ["torc.db", "torc.db.1"]);
    let done = daemon.lines_so_far().len();
    assert!(done < 1_000, "{done} snapshots for 1,000 signals in a row");
    torc.args(["status"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
    target(&torc).expect_sound();
}

#[test]
fn fifty_who_wait_at_a_time_all_get_theirs() {
    let torc = torc();
    let daemon = service(&torc, "2");
    run_a_job(&torc);
    let waiting: Vec<_> = (0..50).map(|_| torc.args(["snapshot", "--wait"]).start()).collect();
    for one in waiting {
        one.wait().expect(0);
    }
    target(&torc).expect_sound();
    assert_eq!(target(&torc).value("SELECT count(*) FROM workflow"), "1");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn snapshots_are_taken_by_the_clock_when_something_has_changed() {
    let torc = torc();
    let daemon = torc.daemon(SERVICE.into_iter().chain(["--snapshot-interval-seconds", "1"]));
    run_a_job(&torc);
    daemon.line("TORC_SNAPSHOT_DONE=");
    wait_until("a snapshot by the clock holds the job", || {
        target(&torc).rows("SELECT status FROM job") == ["completed"]
    });
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_database_on_disk_has_snapshots_as_well() {
    let torc = torc();
    let daemon = torc.daemon(["--database", "torc.db", "--snapshot", "snapshots/torc.db"]);
    run_a_job(&torc);
    torc.args(["snapshot", "--wait"]).run().expect(0);
    assert_eq!(target(&torc).value("SELECT count(*) FROM workflow"), "1");
    assert_eq!(daemon.end(), 0);
    Database::open(torc.path("torc.db")).expect_sound();
    let names = names_in(&torc.work());
    assert!(
        !names.iter().any(|name| name.ends_with("-wal") || name.ends_with("-shm")),
        "{names:?}"
    );
}

#[test]
fn target_and_number_come_from_the_environment_too() {
    let torc = torc();
    let call = torc.torcd(["--in-memory"]).env("TORC_SERVER_SNAPSHOT_KEEP", "many");
    call.run().expect_refusal(2, "TORC_SERVER_SNAPSHOT_KEEP: 'many' is not");
    torc.torcd(["--in-memory", "--snapshot-keep", "0"]).run().expect_refusal(2, "--snapshot-keep");
    let call = torc.torcd(["--in-memory"]).env("TORC_SERVER_SNAPSHOT_PATH", "named/by-variable.db");
    let torcd = call.start();
    wait_until("torcd answers", || torc.args(["status"]).run().status.success());
    torcd.signal(Signal::SIGTERM);
    torcd.wait().expect(0);
    Database::open(torc.path("named/by-variable.db")).expect_sound();
}
