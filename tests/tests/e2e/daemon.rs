//! The user's torcd: start, stop, and who gets the socket.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt;

use torc_tests::database::{Database, mode};
use torc_tests::running::Running;
use torc_tests::torc::{Torc, names_in};

use crate::{SLEEPER, torc};

fn pid(torc: &Torc) -> u64 {
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    status["pid"].as_u64().unwrap()
}

#[test]
fn a_torcd_that_was_started_runs_until_it_is_stopped() {
    let torc = torc();
    torc.args(["daemon", "start"]).run().expect(0);
    let first = pid(&torc);
    let again = torc.args(["daemon", "start"]).run().expect(0);
    assert!(again.stdout.contains("already running"), "{again}");
    assert_eq!(pid(&torc), first);
    torc.args(["exec", "-c", "echo x"]).run().expect(0);
    assert!(!torc.database_path().exists(), "the torcd of the user keeps its own record");
    torc.args(["daemon", "stop"]).run().expect(0);
    torc.wait_for_silence();
    torc.args(["status"]).run().expect_refusal(3, "torcd.sock");
    let database = Database::open(torc.home().join(".local/share/torc/torc.db"));
    database.expect_sound();
    assert_eq!(database.rows("SELECT status FROM job"), ["completed"]);
    assert_eq!(names_in(&torc.runtime().join("torc")), [""; 0]);
}

#[test]
fn many_that_start_one_at_once_get_the_same_one() {
    let torc = torc();
    let start = || torc.args(["daemon", "start", "--format", "json"]).start();
    let started: Vec<_> = (0..20).map(|_| start()).collect();
    let pid_of = |call: Running| call.wait().expect(0).json()["pid"].as_u64().unwrap();
    let pids: BTreeSet<_> = started.into_iter().map(pid_of).collect();
    assert_eq!(pids, BTreeSet::from([pid(&torc)]));
    torc.args(["daemon", "stop"]).run().expect(0);
}

#[test]
fn a_torcd_that_cannot_start_says_why() {
    let torc = torc();
    torc.write("x.db", "this is no database");
    let refused = torc.args(["daemon", "start", "--db", "x.db"]).run();
    let refused = refused.expect_refusal(2, "x.db");
    assert_eq!(refused.stderr.matches("error: ").count(), 1, "{refused}");
}

#[test]
fn a_place_of_snapshots_that_holds_another_record_is_refused_at_the_start() {
    let torc = torc();
    let once = |more: &[&str]| {
        torc.args(["daemon", "start"].iter().chain(more)).run().expect(0);
        torc.args(["exec", "-c", "true"]).run().expect(0);
        torc.args(["daemon", "stop"]).run().expect(0);
    };
    once(&[]);
    // From disk to memory: it goes on from the snapshot, which the file on disk then lags behind.
    once(&["--in-memory"]);
    let refused = torc.args(["daemon", "start"]).run();
    refused.expect_refusal(7, "torc-server-snapshot.db holds a record that");
    once(&["--snapshot", "other.db"]);
    once(&["--snapshot", "other.db"]);
    once(&["--in-memory"]);
    // A database that is new has taken no snapshot at all.
    let refused = torc.args(["daemon", "start", "--db", "new.db"]).run();
    refused.expect_refusal(7, "--in-memory");
}

#[test]
fn stopping_none_is_no_failure() {
    let torc = torc();
    torc.args(["daemon", "stop"]).run().expect(0).says("no torcd is running");
}

#[test]
fn stopping_stops_the_jobs_and_saves_what_became_of_them() {
    let torc = torc();
    torc.args(["daemon", "start", "--in-memory", "--db", "runs.db"]).run().expect(0);
    torc.args(["exec", "--detach", "-j", "1", "-c", SLEEPER, "-c", "true"]).run().expect(0);
    torc.contents_of("started");
    torc.args(["daemon", "stop"]).run().expect(0);
    torc.wait_for_silence();
    let database = Database::open(torc.path("runs.db"));
    database.expect_sound();
    assert_eq!(database.rows("SELECT status FROM job ORDER BY id")[0], "terminated");
}

#[test]
fn the_place_of_the_socket_can_be_asked_for_and_said() {
    let torc = torc();
    let path = torc.runtime().join("torc/torcd.sock");
    let printed = torc.args(["daemon", "socket-path"]).run().expect(0);
    assert_eq!(printed.stdout.trim_end(), path.to_str().unwrap());
    let other = torc.root().join("other.sock");
    let other = other.to_str().unwrap();
    let printed = torc.args(["daemon", "socket-path"]).env("TORC_SOCKET", other).run().expect(0);
    assert_eq!(printed.stdout.trim_end(), other);
    let daemon = torc.daemon(["--in-memory", "--socket", other]);
    torc.args(["status"]).run().expect(3);
    torc.args(["status"]).env("TORC_SOCKET", other).run().expect(0);
    torc.args(["status", "--socket", other]).run().expect(0);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn the_socket_is_ours_alone() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    assert_eq!(daemon.socket(), torc.runtime().join("torc/torcd.sock"));
    assert!(fs::metadata(daemon.socket()).unwrap().file_type().is_socket());
    assert_eq!(mode(daemon.socket()), 0o600);
    assert_eq!(mode(&torc.runtime().join("torc")), 0o700);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_second_torcd_on_a_socket_is_refused_and_the_first_lives_on() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let refused = torc.torcd(["--in-memory"]).run().expect_refusal(7, "torcd.sock");
    assert!(refused.stderr.contains(&format!("pid {}", daemon.pid())), "{refused}");
    assert_eq!(pid(&torc), u64::from(daemon.pid()));
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_socket_whose_torcd_was_killed_does_not_keep_the_next_from_starting() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let socket = daemon.socket().to_owned();
    daemon.kill();
    assert!(socket.exists());
    torc.args(["status"]).run().expect_refusal(3, "torcd.sock");
    let next = torc.daemon(["--in-memory"]);
    torc.args(["status"]).run().expect(0);
    assert_eq!(next.end(), 0);
    assert!(!socket.exists());
}

#[test]
fn something_else_at_the_place_of_the_socket_is_not_removed() {
    let torc = torc();
    let path = torc.write("precious.txt", "precious");
    let path = path.to_str().unwrap();
    torc.torcd(["--in-memory", "--socket", path]).run().expect_refusal(2, path);
    assert_eq!(fs::read_to_string(path).unwrap(), "precious");
}

#[test]
fn exec_uses_a_torcd_of_its_own_when_it_is_told_so() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    torc.args(["exec", "--standalone", "-c", "true"]).run().expect(0);
    assert_eq!(torc.database().rows("SELECT status FROM job"), ["completed"]);
    let workflows = torc.args(["workflows", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!(workflows.as_array().unwrap().len(), 0);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_torcd_with_a_lifeline_ends_when_it_is_cut() {
    let torc = torc();
    let mut daemon = torc.daemon(["--in-memory", "--lifeline", "--snapshot", "life.db"]);
    daemon.cut();
    assert_eq!(daemon.exit_code(), 0);
    Database::open(torc.path("life.db")).expect_sound();
}
