//! A torcd under a supervisor, which the test is: what it is told, when, and the socket that it has
//! opened.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use torc_tests::client::Client;
use torc_tests::outcome::Outcome;
use torc_tests::slow_disk::SlowDisk;
use torc_tests::supervisor::Supervisor;
use torc_tests::torc::{Torc, names_in};

use crate::{UNTIL_GO, torc};

const MEMORY: [&str; 3] = ["--in-memory", "--snapshot", "torc.db"];

#[test]
fn a_supervisor_is_told_how_it_goes_from_the_beginning_to_the_end() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc);
    let daemon = supervisor.start(&torc, MEMORY);
    supervisor.wait_for("STATUS=loading ");
    let ready = supervisor.wait_for("READY=1");
    assert_eq!(ready, "READY=1\nSTATUS=no job runs; no snapshot yet\n");
    torc.args(["exec", "--detach", "-n", "one", "-c", UNTIL_GO]).run().expect(0);
    supervisor.wait_for("STATUS=1 job runs; no snapshot yet");
    torc.write("go", "");
    torc.args(["wait", "one"]).run().expect(0);
    supervisor.wait_for("STATUS=no job runs; ");
    torc.args(["snapshot", "--wait"]).run().expect(0);
    supervisor.wait_for(", saved\n");
    torc.args(["exec", "--detach", "-n", "two", "-c", "true"]).run().expect(0);
    torc.args(["wait", "two"]).run().expect(0);
    supervisor.wait_for(" not yet saved\n");
    daemon.signal(Signal::SIGTERM);
    let stopping = supervisor.wait_for("STOPPING=1");
    assert_eq!(stopping, "STOPPING=1\nSTATUS=ending, no job runs\n");
    supervisor.wait_for("EXTEND_TIMEOUT_USEC=");
    supervisor.wait_for("STATUS=final snapshot: write");
    supervisor.wait_for("STATUS=all is saved");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn nothing_is_told_while_nothing_changes() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc);
    let daemon = supervisor.start(&torc, ["--in-memory"]);
    supervisor.wait_for("READY=1");
    torc.args(["status"]).run().expect(0);
    // Twice the time that is between two messages at least.
    assert_eq!(supervisor.next(Duration::from_secs(2)), None);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_reload_is_told_and_ends() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc);
    let daemon = supervisor.start(&torc, ["--in-memory"]);
    supervisor.wait_for("READY=1");
    daemon.signal(Signal::SIGHUP);
    let reloading = supervisor.wait_for("RELOADING=1");
    assert!(reloading.contains("\nMONOTONIC_USEC="), "{reloading}");
    supervisor.wait_for("READY=1");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn that_it_waits_for_its_end_is_told() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc);
    let daemon = supervisor.start(&torc, MEMORY);
    torc.args(["exec", "--detach", "-n", "job", "-c", UNTIL_GO]).run().expect(0);
    supervisor.wait_for("STATUS=1 job runs; no snapshot yet");
    daemon.signal(Signal::SIGUSR2);
    supervisor.wait_for("STATUS=1 job runs; torcd starts none, and ends when none runs; ");
    torc.write("go", "");
    supervisor.wait_for("STATUS=all is saved");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn it_is_alive_while_the_disk_of_its_snapshots_is_frozen() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let supervisor = Supervisor::new(&torc).watching(Duration::from_millis(600));
    let target = disk.path("torc.db").display().to_string();
    let daemon = supervisor.start(&torc, ["--in-memory", "--snapshot", &target]);
    supervisor.wait_for("READY=1");
    disk.freeze();
    torc.args(["snapshot", "--wait=0.1"]).run().expect(4);
    disk.wait_for_a_victim();
    supervisor.wait_for("; the next is under way: ");
    for _ in 0..5 {
        supervisor.wait_for("WATCHDOG=1");
    }
    disk.thaw();
    supervisor.wait_for(", saved\n");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn time_is_asked_for_as_long_as_the_final_snapshot_takes() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let supervisor = Supervisor::new(&torc);
    let target = disk.path("torc.db").display().to_string();
    let args = ["--in-memory", "--snapshot", &target, "--snapshot-timeout", "19"];
    let daemon = supervisor.start(&torc, args);
    supervisor.wait_for("READY=1");
    disk.freeze();
    daemon.signal(Signal::SIGTERM);
    supervisor.wait_for("STATUS=final snapshot: ");
    disk.wait_for_a_victim();
    // Not for more than what there is until it is given up, which is less than the 30 s that are
    // asked for at a time otherwise.
    let asked = supervisor.wait_for("EXTEND_TIMEOUT_USEC=");
    let asked: u64 = asked.trim_start_matches("EXTEND_TIMEOUT_USEC=").trim().parse().unwrap();
    assert!((1..=29_000_000).contains(&asked), "{asked}");
    disk.thaw();
    supervisor.wait_for("STATUS=all is saved");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn failing_snapshots_are_told() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc);
    let daemon = supervisor.start(&torc, MEMORY);
    supervisor.wait_for("READY=1");
    fs::create_dir(torc.path("torc.db")).unwrap();
    torc.args(["snapshot", "--wait"]).run().expect(5);
    supervisor.wait_for("; snapshots FAIL since ");
    fs::remove_dir(torc.path("torc.db")).unwrap();
    torc.args(["snapshot", "--wait"]).run().expect(0);
    supervisor.wait_for(", saved\n");
    assert_eq!(daemon.end(), 0);
}

