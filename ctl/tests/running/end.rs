//! The end of a torcd: how its last snapshot is waited for, and what is said when it did not get to
//! disk.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener as StdListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use torc_protocol::connection::ServerSide;
use torc_protocol::request::Request;
use torc_protocol::response::{Response, SnapshotProgress};
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::Span;
use torc_protocol::view::{JobCounts, Kept, SnapshotFailure, SnapshotPhase, StatusView};

use crate::answers::{accepted, finished, status, submitted, watched};
use crate::script::{Script, text};

/// Returns what is told of a final snapshot that is being written and has 300 s.
fn under_way() -> Vec<Response> {
    [
        SnapshotProgress::Limit(Span(300_000_000)),
        SnapshotProgress::Phase(SnapshotPhase::Copy),
        SnapshotProgress::Phase(SnapshotPhase::Write),
    ]
    .map(Response::Snapshot)
    .to_vec()
}

/// Returns what is told of one that was given up, and is in this file instead.
fn given_up(path: &str) -> Vec<Response> {
    let failure = SnapshotFailure {
        path: "/x/torc.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: None,
        reason: "given up on a second request to end".to_owned(),
        kept: Some(Kept { path: path.to_owned(), in_memory: false }),
    };
    vec![Response::Snapshot(SnapshotProgress::Failed(failure)), Response::End]
}

/// Returns the answer to `Status` of a torcd whose process is gone already.
fn gone() -> Response {
    let mut process = Command::new("true").spawn().unwrap();
    process.wait().unwrap();
    let [Response::Status(status)] = &status()[..] else { unreachable!() };
    Response::Status(Box::new(StatusView { pid: process.id(), ..(**status).clone() }))
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
}

/// Interrupts a torcctl that waits for a final snapshot, `times` times, each when it has said what
/// the next one does. Returns its exit code, the line of the countdown, and what it said after.
fn interrupted(command: &mut Command, times: usize) -> (Option<i32>, String, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut until = |what: &str| {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it never says '{what}'");
        }
        line
    };
    let countdown = until("snapshot: write");
    let answers = ["once more to save it elsewhere", "once more to leave", ""];
    for answer in &answers[..times] {
        interrupt(&child);
        until(answer);
    }
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    (child.wait().unwrap().code(), countdown, rest)
}

/// Serves a torcd that is asked to end, in this process: SIGTERM comes here, and only then it tells
/// where the record is.
async fn serve_stop(listener: StdListener, gives_up: bool) {
    listener.set_nonblocking(true).unwrap();
    let mut asked = signal(SignalKind::terminate()).unwrap();
    let (stream, _) = UnixListener::from_std(listener).unwrap().accept().await.unwrap();
    let mut connection = ServerSide::open(stream).await.unwrap();
    connection.receive().await.unwrap().unwrap();
    connection.send(gone()).await.unwrap();
    let request = connection.receive().await.unwrap().unwrap();
    assert!(matches!(request, Request::Shutdown(_)), "{request:?}");
    for response in under_way() {
        connection.send(response).await.unwrap();
    }
    asked.recv().await;
    if gives_up {
        for response in given_up("/spill/torc-1/x.db") {
            connection.send(response).await.unwrap();
        }
    }
    // It hangs up when we do.
    assert!(connection.receive().await.is_ok_and(|more| more.is_none()) || !gives_up);
}

/// Both ways in one test: SIGTERM goes to the process, not to one of its threads.
#[test]
fn a_second_signal_has_a_torcd_that_ends_save_elsewhere_and_a_third_leaves_it() {
    for gives_up in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let listener = StdListener::bind(&socket).unwrap();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(serve_stop(listener, gives_up));
        });
        let mut stop = Command::new(env!("CARGO_BIN_EXE_torcctl"));
        stop.args(["daemon", "stop", "--socket"]).arg(&socket);
        let (code, countdown, rest) = interrupted(&mut stop, if gives_up { 2 } else { 3 });
        assert_eq!(code, Some(5), "{rest}");
        let expected = "torcd is ending; snapshot: write, 0 s; given up after 300 s, in 300 s; \
            Ctrl-C to leave it\n";
        assert_eq!(countdown, expected);
        if gives_up {
            assert!(rest.contains("\nit is saved in /spill/torc-1/x.db\n"), "{rest}");
            let hint = "hint: `torcctl snapshot recover --db /x/torc.db` brings it there";
            assert!(rest.contains(hint), "{rest}");
        } else {
            assert!(rest.contains("you did not wait for it"), "{rest}");
        }
        server.join().unwrap();
    }
}

