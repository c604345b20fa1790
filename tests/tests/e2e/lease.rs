//! Two who want one database: the second is told so, and nothing of the first is lost.

use std::fs;

use nix::sys::signal::Signal;
use torc_tests::memory;
use torc_tests::processes::signal;
use torc_tests::torc::{Torc, names_in};

use crate::torc;

const SLEEPER: &str = "echo $$ > started.new; mv started.new started; exec sleep 300";

fn torcd(torc: &Torc) -> u32 {
    let all = torc.processes();
    all.iter().find(|process| process.command.contains("--lifeline")).unwrap().pid
}

fn second_is_refused(home: &[&str]) {
    let torc = torc();
    let exec = |command: &str| {
        let mut arguments = vec!["exec"];
        arguments.extend(home);
        arguments.extend(["-c", command]);
        torc.args(arguments)
    };
    let first = exec(SLEEPER).start();
    torc.contents_of("started");
    let refused = exec("touch ran").run();
    refused.expect_refusal(7, "is in use by torcd process");
    assert!(!torc.path("ran").exists());
    signal(first.pid(), Signal::SIGTERM);
    first.wait().expect(143);
    assert_eq!(torc.database().rows("SELECT status FROM job"), ["terminated"]);
    exec("touch ran").run().expect(0);
    assert_eq!(torc.database().value("SELECT count(*) FROM workflow"), "2");
    assert_eq!(
        names_in(&torc.path("torc_output")).iter().filter(|n| n.contains("lease")).count(),
        0
    );
}

#[test]
fn a_second_run_in_the_same_directory_is_refused_before_it_starts() {
    second_is_refused(&["--in-memory"]);
}

#[test]
fn a_second_run_on_the_same_database_on_disk_is_refused_before_it_starts() {
    second_is_refused(&["--on-disk", "--stdio", "none"]);
}

#[test]
fn what_a_torcd_held_that_was_killed_is_taken_over() {
    let torc = torc();
    let first = torc.args(["exec", "--on-disk", "--stdio", "none", "-c", SLEEPER]).start();
    torc.contents_of("started");
    let killed = torcd(&torc);
    signal(killed, Signal::SIGKILL);
    first.wait();
    torc.wait_for_silence();
    assert!(torc.path("torc_output/torc.db.lease").exists());
    // Another daemon of the user, which sweeps what the dead have left, must leave this.
    let other = torc.daemon(["--in-memory", "--snapshot", "other.db"]);
    assert_eq!(other.end(), 0);
    assert_eq!(memory::of(killed).len(), 1, "it is needed still");
    torc.args(["exec", "--on-disk", "--stdio", "none", "-c", "true"]).run().expect(0);
    let rows = torc.database().rows("SELECT status, reason FROM attempt");
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].starts_with("failed|lost: "), "{rows:?}");
    assert_eq!(names_in(&torc.path("torc_output")), ["torc.db"]);
    assert!(memory::of(killed).is_empty(), "what it had in memory was no database");
}

#[test]
fn what_another_host_held_is_only_stolen() {
    let torc = torc();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    let lease = torc.path("torc_output/torc.db.lease");
    fs::write(&lease, "host elsewhere\nboot 1\npid 1\nstart 1\n").unwrap();
    let refused = torc.args(["exec", "-c", "true"]).run();
    refused.expect_refusal(7, "elsewhere");
    torc.args(["exec", "--steal", "-c", "true"]).run().expect(0);
    assert!(!lease.exists());
    assert_eq!(torc.database().value("SELECT count(*) FROM workflow"), "2");
}

#[test]
fn the_record_of_another_database_is_never_replaced() {
    let torc = torc();
    torc.args(["exec", "-n", "theirs", "--db", "theirs.db", "-c", "true"]).run().expect(0);
    let daemon = torc.daemon(["--in-memory", "--snapshot", "ours.db"]);
    torc.args(["exec", "--detach", "-c", "true"]).run().expect(0);
    let theirs = torc.path("theirs.db");
    let path = theirs.to_str().unwrap();
    let refused = torc.args(["snapshot", "--wait", "--path", path]).run();
    refused.expect_refusal(5, "another daemon");
    let there = torc_tests::database::Database::open(&theirs);
    assert_eq!(there.value("SELECT name FROM workflow"), "theirs");
    assert_eq!(daemon.end(), 0);
}
