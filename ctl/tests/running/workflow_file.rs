//! A workflow file on its way to torcd.

use std::fs;
use std::process::Command;

use torc_protocol::event::EventKind;
use torc_protocol::id::JobId;
use torc_protocol::request::Request;
use torc_protocol::response::Response;
use torc_protocol::spec::{HaltAfter, StdioMode};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::JobCounts;

use crate::answers::{accepted, finished, job, saved, status, submitted, verbs, watched};
use crate::script::{Script, text};

const FLOW: &str = "
name: flow
files:
  - {name: raw, path: raw.csv}
  - {name: out, path: out.csv}
user_data:
  - {name: limits, data: {low: 1}}
jobs:
  - {name: a, command: make out, input_files: [raw], output_files: [out]}
  - {name: b, command: use out, input_files: [out], input_user_data: [limits]}
";

fn completed(total: u64) -> JobCounts {
    JobCounts { total, completed: total, ..JobCounts::default() }
}

/// Answers a submission of [`FLOW`] that ends so.
fn script(status_at_end: WorkflowStatus, counts: JobCounts, rest: Vec<Vec<Response>>) -> Script {
    let events = vec![finished(status_at_end, counts)];
    let mut answers = vec![status(), accepted(), accepted(), accepted(), accepted()];
    answers.push(watched(2, events));
    answers.extend(rest);
    let script = Script::new(answers);
    fs::write(script.path("flow.yaml"), FLOW).unwrap();
    script
}

#[test]
fn a_file_is_sent_head_first_then_files_then_jobs_and_watched_to_its_end() {
    let script = script(WorkflowStatus::Completed, completed(2), vec![saved()]);
    let (output, requests) = script.run(&[
        "run",
        "flow.yaml",
        "-j",
        "4",
        "--label",
        "gpu,big",
        "--memory-gb",
        "2",
        "--halt",
        "soon,fail=10%",
        "--end-time",
        "none",
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("2 jobs completed in "), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
    let order = [
        "Status",
        "Submit",
        "SubmitFiles",
        "SubmitFiles",
        "SubmitJobs",
        "SubmitCommit",
        "Snapshot",
    ];
    assert_eq!(verbs(&requests), order);
    let Request::Submit(submit) = &requests[1] else { panic!("{requests:?}") };
    let options = &submit.spec.options;
    assert_eq!(options.max_parallel_jobs, Some(4));
    assert_eq!(options.labels, ["big", "gpu"]);
    assert_eq!(options.capacity.memory, Some(2 << 30));
    assert_eq!(options.halt.map(|halt| halt.after), Some(HaltAfter::Share(1_000)));
    assert_eq!(options.time_limit, None);
    assert_eq!(submit.spec.settings[0].stdio, StdioMode::Capture);
    let Request::SubmitJobs(jobs) = &requests[4] else { panic!("{requests:?}") };
    assert_eq!((&jobs.jobs[1].depends_on[..], &jobs.jobs[1].inputs[..]), (&[0][..], &[1][..]));
    assert_eq!(jobs.jobs[1].input_user_data, [0]);
}

#[test]
fn in_a_slurm_job_its_end_is_that_of_the_run() {
    let script = script(WorkflowStatus::Completed, completed(2), vec![saved()]);
    let end = 4_000_000_000_u64;
    let mut command = script.command(&["run", "flow.yaml"]);
    let output = command.env("SLURM_JOB_END_TIME", end.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let requests = script.finish();
    let Request::Submit(submit) = &requests[1] else { panic!("{requests:?}") };
    let limit = submit.spec.options.time_limit.unwrap();
    assert_eq!(limit.stop_at.0, (end as i64 - 90) * 1_000_000);
}

#[test]
fn nothing_is_asked_of_anybody_when_anything_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("bad.yaml"), "name: x\njobs: [{name: a, comand: x}]\n").unwrap();
    fs::write(dir.path().join("good.yaml"), FLOW).unwrap();
    for (arguments, complaint) in [
        (&["run", "bad.yaml"][..], "bad.yaml:2:"),
        (&["submit", "bad.yaml"], "bad.yaml:2:"),
        (&["run", "bad.yaml", "--dry-run"], "comand"),
        (&["run", "missing.yaml"], "missing.yaml"),
        (&["run", "good.yaml", "--end-time", "2020-01-01T00:00Z"], "in the past"),
        (&["run", "good.yaml", "--env", "x"], "'x'"),
        (&["run", "good.yaml", "--chdir", "nowhere"], "nowhere"),
        (&["run", "good.yaml", "--timeout", "0"], "timeout of 0"),
        (&["run", "good.yaml", "--with", "good.yaml"], "--with"),
        (&["run", "good.yaml", "--keep-order", "--print", "live"], "--keep-order"),
        (&["run", "latest", "--env", "A=b"], "--env"),
        (&["run", "latest", "--with", "bad.yaml"], "bad.yaml:2:"),
        (&["submit", "good.yaml", "--standalone"], "`submit` needs the torcd of the user"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
            .args(arguments)
            .args(["--socket", "nobody", "--torcd-bin", "/nonexistent"])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(complaint) && stderr.contains("hint: "), "{arguments:?}: {stderr}");
    }
    assert!(!dir.path().join("torc_output").exists());
}

#[test]
fn a_dry_run_prints_what_a_file_comes_to_and_asks_nobody() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("flow.yaml"), FLOW).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["run", "flow.yaml", "--dry-run", "--name", "other", "--socket", "nobody"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["name"], "other");
    assert_eq!(json["jobs"][1]["depends_on"], serde_json::json!(["a"]));
}