#[test]
fn jobs_do_not_see_what_is_for_torcd() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc).listening(&torc).watching(Duration::from_secs(3_600));
    let daemon = supervisor.start(&torc, ["--in-memory"]);
    torc.args([
        "exec",
        "--detach",
        "-n",
        "job",
        "-c",
        "env > environment.new; mv environment.new environment",
    ])
    .run()
    .expect(0);
    let seen = torc.contents_of("environment");
    for name in ["NOTIFY_SOCKET", "LISTEN_", "WATCHDOG_"] {
        assert!(!seen.contains(name), "{seen}");
    }
    // The guard and the worker do not, either.
    let own = supervisor.notify_path().display().to_string();
    for process in torc.processes().iter().filter(|process| process.pid != daemon.pid()) {
        let environment = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment);
        assert!(!environment.contains(&own), "{process:?}: {environment}");
    }
    assert_eq!(daemon.end(), 0);
}

#[test]
fn whoever_waits_at_the_socket_of_a_supervisor_is_served_and_it_stays() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc).listening(&torc);
    let socket = supervisor.socket().to_owned();
    let before = fs::metadata(&socket).unwrap();
    let waiting = torc.args(["status", "--format", "json"]).start();
    // It is connected, and nobody is there yet.
    let _early = UnixStream::connect(&socket).unwrap();
    let daemon = supervisor.start(&torc, ["--in-memory"]);
    assert_eq!(daemon.socket(), socket);
    let behind = getsockopt(&UnixStream::connect(&socket).unwrap(), PeerCredentials).unwrap();
    assert_eq!(
        behind.pid(),
        daemon.pid().cast_signed(),
        "it is not the supervisor who is signaled"
    );
    let status = waiting.wait().expect(0).json();
    assert_eq!(status["socket"], socket.to_str().unwrap());
    let other = torc.torcd(["--in-memory"]).run().expect_refusal(7, "already");
    assert!(other.stderr.contains(&format!("pid {}", daemon.pid())), "{other}");
    assert_eq!(daemon.end(), 0);
    let after = fs::metadata(&socket).unwrap();
    assert_eq!((before.ino(), before.mode()), (after.ino(), after.mode()));
    assert_eq!(names_in(socket.parent().unwrap()), ["torcd.sock"]);
    // The next one serves the same socket.
    let daemon = supervisor.start(&torc, ["--in-memory"]);
    Client::connect(&socket).unwrap();
    assert_eq!(daemon.end(), 0);
}

