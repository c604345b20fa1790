//! `torcctl daemon`: how it tells that a torcd would not start, and what became of one it ended.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

mod script;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output};

use torc_protocol::id::Generation;
use torc_protocol::request::{Request, RunningJobs, Shutdown};
use torc_protocol::resources::NodeResources;
use torc_protocol::response::{Response, SnapshotProgress};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{
    JobCounts, SnapshotFailure, SnapshotPhase, SnapshotStatusView, SnapshotView, StatusView,
};

use script::{Script, text};

/// Returns the answer to `Status` of a torcd whose process is gone already.
fn status() -> Vec<Response> {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    vec![Response::Status(Box::new(StatusView {
        version: "0.1.0".to_owned(),
        pid: gone.id(),
        socket: "/run/s".to_owned(),
        started_at: Timestamp(0),
        database: "/x/torc.db".to_owned(),
        in_memory: false,
        read_only: false,
        log: "stderr".to_owned(),
        unit: None,
        node: NodeResources::default(),
        running_workflows: 0,
        jobs: JobCounts::default(),
        snapshot: SnapshotStatusView::default(),
    }))]
}

fn failed() -> Response {
    Response::Snapshot(SnapshotProgress::Failed(SnapshotFailure {
        path: "/x.db".to_owned(),
        phase: SnapshotPhase::Publish,
        errno: Some(30),
        reason: "read-only file system".to_owned(),
        kept: None,
    }))
}

fn durable() -> Response {
    Response::Snapshot(SnapshotProgress::Done(Box::new(SnapshotView {
        generation: Generation(4),
        changes: 17,
        path: "/x.db".to_owned(),
        bytes: 2048,
        sha256: String::new(),
        started_at: Timestamp(0),
        finished_at: Timestamp(12_000),
        phases: Vec::new(),
    })))
}

/// Runs `daemon start` with this script of the shell in place of torcd.
fn start(dir: &Path, torcd: &str) -> Output {
    let binary = dir.join("torcd");
    fs::write(&binary, format!("#!/bin/sh\n{torcd}\n")).unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["daemon", "start", "--in-memory", "--torcd-bin"])
        .arg(&binary)
        .arg("--socket")
        .arg(dir.join("s"))
        .env("XDG_STATE_HOME", dir)
        .output()
        .unwrap()
}

#[test]
fn a_torcd_that_does_not_start_is_quoted_and_its_code_passed_on() {
    let dir = tempfile::tempdir().unwrap();
    let said = "error: the database is held by process 9\nhint: end it\n";
    let script = format!("printf '{}' >&2; exit 7", said.replace('\n', "\\n"));
    let output = start(dir.path(), &script);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), said);
}

#[test]
fn a_torcd_that_does_not_start_and_says_nothing_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    for end in ["kill -KILL $$", "exit 1", "exit 77", "exit 0"] {
        let output = start(dir.path(), end);
        assert_eq!(output.status.code(), Some(3), "{end}: {}", text(&output.stderr));
        assert!(text(&output.stderr).starts_with("error: torcd "), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("\nhint: "), "{}", text(&output.stderr));
    }
}

#[test]
fn a_torcd_is_started_with_absolute_paths_and_goes_on_alone() {
    let dir = tempfile::tempdir().unwrap();
    let output = start(dir.path(), r#"echo "$@" | sed 's/ /|/g' >&2; exit 1"#);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let socket = dir.path().join("s");
    let expected = format!("--daemonize|--socket|{}|--in-memory\n", socket.display());
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn a_torcd_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["daemon", "start", "--torcd-bin", "/nonexistent/torcd", "--socket"])
        .arg(dir.path().join("s"))
        .env("XDG_STATE_HOME", dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("/nonexistent/torcd"), "{}", text(&output.stderr));
}

#[test]
fn a_torcd_that_runs_is_not_started_again() {
    let (output, _) = Script::new(vec![status()]).run(&["daemon", "start"]);
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stdout);
    assert!(said.starts_with("torcd 0.1.0 is already running: process "), "{said}");
    assert!(said.ends_with(", socket /run/s\n"), "{said}");
}

#[test]
fn a_torcd_that_is_stopped_tells_its_final_snapshot() {
    let script = Script::new(vec![status(), vec![durable(), Response::End]]);
    let (output, requests) = script.run(&["daemon", "stop", "--grace", "2s"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "snapshot 4 in /x.db: 2.0 KiB, 12 ms\n");
    let asked = Shutdown { grace: Some(Span(2_000_000)), running: RunningJobs::Stop };
    assert_eq!(requests[1], Request::Shutdown(asked));
}

#[test]
fn a_final_snapshot_that_is_not_on_disk_is_exit_code_five() {
    for answer in [vec![failed(), Response::End], vec![Response::End], vec![]] {
        let (output, _) = Script::new(vec![status(), answer]).run(&["daemon", "stop"]);
        assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
        let told = text(&output.stderr);
        assert!(told.contains("is not on disk") || told.contains("may not be on disk"), "{told}");
    }
}

#[test]
fn a_torcd_whose_options_cannot_be_read_is_not_restarted() {
    let script = Script::new(vec![status()]);
    let (output, requests) = script.run(&["daemon", "restart", "--torcd-bin", "/bin/false"]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("hint: end it with `torcctl daemon stop`"));
    assert_eq!(requests.len(), 1, "nothing is ended: {requests:?}");
}

#[test]
fn nothing_to_stop_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["daemon", "stop", "--socket"])
        .arg(&socket)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let expected = format!("no torcd is running at {}\n", socket.display());
    assert_eq!(text(&output.stderr), expected);
}

#[test]
fn a_torcd_that_is_ending_is_no_torcd_once_its_socket_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let path = socket.clone();
    let ending = std::thread::spawn(move || {
        drop(listener.accept().unwrap());
        drop(listener.accept().unwrap());
        fs::remove_file(path).unwrap();
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_torcctl"));
    let output = command.args(["daemon", "stop", "--socket"]).arg(&socket).output().unwrap();
    ending.join().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("no torcd is running at "));
}

#[test]
fn a_torcd_that_a_signal_ends_is_not_taken_for_one_of_another_release() {
    let dir = tempfile::tempdir().unwrap();
    let binary = dir.path().join("torcd");
    fs::write(&binary, "#!/bin/sh\nkill -XFSZ $$\n").unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["exec", "--standalone", "-c", "true", "--torcd-bin"])
        .arg(&binary)
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("`ulimit -a`"), "{}", text(&output.stderr));
}

#[test]
fn a_form_that_there_is_not_is_refused_before_anything_is_done() {
    for line in [
        &["daemon", "stop", "--format", "csv"][..],
        &["daemon", "restart", "--format", "csv"],
        &["snapshot", "--format", "csv"],
        &["cancel", "--format", "csv"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_torcctl"));
        let output = command.args(line).arg("--socket").arg(&socket).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{line:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("there is no CSV form of"), "{line:?}");
        assert!(listener.accept().is_err(), "{line:?}: torcd was asked for something");
    }
}
