//! A torcd that runs for weeks: it does not grow, and takes nothing while nobody wants anything of it.

use std::process::Command;
use std::thread;
use std::time::Duration;

use torc_tests::footprint::switches;
use torc_tests::wait::wait_until;

use crate::torc;

/// The small size of what `just endurance` plays; how fast it is does not count.
#[test]
fn workflows_come_and_go_and_nothing_grows() {
    let mut endurance = Command::new(env!("CARGO_BIN_EXE_endurance"));
    let sizes = ["--jobs", "2400", "--workflow", "100", "--keep", "3", "--samples", "8"];
    endurance.args(sizes).args(["--peak", "12000", "--snapshot-seconds", "1", "--counts-only"]);
    let played = endurance.output().unwrap();
    let said = String::from_utf8_lossy(&played.stdout);
    assert!(played.status.success(), "{said}\n{}", String::from_utf8_lossy(&played.stderr));
    for home in ["tmpfs", "disk"] {
        assert!(said.contains(&format!("\n{home}: flat\n")), "{said}");
    }
    assert!(!said.contains("p99, ms"), "times depend on the machine: {said}");
}

#[test]
fn an_idle_torcd_sleeps() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory", "--snapshot-interval-seconds", "3600"]);
    torc.args(["exec", "-c", "echo x", "-c", "sleep 0.1"]).run().expect(0);
    torc.args(["jobs", "list"]).run().expect(0);
    let processes = torc.processes();
    assert!(processes.len() >= 3, "torcd, the guard and the worker: {processes:?}");
    let all = || processes.iter().map(|one| switches(one.pid).unwrap()).collect::<Vec<_>>();
    // What was begun comes to an end; what ticks never lets a second pass.
    wait_until("nothing wakes up for two seconds", || {
        let before = all();
        thread::sleep(Duration::from_secs(2));
        all() == before
    });
    assert_eq!(daemon.end(), 0);
}

#[test]
fn many_calls_at_once_are_all_answered() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    torc.args(["exec", "--param", "i=1:20", "-c", "echo {i}"]).run().expect(0);
    let calls: [&[&str]; 2] = [&["status", "--format", "json"], &["jobs", "list"]];
    let started: Vec<_> = (0..200).map(|turn| torc.args(calls[turn % 2]).start()).collect();
    for call in started {
        let outcome = call.wait().expect(0);
        assert!(!outcome.stdout.is_empty(), "{outcome}");
    }
    assert_eq!(daemon.end(), 0);
}
