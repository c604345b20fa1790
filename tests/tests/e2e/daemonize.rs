//! `torcd --daemonize`, and the log of a torcd that nobody watches.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use torc_tests::database::mode;
use torc_tests::outcome::Outcome;
use torc_tests::processes;
use torc_tests::slow_disk::SlowDisk;
use torc_tests::torc::{Torc, names_in};
use torc_tests::wait::wait_until;

use crate::torc;

/// Starts a torcd in the background, and returns its process id. That the call ends proves that
/// nobody has its stdout and stderr any more.
fn daemonize(torc: &Torc, args: &[&str]) -> u32 {
    pid_of(&torc.torcd(["--daemonize"]).args(args.iter().copied()).run().expect(0))
}

fn pid_of(outcome: &Outcome) -> u32 {
    let line = outcome.stdout.strip_prefix("TORCD_READY socket=").unwrap();
    line.rsplit_once("pid=").unwrap().1.trim_end().parse().unwrap()
}

fn stop(torc: &Torc) {
    torc.args(["daemon", "stop"]).run().expect(0);
    torc.wait_for_silence();
}

fn log_path(torc: &Torc) -> PathBuf {
    torc.home().join(".local/state/torc/torcd.log")
}

#[test]
fn it_returns_when_it_can_be_used() {
    let torc = torc();
    let pid = daemonize(&torc, &[]);
    // At once, without a second try.
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    assert_eq!(status["pid"], pid);
    assert_eq!(status["log"], log_path(&torc).to_str().unwrap());
    let text = torc.args(["status"]).run().expect(0).stdout;
    assert!(text.contains(&format!("log         {}\n", log_path(&torc).display())), "{text}");
    stop(&torc);
}

#[test]
fn it_has_left_whoever_started_it() {
    let torc = torc();
    let held = torc.write("held", "");
    let script = "exec 9<held; \"$0\" --daemonize --in-memory --snapshot ../torc.db";
    let call = torc.program(Path::new("sh")).args(["-c", script]).args([torc.torcd_path()]);
    let pid = pid_of(&call.run().expect(0));
    let proc = PathBuf::from(format!("/proc/{pid}"));
    assert_eq!(fs::read_link(proc.join("cwd")).unwrap(), Path::new("/"));
    let stat = fs::read_to_string(proc.join("stat")).unwrap();
    let after_name: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(after_name[3], pid.to_string(), "its session is its own: {stat}");
    assert_eq!(after_name[4], "0", "it has no terminal: {stat}");
    for process in torc.processes() {
        let dir = PathBuf::from(format!("/proc/{}/fd", process.pid));
        let open: Vec<_> = names_in(&dir)
            .into_iter()
            .filter_map(|fd| Some((fd.clone(), fs::read_link(dir.join(fd)).ok()?)))
            .collect();
        assert!(open.iter().all(|(_, path)| *path != held), "{process:?} {open:?}");
        for (fd, path) in open.iter().filter(|(fd, _)| ["0", "1", "2"].contains(&fd.as_str())) {
            // A worker that has just begun talks to torcd there.
            let is_own = process.pid != pid && path.to_string_lossy().starts_with("socket:");
            assert!(is_own || path == Path::new("/dev/null"), "{process:?} {fd}: {path:?}");
        }
    }
    // What is relative was so where it was called.
    stop(&torc);
    assert!(torc.root().join("torc.db").exists());
}

#[test]
fn a_failure_to_start_is_the_callers() {
    let torc = torc();
    let broken = torc.write("broken.db", "this is no database, and never was");
    let args = ["--daemonize", "--database", broken.to_str().unwrap()];
    let refused = torc.torcd(args).run().expect_refusal(2, "broken.db");
    assert_eq!(refused.stdout, "");
    let log = fs::read_to_string(log_path(&torc)).unwrap();
    assert!(log.contains("broken.db"), "whoever looks later finds it too: {log}");
    torc.wait_for_silence();
    assert_eq!(torc.sockets(), [""; 0]);
}

#[test]
fn what_is_wrong_at_the_start_is_told_to_the_caller() {
    let torc = torc();
    fs::write(torc.path("runs.db"), "").unwrap();
    let args = ["--daemonize", "--in-memory", "--snapshot", "old.db"];
    torc.torcd(args).run().expect(0);
    stop(&torc);
    let again = torc.torcd(args).args(["--fresh"]).run().expect(0);
    assert!(again.stderr.contains("WARN what was in "), "{again}");
    assert!(!again.stderr.contains("INFO"), "{again}");
    stop(&torc);
}