#[test]
fn a_dry_run_warns_of_jobs_that_no_run_here_would_take() {
    let dir = tempfile::tempdir().unwrap();
    let flow = "name: x\nresource_requirements: [{name: big, num_cpus: 1000000}]\n\
                jobs: [{name: a, command: x, resource_requirements: big}]\n";
    fs::write(dir.path().join("flow.yaml"), flow).unwrap();
    let dry_run = |more: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
            .args(["run", "flow.yaml", "--dry-run", "--socket", "nobody"])
            .args(more)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (json["warnings"].clone(), text(&output.stderr).to_owned())
    };
    let (warnings, stderr) = dry_run(&[]);
    let warning = warnings[0].as_str().unwrap();
    let expected = "a run here would be refused: no job that requires 'big' can ever start, the \
                    first is a: it takes 1000000 CPUs, this machine has ";
    assert!(warning.starts_with(expected), "{warning}");
    assert_eq!(stderr, format!("warning: {warning}\n"));
    for more in [["-j", "1"], ["--num-cpus", "1000000"]] {
        assert_eq!(dry_run(&more), (serde_json::json!([]), String::new()));
    }
}

#[test]
fn in_a_job_of_the_same_torcd_there_is_a_warning() {
    let stderr = |arguments: &[&str], socket: Option<&str>| {
        let script = script(WorkflowStatus::Completed, completed(2), vec![saved()]);
        let mut command = script.command(arguments);
        let socket = socket.map_or_else(|| script.path("s"), Into::into);
        let output = command.env("TORC_JOB_ID", "7").env("TORC_SOCKET", socket).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        text(&output.stderr).to_owned()
    };
    let warning = "warning: this runs in job 7 of the same torcd: its jobs wait for CPUs, and that \
                   job holds some\nhint: --standalone runs them beside it\n";
    assert!(stderr(&["run", "flow.yaml"], None).starts_with(warning));
    assert!(!stderr(&["run", "flow.yaml", "-q"], None).contains("warning"));
    assert!(!stderr(&["run", "flow.yaml"], Some("/another")).contains("warning"));
}

#[test]
fn an_action_that_failed_is_a_warning() {
    let action = EventKind::ActionFinished {
        job_id: JobId(9),
        name: "on_workflow_start#1".to_owned(),
        status: JobStatus::Failed,
        return_code: 3,
        reason: "exit code 3".to_owned(),
    };
    let events = vec![action, finished(WorkflowStatus::Completed, completed(2))];
    let answers =
        vec![status(), accepted(), accepted(), accepted(), accepted(), watched(2, events), saved()];
    let script = Script::new(answers);
    fs::write(script.path("flow.yaml"), FLOW).unwrap();
    let (output, _) = script.run(&["run", "flow.yaml", "-q"]);
    assert_eq!(output.status.code(), Some(0));
    let warning = "warning: the action 'on_workflow_start#1' failed: exit code 3\n";
    assert_eq!(text(&output.stderr), warning);
}

#[test]
fn a_workflow_that_is_paused_is_not_done_and_says_how_to_go_on() {
    let counts = JobCounts { total: 2, completed: 1, ready: 1, ..JobCounts::default() };
    let mut left = job(12, "b", JobStatus::Ready);
    left.labels = vec!["gpu".to_owned()];
    let list = vec![Response::Jobs(vec![left]), Response::End];
    let script = script(WorkflowStatus::Paused, counts, vec![list, saved()]);
    let (output, requests) = script.run(&["run", "flow.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("2 jobs: 1 completed, 1 left in "), "{stderr}");
    let paused = "the workflow is paused: 1 job has labels that this run has not: gpu\n\
                  hint: `torcctl run 3 --label gpu --socket ";
    assert!(stderr.contains(paused), "{stderr}");
    assert_eq!(verbs(&requests)[6..], ["ListJobs", "Snapshot"]);
}

#[test]
fn submit_gives_the_number_and_returns() {
    let answers = || vec![status(), accepted(), accepted(), accepted(), accepted(), submitted(2)];
    let run = |arguments: &[&str]| {
        let script = Script::new(answers());
        fs::write(script.path("flow.yaml"), FLOW).unwrap();
        let (output, requests) = script.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let Some(Request::SubmitCommit(commit)) = requests.last() else { panic!("{requests:?}") };
        assert!(!commit.watch);
        (text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
    };
    let (stdout, stderr) = run(&["submit", "flow.yaml"]);
    assert_eq!((&*stdout, &*stderr), ("3\n", "2 jobs submitted (workflow 3, flow)\n"));
    assert_eq!(run(&["submit", "flow.yaml", "-q"]), ("3\n".to_owned(), String::new()));
    let (stdout, _) = run(&["run", "flow.yaml", "--detach", "-q"]);
    assert_eq!(stdout, "3\n");
    let (stdout, _) = run(&["submit", "flow.yaml", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        json,
        serde_json::json!({"workflow_id": 3, "name": "flow", "jobs": 2, "existed": false})
    );
}
