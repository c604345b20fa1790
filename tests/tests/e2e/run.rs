//! `torcctl run FILE`: workflows of dependent jobs, from the file to the record.

use torc_tests::torc::Torc;

use crate::torc;

const CHAIN: &str = "
name: chain
jobs:
  - {name: a, command: echo a >> order.txt}
  - {name: b, command: echo b >> order.txt, depends_on: [a]}
  - {name: c, command: echo c >> order.txt, depends_on: [b]}
";

fn statuses(torc: &Torc) -> Vec<String> {
    torc.database().rows("SELECT name, status FROM job WHERE is_action = 0 ORDER BY id")
}

#[test]
fn jobs_run_in_the_order_of_what_they_wait_for() {
    let torc = torc();
    torc.write("chain.yaml", CHAIN);
    torc.args(["run", "chain.yaml"]).run().expect(0).says("3 jobs completed");
    assert_eq!(torc.contents_of("order.txt"), "a\nb\nc\n");
    assert_eq!(statuses(&torc), ["a|completed", "b|completed", "c|completed"]);
    assert_eq!(torc.database().value("SELECT name FROM workflow"), "chain");
}

#[test]
fn a_workflow_comes_from_a_pipe_too_and_in_each_format() {
    let torc = torc();
    torc.args(["run", "-"]).stdin(CHAIN).run().expect(0);
    torc.write("w.json", r#"{"name": "w", "jobs": [{"name": "a", "command": "echo json"}]}"#);
    torc.write("w.json5", "{name: 'w', jobs: [{name: 'a', command: 'echo json5'}] /* ! */}");
    torc.write("w.kdl", "name \"w\"\njob \"a\" { command \"echo kdl\"; }\n");
    for format in ["json", "json5", "kdl"] {
        torc.args(["run", &format!("w.{format}")]).run().expect(0);
        let logs = torc.args(["logs", "a"]).run().expect(0);
        assert_eq!(logs.stdout, format!("{format}\n"));
    }
}

#[test]
fn what_waits_for_a_failed_job_is_canceled_unless_it_says_otherwise() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
jobs:
  - {name: bad, command: exit 3}
  - {name: after, command: 'true', depends_on: [bad]}
  - {name: later, command: 'true', depends_on: [after]}
  - name: anyway
    command: 'true'
    depends_on: [bad]
    cancel_on_blocking_job_failure: false
",
    );
    torc.args(["run", "w.yaml"]).run().expect(1).says("bad").says("exit code 3");
    let expected = ["bad|failed", "after|canceled", "later|canceled", "anyway|completed"];
    assert_eq!(statuses(&torc), expected);
}

#[test]
fn files_say_who_waits_for_whom_and_one_that_is_not_written_is_a_failure() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
files:
  - {name: x, path: x.txt}
  - {name: y, path: y.txt}
jobs:
  - {name: use, command: 'cat ${files.input.x}'}
  - {name: make, command: 'echo made > ${files.output.x}'}
  - {name: forget, command: 'true', output_files: [y]}
",
    );
    torc.args(["run", "w.yaml"]).run().expect(1).says("y.txt");
    assert_eq!(statuses(&torc), ["use|completed", "make|completed", "forget|failed"]);
    let reason = torc.database().value("SELECT reason FROM attempt WHERE reason <> ''");
    assert_eq!(reason, "output file missing: y.txt");
    let files = torc.args(["files", "list", "--format", "json"]).run().expect(0).json();
    assert_eq!((&files[0]["written_by"], &files[0]["read_by"]), (&"make".into(), &1.into()));
    assert!(files[0]["stamp"]["bytes"] == 5 && files[1]["stamp"].is_null(), "{files}");
}

#[test]
fn a_failed_job_is_tried_again_by_its_rules_with_its_recovery_script() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
failure_handlers:
  - name: mend
    rules:
      - exit_codes: [10]
        max_retries: 3
        recovery_script: echo $TORC_JOB_NAME $TORC_ATTEMPT $TORC_RETURN_CODE >> mended.txt
jobs:
  - {name: flaky, command: 'test $TORC_ATTEMPT -ge 3 || exit 10', failure_handler: mend}
  - {name: hopeless, command: exit 10, failure_handler: mend, depends_on: [flaky]}
  - {name: other, command: exit 11, failure_handler: mend}
",
    );
    torc.args(["run", "w.yaml", "-j1"]).run().expect(1);
    let attempts = "SELECT job.name, count(*), max(attempt.return_code),
         count(attempt.recovery_code) FROM job JOIN attempt ON job_id = id GROUP BY id ORDER BY id";
    assert_eq!(torc.database().rows(attempts), ["flaky|3|10|2", "hopeless|4|10|3", "other|1|11|0"]);
    let mended = torc.contents_of("mended.txt");
    assert!(mended.starts_with("flaky 1 10\nflaky 2 10\n"), "{mended}");
    let all = torc.args(["results", "list", "--all-attempts", "--format", "json"]).run().expect(0);
    assert_eq!(all.json().as_array().map(Vec::len), Some(8));
}

