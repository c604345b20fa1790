//! Completion as shells ask for it, with a torcd that runs, one that does not answer, and none.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::sys::signal::Signal;
use torc_tests::outcome::Outcome;
use torc_tests::torc::Torc;

use crate::torc;

/// A completion that may take as long as a loaded machine needs.
const PATIENT: (&str, &str) = ("TORC_COMPLETE_MS", "60000");

/// Starts a torcd with two workflows, of which the latest has jobs with names of all kinds.
fn serve(torc: &Torc) -> torc_tests::daemon::Daemon {
    let daemon = torc.daemon(["--in-memory"]);
    torc.args(["exec", "-n", "plain", "-c", "true", "-c", "true"]).run().expect(0);
    let jobs = ["one job", "one:job", "one'job", "one*", "two$HOME", "日本"];
    let jobs = jobs.map(|name| format!("  - {{name: {name:?}, command: 'true'}}\n")).concat();
    torc.write("names.yaml", format!("name: names\njobs:\n{jobs}"));
    torc.args(["run", "names.yaml"]).run().expect(0);
    daemon
}

fn complete(torc: &Torc, words: &[&str]) -> Vec<String> {
    let outcome = torc.args(["complete", "--", "torcctl"]).args(words.iter().copied());
    let outcome = outcome.env(PATIENT.0, PATIENT.1).run().expect(0);
    assert_eq!(outcome.stderr, "");
    let found: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("it is JSON");
    let found = found.as_array().expect("it is an array").iter();
    found.map(|one| one["value"].as_str().expect("it has a value").to_owned()).collect()
}

/// Presses the tab key at the end of `line` as bash does: sets what it sets, and calls the function
/// that is registered. Returns what may stand in the place of `part`, the end of the line.
fn press_tab(torc: &Torc, line: &str, part: &str) -> Outcome {
    let script = r#"
        set -eu
        source <(torcctl completions bash)
        registered=$(complete -p torcctl)
        function=${registered##*-F }; function=${function%% *}
        COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9
        read -ra COMP_WORDS <<<"$1"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        compopt() { :; }
        "$function" torcctl "$2" ""
        ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let bin = torc.torcctl_path();
    let bin = bin.parent().expect("it is in a directory").display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    torc.program(Path::new("/bin/bash"))
        .args(["--norc", "-c", script, "bash", line, part])
        .env("PATH", format!("{bin}:{path}"))
        .env(PATIENT.0, PATIENT.1)
        .run()
        .expect(0)
}

#[test]
fn values_come_from_the_torcd_that_runs() {
    let torc = torc();
    let daemon = serve(&torc);
    assert_eq!(complete(&torc, &["logs", "two"]), ["two$HOME"]);
    assert_eq!(complete(&torc, &["logs", "-w", "plain", ""]), ["job1", "job2"]);
    assert_eq!(complete(&torc, &["logs", "--workflow=1", "job2"]), ["job2"]);
    let workflows = complete(&torc, &["jobs", "list", ""]);
    assert_eq!(workflows, ["latest", "2", "1", "names", "plain"]);
    assert_eq!(complete(&torc, &["workflows", "list", "--name", "p"]), ["plain"]);
    assert_eq!(complete(&torc, &["jobs", "list", "--status", "fai"]), ["failed"]);
    assert_eq!(complete(&torc, &["jobs", "list", "--sort", "ret"]), ["return_code"]);
    assert_eq!(complete(&torc, &["results", "list", "--columns", "name,wa"]), ["name,wall"]);
    assert_eq!(complete(&torc, &["retry", "--job", ""]), [""; 0], "nothing has failed");
    assert_eq!(complete(&torc, &["sub"]), ["submit"]);
    daemon.end();
}

#[test]
fn values_come_from_a_file_when_the_line_names_one() {
    let torc = torc();
    torc.args(["exec", "--db", "old.db", "-c", "true", "-c", "true"]).run().expect(0);
    let before = std::fs::read(torc.path("old.db")).expect("there is a record");
    assert_eq!(complete(&torc, &["--db", "old.db", "logs", "job"]), ["job1", "job2"]);
    assert_eq!(std::fs::read(torc.path("old.db")).expect("there is a record"), before);
    assert_eq!(complete(&torc, &["logs", "job"]), [""; 0], "nobody can be asked");
    assert_eq!(complete(&torc, &["--db", "gone.db", "logs", "job"]), [""; 0]);
    assert_eq!(complete(&torc, &["--db", "ol"]), ["old.db"]);
}

#[test]
fn a_file_that_another_user_has_put_in_the_way_is_not_read() {
    let torc = torc();
    torc.args(["exec", "-c", "true", "-c", "true"]).run().expect(0);
    let file = torc.path("torc_output/torc.db");
    assert_eq!(complete(&torc, &["logs", "job"]), ["job1", "job2"]);
    if !nix::unistd::geteuid().is_root() {
        eprintln!("SKIPPED: only root can give a file to another user");
        return;
    }
    for theirs in [file.as_path(), file.parent().expect("it is in a directory")] {
        std::os::unix::fs::chown(theirs, Some(64_301), None).expect("root may");
    }
    for flags in [&[][..], &["--standalone"]] {
        assert_eq!(complete(&torc, &[flags, &["logs", "job"]].concat()), [""; 0], "{flags:?}");
    }
    // Who names it wants it read.
    let named = ["--db", "torc_output/torc.db", "logs", "job"];
    assert_eq!(complete(&torc, &named), ["job1", "job2"]);
}

#[test]
fn a_torcd_that_does_not_answer_keeps_no_shell() {
    let torc = torc();
    let daemon = serve(&torc);
    daemon.signal(Signal::SIGSTOP);
    for form in ["zsh", "fish"] {
        let asked = torc.torcctl().args(["--", "torcctl", "logs", "one"]);
        let asked = asked.env("_TORCCTL_COMPLETE", form).env("_CLAP_COMPLETE_INDEX", "2");
        let outcome = asked.run().expect(0);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""), "{form}");
    }
    torc.args(["complete", "--", "torcctl", "logs", "one"]).run().expect(0);
    daemon.signal(Signal::SIGCONT);
    assert_eq!(complete(&torc, &["logs", "one j"]), ["one job"]);
    daemon.end();
}

