//! What torcctl does to a program at the socket that is no torcd, or one that it cannot talk to.

use std::fs;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use torc_protocol::hello::{Hello, PROTOCOL_VERSION};
use torc_tests::outcome::Outcome;
use torc_tests::wait::wait_until;

use crate::torc;

/// Returns the program `stranger` by another name. It is no copy: a file that is being written cannot
/// be executed, and other threads that start processes keep it open for a moment.
pub(crate) fn stranger(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_stranger"));
    let dir = tempfile::tempdir_in(built.parent().unwrap()).unwrap();
    let (new, path) = (dir.path().join(name), built.with_file_name(format!("{name}-under-test")));
    fs::hard_link(built, &new).unwrap();
    fs::rename(new, &path).unwrap();
    path
}

/// Runs torcctl against another program that greets so, and is called so; returns how torcctl ended,
/// and the signal that ended the other.
fn against_another(name: &str, greeting: &[u8], verb: &[&str]) -> (Outcome, Option<i32>) {
    let torc = torc();
    let socket = torc.root().join("other.sock");
    let mut other =
        Command::new(stranger(name)).arg(&socket).stdin(Stdio::piped()).spawn().unwrap();
    other.stdin.take().unwrap().write_all(greeting).unwrap();
    wait_until("the other program listens", || socket.exists());
    let socket = ["--socket", socket.to_str().unwrap()];
    let outcome = torc.args(["daemon"].iter().chain(verb).chain(&socket)).run();
    let ended_by = other.try_wait().unwrap().and_then(|status| status.signal());
    other.kill().unwrap();
    other.wait().unwrap();
    (outcome, ended_by)
}

fn of_another_protocol() -> Vec<u8> {
    Hello { protocol: PROTOCOL_VERSION + 1, version: "9.9.9".to_owned() }.encode()
}

#[test]
fn a_torcd_of_another_protocol_is_ended_by_a_signal() {
    let (outcome, ended_by) = against_another("torcd-of-old", &of_another_protocol(), &["stop"]);
    outcome.expect_refusal(5, "nobody has seen whether its final snapshot is on disk");
    assert_eq!(ended_by, Some(15));
}

#[test]
fn what_is_no_torcd_is_not_ended() {
    for verb in ["stop", "restart"] {
        let greeting = b"SSH-2.0-OpenSSH_9.6\r\n";
        let (outcome, ended_by) = against_another("torcd-of-old", greeting, &[verb]);
        outcome.expect_refusal(3, "does not speak torc's protocol");
        assert_eq!(ended_by, None);
        let (outcome, ended_by) = against_another("other", &of_another_protocol(), &[verb]);
        outcome.expect_refusal(7, "is no torcd");
        assert_eq!(ended_by, None);
    }
}

#[test]
fn a_torcd_that_does_not_know_a_signal_does_not_get_it() {
    let verb = ["stop", "--running", "wait"];
    let (outcome, ended_by) = against_another("torcd-of-old", &of_another_protocol(), &verb);
    outcome.expect_refusal(7, "cannot be asked to wait for its jobs");
    assert_eq!(ended_by, None);
}

#[test]
fn a_torcd_that_was_started_nobody_knows_how_is_not_restarted() {
    let (outcome, ended_by) = against_another("torcd-of-old", &of_another_protocol(), &["restart"]);
    outcome.expect_refusal(7, "hint: end it with `torcctl daemon stop`");
    assert_eq!(ended_by, None);
}

#[test]
fn a_torcd_of_another_protocol_is_told_of_with_what_to_do() {
    let (outcome, _) = against_another("torcd-of-old", &of_another_protocol(), &["status"]);
    outcome.expect_refusal(3, "hint: `torcctl daemon restart`");
}

#[test]
fn a_torcd_of_another_version_is_noted_unless_there_is_to_be_quiet() {
    let of_another_version = Hello { version: "0.0.1".to_owned(), ..Hello::ours() }.encode();
    let (outcome, _) = against_another("torcd-of-old", &of_another_version, &["status"]);
    assert_eq!(outcome.stderr.matches("note: torcd is 0.0.1, torcctl ").count(), 1, "{outcome}");
    assert!(outcome.stderr.contains("\nhint: `torcctl daemon restart`"), "{outcome}");
    let (outcome, _) = against_another("torcd-of-old", &of_another_version, &["status", "--quiet"]);
    assert!(!outcome.stderr.contains("note:"), "{outcome}");
}
