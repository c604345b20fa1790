//! `torcctl run ID` and `retry`: only what is needed, and the reason.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::Value;
use torc_tests::processes::signal;
use torc_tests::torc::Torc;

use crate::torc;

const FILES: &str = "
name: w
files:
  - {name: in, path: in.txt}
  - {name: mid, path: mid.txt}
  - {name: out, path: out.txt}
jobs:
  - {name: first, command: 'echo first >> ran; cat ${files.input.in} > ${files.output.mid}'}
  - {name: second, command: 'echo second >> ran; cat ${files.input.mid} > ${files.output.out}'}
  - {name: beside, command: echo beside >> ran}
";

fn ran(torc: &Torc) -> String {
    let ran = fs::read_to_string(torc.path("ran")).unwrap_or_default();
    let _ = fs::remove_file(torc.path("ran"));
    let mut lines: Vec<&str> = ran.lines().collect();
    lines.sort_unstable();
    lines.join(" ")
}

/// Runs the files workflow once.
fn done() -> Torc {
    let torc = torc();
    torc.write("in.txt", "1\n");
    torc.write("w.yaml", FILES);
    torc.args(["run", "w.yaml"]).run().expect(0);
    assert_eq!(ran(&torc), "beside first second");
    torc
}

/// Returns which jobs would run and why, by name.
fn plan(torc: &Torc) -> Vec<(String, String)> {
    let planned = torc.args(["run", "latest", "--dry-run", "--format", "json"]).run().expect(0);
    let text = |job: &Value, key: &str| job[key].as_str().unwrap().to_owned();
    let jobs = planned.json();
    let jobs = jobs.as_array().unwrap().iter();
    jobs.map(|job| (text(job, "name"), text(job, "reason"))).collect()
}

#[test]
fn nothing_runs_again_when_nothing_has_changed() {
    let torc = done();
    assert_eq!(plan(&torc), []);
    torc.args(["run", "latest"]).run().expect(0).says("nothing");
    assert_eq!(ran(&torc), "");
}

#[test]
fn an_input_that_has_changed_runs_its_job_and_what_follows() {
    let torc = done();
    torc.write("in.txt", "changed\n");
    let plan = plan(&torc);
    assert_eq!(plan.len(), 2, "{plan:?}");
    assert!(plan[0].0 == "first" && plan[0].1.contains("in.txt"), "{plan:?}");
    assert!(plan[1].0 == "second" && plan[1].1.contains("first"), "{plan:?}");
    torc.args(["run", "latest"]).run().expect(0);
    assert_eq!(ran(&torc), "first second");
    assert_eq!(torc.contents_of("out.txt"), "changed\n");
}

#[test]
fn an_output_that_is_missing_is_made_again() {
    let torc = done();
    fs::remove_file(torc.path("out.txt")).unwrap();
    let plan = plan(&torc);
    assert!(plan.len() == 1 && plan[0].0 == "second" && plan[0].1.contains("out.txt"), "{plan:?}");
    torc.args(["run", "latest"]).run().expect(0);
    assert_eq!(ran(&torc), "second");
    let attempts = "SELECT name, attempts FROM job ORDER BY id";
    assert_eq!(torc.database().rows(attempts), ["first|1", "second|2", "beside|1"]);
}

#[test]
fn after_a_kill_the_rest_runs_and_what_was_done_does_not() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
jobs:
  - {name: done, command: echo done >> ran}
  - name: slow
    command: 'echo slow >> ran; test -e go || { echo . > started; exec sleep 300; }'
    depends_on: [done]
  - {name: last, command: echo last >> ran, depends_on: [slow]}
",
    );
    let run = torc.args(["run", "w.yaml"]).start();
    torc.contents_of("started");
    signal(run.pid(), Signal::SIGKILL);
    run.wait();
    torc.wait_for_silence();
    assert_eq!(ran(&torc), "done slow");
    torc.write("go", "");
    let plan = plan(&torc);
    assert_eq!(plan.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["slow", "last"]);
    torc.args(["run", "latest"]).run().expect(0);
    assert_eq!(ran(&torc), "last slow");
    let slow = torc.database().rows("SELECT status FROM attempt WHERE job_id = 2 ORDER BY number");
    assert_eq!(slow, ["terminated", "completed"]);
}

#[test]
fn retry_runs_what_has_failed_and_what_was_canceled_because_of_it() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
jobs:
  - {name: good, command: echo good >> ran}
  - {name: bad, command: 'echo bad >> ran; test -e go'}
  - {name: after, command: echo after >> ran, depends_on: [bad]}
",
    );
    torc.args(["run", "w.yaml"]).run().expect(1);
    assert_eq!(ran(&torc), "bad good");
    torc.write("go", "");
    torc.args(["retry"]).run().expect(0);
    assert_eq!(ran(&torc), "after bad");
    assert_eq!(torc.database().value("SELECT status FROM workflow"), "completed");
}

#[test]
fn a_changed_command_runs_again() {
    let torc = done();
    torc.write("new.yaml", FILES.replace("echo beside", "echo BESIDE"));
    torc.args(["run", "latest", "--with", "new.yaml"]).run().expect(0);
    assert_eq!(ran(&torc), "BESIDE");
}