#[test]
fn bash_is_given_what_it_can_put_into_the_line() {
    let torc = torc();
    let daemon = serve(&torc);
    let all = press_tab(&torc, "torcctl logs one", "one").stdout;
    assert_eq!(all, "one\\ job\none\\'job\none\\*\none:job\n");
    assert_eq!(press_tab(&torc, "torcctl logs one:j", "j").stdout, "job\n");
    assert_eq!(press_tab(&torc, "torcctl logs \"two", "two").stdout, "two\\$HOME\n");
    assert_eq!(press_tab(&torc, "torcctl logs 'one j", "one j").stdout, "one job\n");
    assert_eq!(press_tab(&torc, "torcctl logs one\\ ", "one\\ ").stdout, "one\\ job\n");
    assert_eq!(press_tab(&torc, "torcctl jobs list --status=fa", "fa").stdout, "failed\n");
    assert_eq!(press_tab(&torc, "torcctl logs nothing", "nothing").stdout, "");
    assert_eq!(press_tab(&torc, "torcctl sna", "sna").stdout, "snapshot\n");
    daemon.end();
}

/// Types lines into a bash with a terminal, in which `show` prints its arguments and is completed as
/// torcctl is. Returns all that the terminal shows; none where there are no terminals.
fn type_into_bash(torc: &Torc, lines: &[&str]) -> Option<String> {
    let skipped = |error| eprintln!("SKIPPED: no terminal can be opened here: {error}");
    let terminal = openpty(None, None).map_err(skipped).ok()?;
    let side = || Stdio::from(terminal.slave.try_clone().expect("it can be shared"));
    let bin = torc.torcctl_path();
    let bin = bin.parent().expect("it is in a directory").display().to_string();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"]);
    torc.settle(&mut bash);
    bash.stdin(side()).stdout(side()).stderr(side());
    bash.env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap_or_default()));
    bash.env("TERM", "dumb").env("LANG", "C.UTF-8").env(PATIENT.0, PATIENT.1);
    let mut running = bash.spawn().expect("bash is there");
    // Its side of the terminal is bash's alone now, so that reading ends when bash has gone.
    drop((bash, terminal.slave));
    let mut terminal = File::from(terminal.master);
    let setup = "bind 'set bell-style none'; source <(torcctl completions bash)\n\
                 show() { printf '<%s>' \"$@\"; echo; }; complete -F _torcctl_complete show\n";
    let typed = format!("{setup}{}\nexit\n", lines.join("\n"));
    let mut writer = terminal.try_clone().expect("it can be shared");
    // What is typed ahead fits into the terminal, which bash reads at its own pace.
    writer.write_all(typed.as_bytes()).expect("the terminal takes it");
    let mut shown = Vec::new();
    // It ends with an error when bash has gone.
    drop(terminal.read_to_end(&mut shown));
    running.wait().expect("bash ends");
    Some(String::from_utf8_lossy(&shown).into_owned())
}

#[test]
fn what_is_completed_in_bash_means_the_name() {
    let torc = torc();
    let daemon = serve(&torc);
    let Some(shown) = type_into_bash(
        &torc,
        &[
            "show logs tw\t",
            "show logs \"tw\t",
            "show logs 'one j\t",
            "show logs one\\ j\t",
            "show logs one:\t",
            "show logs one\\*\t",
            "show logs \"one'\t",
            "show logs -w pl\t --fol\t",
            "show jobs list --status=fa\t",
        ],
    ) else {
        return;
    };
    for expected in [
        "<logs><two$HOME>",
        "<logs><one job>",
        "<logs><one:job>",
        "<logs><one*>",
        "<logs><one'job>",
        "<logs><-w><plain><--follow>",
        "<jobs><list><--status=failed>",
    ] {
        assert!(shown.contains(expected), "no {expected} in {shown}");
    }
    assert_eq!(shown.matches("<logs><two$HOME>").count(), 2, "{shown}");
    assert_eq!(shown.matches("<logs><one job>").count(), 2, "{shown}");
    daemon.end();
}

#[test]
fn every_shell_has_a_script() {
    let torc = torc();
    for shell in ["bash", "zsh", "fish", "nushell"] {
        let script = torc.args(["completions", shell]).run().expect(0).stdout;
        assert!(script.contains("torcctl"), "{script}");
    }
}