/// Runs a torcd that is passed what `script` makes of its descriptors.
fn passed(torc: &Torc, script: &str, args: &[&str]) -> Outcome {
    let script =
        format!("{script}\nexport LISTEN_PID=${{LISTEN_PID:-$$}}\nexec \"$0\" --in-memory \"$@\"");
    let call = torc.program(Path::new("sh")).args(["-c", &script]).args([torc.torcd_path()]);
    call.args(args.iter().copied()).run()
}

#[test]
fn what_a_supervisor_passes_must_be_one_socket_that_listens() {
    let torc = torc();
    let two = passed(&torc, "exec 3</dev/null 4</dev/null; export LISTEN_FDS=2", &[]);
    two.expect_refusal(2, "2 sockets were passed");
    let file = passed(&torc, "exec 3</dev/null; export LISTEN_FDS=1", &[]);
    file.expect_refusal(2, "it is no Unix stream socket that listens");
    let closed = passed(&torc, "export LISTEN_FDS=1", &[]);
    closed.expect_refusal(2, "Bad file descriptor");
    let bad = passed(&torc, "exec 3</dev/null; export LISTEN_FDS=x", &[]);
    bad.expect_refusal(2, "LISTEN_FDS or LISTEN_PID");
    assert_eq!(torc.sockets(), [""; 0]);
}

#[test]
fn what_was_passed_to_another_process_is_none_of_ours() {
    let torc = torc();
    let environment = [("LISTEN_PID", "1".into()), ("LISTEN_FDS", "1".into())];
    let script = "exec 3</dev/null; exec \"$0\" \"$@\"";
    let daemon =
        torc.daemon_by(script, std::process::Stdio::piped(), &environment, ["--in-memory"]);
    torc.args(["status"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn there_is_one_place_to_listen_at() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc).listening(&torc);
    let socket = supervisor.socket().display().to_string();
    let other = torc.root().join("other.sock").display().to_string();
    let refused = supervisor.refused(&torc, &["--in-memory", "--socket", &other]);
    refused.expect_refusal(2, "was passed the socket");
    // The same by another name is the same.
    let link = torc.root().join("link.sock");
    std::os::unix::fs::symlink(&socket, &link).unwrap();
    let daemon = supervisor.start(&torc, ["--in-memory", "--socket", link.to_str().unwrap()]);
    assert_eq!(daemon.socket(), Path::new(&socket));
    assert_eq!(daemon.end(), 0);
}

#[test]
fn what_goes_to_the_journal_has_priorities_and_no_time() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc).with_journal();
    let daemon = supervisor.start(&torc, ["--in-memory"]);
    daemon.expect_log("<6>torcd ");
    daemon.expect_log("<6>the database is ");
    let status = torc.args(["status"]).run().expect(0);
    assert!(status.stdout.contains("log         journal\n"), "{status}");
    fs::create_dir(torc.path("torc-server-snapshot.db")).unwrap();
    torc.args(["snapshot", "--wait"]).run().expect(5);
    daemon.expect_log("<4>snapshot failed in phase ");
    fs::remove_dir(torc.path("torc-server-snapshot.db")).unwrap();
    assert_eq!(daemon.end(), 0);
    let refused = supervisor.refused(&torc, &["--in-memory", "--log", "loud"]).expect(2);
    let lines: Vec<_> = refused.stderr.lines().collect();
    assert!(lines[0].starts_with("<3>error: "), "{refused}");
    assert!(lines[1].starts_with("<3>hint: "), "{refused}");
}

#[test]
fn a_private_torcd_tells_no_supervisor_but_its_torcctl() {
    let torc = torc();
    let supervisor = Supervisor::new(&torc);
    let call = torc.args(["exec", "-c", "true"]).env("NOTIFY_SOCKET", supervisor.notify_path());
    let outcome = call.env("WATCHDOG_USEC", "1000000").run().expect(0);
    assert!(!outcome.stderr.contains("INFO"), "{outcome}");
    assert_eq!(supervisor.next(Duration::ZERO), None);
}
