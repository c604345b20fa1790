//! What torcctl does to a program at the socket that is no torcd, or one that it cannot talk to.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use torc_protocol::hello::{Hello, PROTOCOL_VERSION};
use torc_tests::outcome::Outcome;
use torc_tests::wait::wait_until;

use crate::torc;

/// Runs torcctl against another program that greets so; returns how torcctl ended, and the signal
/// that ended the other.
fn against_another(greeting: &[u8], verb: &str) -> (Outcome, Option<i32>) {
    let torc = torc();
    let socket = torc.root().join("other.sock");
    let mut other = Command::new(env!("CARGO_BIN_EXE_stranger"))
        .arg(&socket)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    other.stdin.take().unwrap().write_all(greeting).unwrap();
    wait_until("the other program listens", || socket.exists());
    let outcome = torc.args(["daemon", verb, "--socket", socket.to_str().unwrap()]).run();
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
    let (outcome, ended_by) = against_another(&of_another_protocol(), "stop");
    outcome.expect(0);
    assert_eq!(ended_by, Some(15));
}

#[test]
fn what_is_no_torcd_is_not_ended() {
    for verb in ["stop", "restart"] {
        let (outcome, ended_by) = against_another(b"SSH-2.0-OpenSSH_9.6\r\n", verb);
        outcome.expect_refusal(3, "does not speak torc's protocol");
        assert_eq!(ended_by, None);
    }
}

#[test]
fn a_torcd_that_cannot_be_asked_for_its_settings_is_not_restarted() {
    let (outcome, ended_by) = against_another(&of_another_protocol(), "restart");
    outcome.expect_refusal(7, "hint: `torcctl daemon stop` ends it");
    assert_eq!(ended_by, None);
}
