//! `torcctl daemon logs`: where the log is a file. The journal is in `systemd`, and in part here.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use torc_tests::running::Running;
use torc_tests::torc::Torc;
use torc_tests::wait::wait_until;

use crate::torc;

fn log(torc: &Torc) -> PathBuf {
    let dir = torc.home().join(".local/state/torc");
    fs::create_dir_all(&dir).unwrap();
    dir.join("torcd.log")
}

fn append(log: &Path, text: &str) {
    let mut file = File::options().append(true).create(true).open(log).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// Starts to follow, into the file `followed`.
fn follow(torc: &Torc) -> Running {
    let script = "exec \"$0\" daemon logs -f >followed";
    let torcctl = torc.torcctl_path();
    let shell = torc.program(Path::new("sh"));
    shell.args(["-c", script]).args([torcctl]).start()
}

fn wait_for_followed(torc: &Torc, text: &str) {
    let mut followed = String::new();
    wait_until(&format!("'{text}' is shown"), || {
        followed = fs::read_to_string(torc.path("followed")).unwrap_or_default();
        followed.ends_with(text)
    });
}

#[test]
fn the_log_of_a_torcd_is_shown_while_it_runs_and_after() {
    let torc = torc();
    torc.args(["daemon", "start"]).run().expect(0);
    let written = || fs::read_to_string(log(&torc)).unwrap();
    wait_until("torcd has logged something", || !written().is_empty());
    let shown = torc.args(["daemon", "logs"]).run().expect(0);
    assert!(!shown.stdout.is_empty() && written().starts_with(&shown.stdout), "{shown}");
    torc.args(["daemon", "stop"]).run().expect(0);
    let shown = torc.args(["daemon", "logs"]).run().expect(0);
    assert_eq!(shown.stdout, written());
    torc.args(["daemon", "logs", "--format", "json"]).run().expect_refusal(2, "no other format");
}

#[test]
fn older_files_come_first_and_the_last_lines_can_be_asked_for() {
    let torc = torc();
    torc.args(["daemon", "logs"]).run().expect_refusal(6, "torcd.log");
    let log = log(&torc);
    append(&log.with_extension("log.2"), "one\n");
    append(&log.with_extension("log.1"), "two\n");
    append(&log, "three\nfour\n");
    append(&log.with_extension("log.lock"), "not a log\n");
    for (args, expected) in [
        (vec![], "one\ntwo\nthree\nfour\n"),
        (vec!["-n", "3"], "two\nthree\nfour\n"),
        (vec!["-n", "0"], ""),
    ] {
        let shown = torc.args(["daemon", "logs"].into_iter().chain(args)).run().expect(0);
        assert_eq!(shown.stdout, expected);
    }
}

#[test]
fn a_log_is_followed_when_it_gets_a_number() {
    let torc = torc();
    let log = log(&torc);
    append(&log, "one\n");
    let follower = follow(&torc);
    wait_for_followed(&torc, "one\n");
    append(&log, "two\n");
    wait_for_followed(&torc, "one\ntwo\n");
    append(&log, "three\n");
    fs::rename(&log, log.with_extension("log.1")).unwrap();
    append(&log, "four\n");
    wait_for_followed(&torc, "one\ntwo\nthree\nfour\n");
    drop(follower);
}

#[test]
fn a_torcd_that_logs_to_a_terminal_has_no_log_to_show() {
    let torc = torc();
    let daemon = torc.daemon(["--in-memory"]);
    let refused = torc.args(["daemon", "logs"]).run();
    refused.expect_refusal(6, &format!("process {}", daemon.pid()));
    assert_eq!(daemon.end(), 0);
}

#[test]
fn where_systemd_listens_the_journal_is_shown_and_no_torcd_is_started() {
    const SYSTEMCTL: &str = "#!/bin/sh\ncase \"$*\" in\n\
        *Listen*) echo \"$XDG_RUNTIME_DIR/torc/torcd.sock (Stream)\" ;;\n\
        *torcd.socket) echo active ;;\n*torcd.service) echo inactive ;;\nesac\n";
    let torc = torc();
    for (name, text) in [("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\necho \"$*\"\n")] {
        let program = torc.write(name, text);
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    }
    append(&log(&torc), "an older log\n");
    let path = format!("{}:{}", torc.work().display(), std::env::var("PATH").unwrap());
    let shown = torc.args(["daemon", "logs", "-f", "-n", "7"]).env("PATH", path).run().expect(0);
    assert_eq!(shown.stdout, "--user --no-pager --unit torcd.service --follow --lines=7\n");
}