#[test]
fn a_job_has_its_own_environment_and_its_invocation_script() {
    let torc = torc();
    torc.write("wrap.sh", "#!/bin/sh\necho wrapped\nexec \"$@\"\n");
    torc.write(
        "w.yaml",
        "
name: w
env: {A: workflow, B: workflow}
jobs:
  - name: a{i}
    command: printenv A B
    env: {B: 'job{i}'}
    parameters: {i: '1:2'}
    invocation_script: sh wrap.sh
",
    );
    torc.args(["run", "w.yaml"]).run().expect(0);
    let logs = torc.args(["logs", "a2"]).run().expect(0);
    assert_eq!(logs.stdout, "wrapped\nworkflow\njob2\n");
}

#[test]
fn actions_run_beside_the_jobs_and_are_recorded_apart() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
jobs:
  - {name: a, command: 'true'}
actions:
  - {trigger_type: on_workflow_start, action_type: run_commands, commands: [echo begun > begun.txt]}
  - trigger_type: on_workflow_complete
    action_type: run_commands
    commands: [exit 7, echo never > never.txt]
",
    );
    torc.args(["run", "w.yaml"]).run().expect(0).says("on_workflow_complete");
    assert_eq!(torc.contents_of("begun.txt"), "begun\n");
    assert!(!torc.path("never.txt").exists());
    let actions = "SELECT name, status, return_code FROM job WHERE is_action = 1 ORDER BY id";
    let expected = ["on_workflow_start#1|completed|0", "on_workflow_complete#2|failed|7"];
    assert_eq!(torc.database().rows(actions), expected);
    assert_eq!(torc.database().value("SELECT total FROM workflow"), "1");
}

#[test]
fn the_time_limit_of_a_run_stops_it_with_code_152() {
    let torc = torc();
    torc.write("w.yaml", "name: w\njobs:\n  - {name: a, command: sleep 300}\n");
    torc.args(["run", "w.yaml", "--time-limit", "1s"]).run().expect(1).says("time limit");
    let rows = torc.database().rows("SELECT status, return_code FROM attempt");
    assert_eq!(rows, ["terminated|152"]);
}

#[test]
fn jobs_with_labels_wait_for_a_run_that_has_them() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
jobs:
  - {name: a, command: 'true'}
  - {name: b, command: 'true', labels: [gpu], depends_on: [a]}
",
    );
    torc.args(["run", "w.yaml"]).run().expect(1).says("gpu");
    assert_eq!(statuses(&torc), ["a|completed", "b|ready"]);
    assert_eq!(torc.database().value("SELECT status FROM workflow"), "paused");
    torc.args(["run", "latest", "--label", "gpu"]).run().expect(0);
    assert_eq!(statuses(&torc), ["a|completed", "b|completed"]);
}

#[test]
fn nothing_is_submitted_when_anything_is_wrong() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
jobs:
  - {name: a, comand: echo, depends_on: [nobody]}
  - {name: a, command: 'true'}
",
    );
    let refused = torc.args(["run", "w.yaml"]).run().expect_refusal(2, "w.yaml:4");
    assert!(refused.stderr.contains("comand") && refused.stderr.contains("nobody"), "{refused}");
    assert!(!torc.path("torc_output").exists());
    torc.args(["run", "missing.yaml"]).run().expect_refusal(2, "missing.yaml");
    torc.args(["run", "latest"]).run().expect_refusal(3, "torc_output/torc.db");
}

#[test]
fn a_job_that_can_never_start_is_refused_before_anything_runs() {
    let torc = torc();
    torc.write(
        "w.yaml",
        "
name: w
resource_requirements: [{name: huge, num_cpus: 100000}]
jobs:
  - {name: a, command: touch ran}
  - {name: b, command: touch ran, resource_requirements: huge}
",
    );
    torc.args(["run", "w.yaml"]).run().expect_refusal(2, "'huge'");
    assert!(!torc.path("ran").exists());
    torc.args(["run", "w.yaml", "-j1"]).run().expect(0);
}

#[test]
fn a_long_chain_and_a_wide_fan_come_to_their_end() {
    use std::fmt::Write;
    let torc = torc();
    let mut text = "name: chain\njobs:\n  - {name: j0, command: 'true'}\n".to_owned();
    for i in 1..2_000 {
        let before = i - 1;
        writeln!(text, "  - {{name: j{i}, command: 'true', depends_on: [j{before}]}}").unwrap();
    }
    torc.write("chain.yaml", &text);
    torc.args(["run", "chain.yaml"]).run().expect(0);
    torc.write(
        "fan.yaml",
        "
name: fan
jobs:
  - {name: first, command: 'true'}
  - {name: 'mid{i}', command: 'true', depends_on: [first], parameters: {i: '1:2000'}}
  - {name: last, command: 'true', depends_on_regexes: ['^mid']}
",
    );
    torc.args(["run", "fan.yaml"]).run().expect(0);
    let done = "SELECT name, completed FROM workflow ORDER BY id";
    assert_eq!(torc.database().rows(done), ["chain|2000", "fan|2002"]);
}