#[test]
fn of_two_at_once_one_becomes_the_torcd() {
    let torc = torc();
    let calls: Vec<_> = (0..4).map(|_| torc.torcd(["--daemonize"]).start()).collect();
    let outcomes: Vec<_> = calls.into_iter().map(|call| call.wait()).collect();
    let (ready, refused): (Vec<_>, Vec<_>) =
        outcomes.iter().partition(|outcome| outcome.stdout.starts_with("TORCD_READY "));
    assert_eq!(ready.len(), 1, "{outcomes:?}");
    for outcome in refused {
        assert_eq!(outcome.status.code(), Some(7), "{outcome}");
        assert!(outcome.stderr.contains(" already"), "{outcome}");
    }
    // Whoever is refused has not touched the log, either.
    let mut logs = names_in(log_path(&torc).parent().unwrap());
    logs.retain(|name| name.ends_with(".log"));
    assert_eq!(logs, ["torcd.log"]);
    stop(&torc);
}

#[test]
fn it_goes_on_when_whoever_waits_for_it_is_killed() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let target = disk.path("torc.db").display().to_string();
    disk.freeze();
    let waiting = torc.torcd(["--daemonize", "--in-memory", "--snapshot", &target]).start();
    disk.wait_for_a_victim();
    processes::signal(waiting.pid(), Signal::SIGKILL);
    disk.thaw();
    wait_until("it is ready", || torc.args(["status"]).run().status.code() == Some(0));
    drop(waiting);
    stop(&torc);
}

#[test]
fn two_torcds_have_two_logs() {
    let torc = torc();
    let other = torc.root().join("other.sock").display().to_string();
    daemonize(&torc, &["--in-memory", "--snapshot", "a.db"]);
    daemonize(&torc, &["--in-memory", "--snapshot", "b.db", "--socket", &other]);
    let status = torc.args(["status", "--format", "json", "--socket", &other]).run().expect(0);
    let expected = log_path(&torc).with_file_name("torcd-2.log");
    assert_eq!(status.json()["log"], expected.to_str().unwrap());
    let taken = ["--daemonize", "--in-memory", "--snapshot", "c.db", "--log-file"];
    let third = torc.root().join("third.sock").display().to_string();
    torc.torcd(taken)
        .args([log_path(&torc)])
        .args(["--socket", &third])
        .run()
        .expect_refusal(2, "another torcd writes the log");
    torc.args(["daemon", "stop", "--socket", &other]).run().expect(0);
    stop(&torc);
}

#[test]
fn the_log_tells_what_was_done_and_never_what_was_run() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory", "--snapshot", "torc.db", "--log-file", "logs"]);
    let log = torc.path("logs");
    let secret = "echo s3cret-of-a-command >&2; exit 3";
    torc.args(["exec", "--detach", "-n", "runs", "-c", secret, "-c", "true"]).run().expect(0);
    torc.args(["wait", "runs"]).run().expect(1);
    torc.args(["snapshot", "--wait"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
    let text = fs::read_to_string(&log).unwrap();
    for expected in [
        "INFO torcd ",
        "begins: process ",
        "INFO the database is ",
        "INFO workflow 1 is submitted: \"runs\", 2 jobs",
        "INFO workflow 1 has ended, failed: of 2 jobs 1 completed, 1 failed",
        "INFO snapshot 1 is ",
        "INFO torcd ends with exit code 0",
    ] {
        assert!(text.contains(expected), "no '{expected}' in {text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(mode(&log), 0o600);
}

#[test]
fn a_log_is_opened_anew_on_sighup_and_gets_a_number_when_it_is_full() {
    let torc = torc();
    let log = torc.write("log", vec![b'\n'; 4 * 1024 * 1024]);
    let daemon = torc.service(&[], ["--in-memory", "--log-file", "log"]);
    wait_until("the full log is another one", || torc.path("log.1").exists());
    // For a moment there is none by its name.
    torc.contents_of("log");
    fs::rename(&log, torc.path("moved")).unwrap();
    daemon.signal(Signal::SIGHUP);
    let text = torc.contents_of("log");
    assert!(!text.contains("begins"), "{text}");
    assert_eq!(daemon.end(), 0);
    assert!(fs::read_to_string(torc.path("moved")).unwrap().contains("begins"));
    assert!(fs::read_to_string(&log).unwrap().contains("ends with exit code 0"));
}

#[test]
fn a_torcd_in_a_terminal_says_only_what_is_wrong() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    assert_eq!((&status["log"], &status["unit"]), (&"stderr".into(), &serde_json::Value::Null));
    torc.args(["exec", "--detach", "-n", "runs", "-c", "true"]).run().expect(0);
    torc.args(["wait", "runs"]).run().expect(0);
    assert_eq!(daemon.log(), "");
    assert_eq!(daemon.end(), 0);
}