/// Makes a private torcd in name: its socket leads to `s` in `dir`, and then it does what `body`
/// says.
fn private(dir: &Path, body: &str) {
    let text = format!(
        "#!/bin/sh\ncd '{}' || exit 9\n\
         if [ \"$1\" = snapshots ]; then cat left; exit 0; fi\n\
         ln -s \"$PWD/s\" \"$3\"\necho \"$@\" > arguments\necho TORCD_READY\n{body}\n",
        dir.display()
    );
    fs::write(dir.join("torcd"), text).unwrap();
    fs::set_permissions(dir.join("torcd"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(dir.join("left"), "").unwrap();
}

/// Returns the command for a run with that torcd.
fn exec(dir: &Path, options: &[&str]) -> Command {
    let runtime = dir.join("runtime");
    fs::create_dir_all(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_torcctl"));
    command.args(["exec", "-c", "one", "--db", "runs.db"]).args(options);
    command.arg("--torcd-bin").arg(dir.join("torcd"));
    command.current_dir(dir).env("XDG_RUNTIME_DIR", runtime);
    command
}

/// Serves the run of a job by a private torcd, which tells where the record is when it has written
/// to `asked`.
async fn serve_run(listener: StdListener, asked: &Path) {
    listener.set_nonblocking(true).unwrap();
    let (stream, _) = UnixListener::from_std(listener).unwrap().accept().await.unwrap();
    let mut connection = ServerSide::open(stream).await.unwrap();
    let counts = JobCounts { total: 1, completed: 1, ..JobCounts::default() };
    let ended = watched(1, vec![finished(WorkflowStatus::Completed, counts)]);
    for answer in [accepted(), accepted(), ended, under_way()] {
        connection.receive().await.unwrap().unwrap();
        for response in answer {
            connection.send(response).await.unwrap();
        }
    }
    assert_eq!(fs::read_to_string(asked).unwrap(), "to give up\n");
    for response in given_up("/spill/torc-1/x.db") {
        connection.send(response).await.unwrap();
    }
}

#[test]
fn a_second_signal_has_a_private_torcd_save_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let listener = StdListener::bind(dir.path().join("s")).unwrap();
    let asked = dir.path().join("asked");
    mkfifo(&asked, Mode::S_IRWXU).unwrap();
    let server = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(serve_run(listener, &asked));
    });
    let body = "exec 3<&0\ntrap 'echo to give up > asked; exit 5' TERM\ncat <&3 >/dev/null &\nwait";
    private(dir.path(), body);
    let mut command = exec(dir.path(), &["--snapshot-timeout", "300", "--spill-dir", "spill"]);
    let (code, countdown, rest) = interrupted(&mut command, 2);
    server.join().unwrap();
    assert_eq!(code, Some(5), "{rest}");
    assert!(countdown.starts_with("all jobs have ended; snapshot: write, "), "{countdown}");
    assert!(countdown.contains("; given up after 300 s, in "), "{countdown}");
    assert!(rest.contains("\nit is saved in /spill/torc-1/x.db\n"), "{rest}");
    let arguments = fs::read_to_string(dir.path().join("arguments")).unwrap();
    let spill = dir.path().join("spill");
    let expected = format!(" --snapshot-timeout 300 --spill-dir {} ", spill.display());
    assert!(arguments.contains(&expected), "{arguments}");
}

/// Runs a job on a private torcd that is killed meanwhile, and has left `left`.
fn killed(options: &[&str], left: &str) -> (Output, String) {
    let script = Script::new(vec![accepted(), accepted(), submitted(1)]);
    private(&script.path(""), "kill -9 $$");
    fs::write(script.path("left"), left).unwrap();
    let output = exec(&script.path(""), options).output().unwrap();
    let record = script.path("runs.db").display().to_string();
    script.finish();
    (output, record)
}

#[test]
fn a_record_in_memory_is_named_when_its_torcd_was_killed() {
    let left = r#"{"path": "/m/torc.db", "place": "memory", "target": null, "problem": null,
        "instance": null, "generation": 3, "changes": 8, "taken_at": null, "host": null,
        "bytes": null, "fate": "newer"}"#;
    let (output, record) = killed(&[], &format!("{}\n", left.replace('\n', "")));
    assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(said.contains("; all that was recorded stays in memory, in /m/torc.db\n"), "{said}");
    let hint = format!("hint: `torcctl snapshot recover --db {record}` brings it there");
    assert!(said.contains(&hint), "{said}");
    assert!(said.contains("before this host is rebooted; so does the next run"), "{said}");
}

#[test]
fn what_a_killed_torcd_has_not_left_is_not_promised() {
    let (output, record) = killed(&[], "");
    assert_eq!(output.status.code(), Some(5));
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("{record} holds only what the last snapshot before had")),
        "{said}"
    );
}

#[test]
fn a_database_on_disk_has_all_that_was_recorded_before_its_torcd_was_killed() {
    let (output, record) = killed(&["--on-disk"], "");
    assert_eq!(output.status.code(), Some(5));
    let said = text(&output.stderr);
    let expected = format!("; the database {record} has all that was recorded before\n");
    assert!(said.contains(&expected), "{said}");
    assert!(
        said.contains(&format!("hint: `torcctl run 3 --db {record}` runs what is left")),
        "{said}"
    );
}
