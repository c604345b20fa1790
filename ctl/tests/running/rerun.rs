//! A workflow that is run again: only what is needed, and why.

use std::fs;

use torc_protocol::id::JobId;
use torc_protocol::request::{JobRange, Request, WorkflowSelector};
use torc_protocol::response::Response;
use torc_protocol::result::FileStamp;
use torc_protocol::spec::Command;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::{EdgeView, FileUseView, JobCounts, JobView};

use crate::answers::{
    WORKFLOW, finished, job, logs, not_saved, result, saved, status, submitted, verbs, watched,
    workflow,
};
use crate::script::{Script, text};

/// Answers what is asked of a workflow before it is run again: `prepare -> sum`, and `other`, of
/// which `prepare` reads `raw`, which had three bytes.
fn record(dir: &str, at_end: WorkflowStatus, jobs: Vec<JobView>) -> Vec<Vec<Response>> {
    let edge = EdgeView { job_id: JobId(12), depends_on: JobId(11) };
    let stamp = Some(FileStamp { modified: 0, bytes: 3 });
    let path = "raw".to_owned();
    let file_use = FileUseView { job_id: JobId(11), path, is_output: false, stamp };
    vec![
        vec![Response::Workflow(Box::new(workflow(dir, at_end)))],
        vec![Response::Jobs(jobs), Response::End],
        vec![Response::Edges(vec![edge]), Response::End],
        vec![Response::FileUses(vec![file_use]), Response::End],
    ]
}

fn jobs(prepare: JobStatus, sum: JobStatus) -> Vec<JobView> {
    vec![job(11, "prepare", prepare), job(12, "sum", sum), job(13, "other", JobStatus::Completed)]
}

/// Answers all that `run` and `retry` ask first.
fn opening(at_end: WorkflowStatus, jobs: Vec<JobView>) -> Vec<Vec<Response>> {
    let mut answers = vec![status()];
    answers.extend(record("/nonexistent", at_end, jobs));
    answers
}

fn counts(completed: u64) -> JobCounts {
    JobCounts { total: 3, completed, ..JobCounts::default() }
}

#[test]
fn only_what_is_needed_runs_and_only_that_is_counted() {
    let mut answers =
        opening(WorkflowStatus::Failed, jobs(JobStatus::Completed, JobStatus::Failed));
    answers.push(watched(1, vec![finished(WorkflowStatus::Completed, counts(3))]));
    answers.push(saved());
    let (output, requests) = Script::new(answers).run(&["run", "night", "-j", "2"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let expected = "warning: raw is gone, which job 'prepare' has read\n\
                    workflow 3 (night): 1 of 3 jobs needed\n  sum: failed (return code 1)\n\
                    1 job completed in ";
    assert!(stderr.starts_with(expected), "{stderr}");
    let order =
        ["Status", "GetWorkflow", "ListJobs", "ListEdges", "ListFileUses", "Restart", "Snapshot"];
    assert_eq!(verbs(&requests), order);
    let Request::GetWorkflow(get) = &requests[1] else { panic!("{requests:?}") };
    assert_eq!(get.workflow, WorkflowSelector::Name("night".to_owned()));
    let Request::Restart(restart) = &requests[5] else { panic!("{requests:?}") };
    assert_eq!(restart.workflow, WorkflowSelector::Id(WORKFLOW));
    assert_eq!((restart.jobs.clone(), restart.watch), (JobRange::of([JobId(12)]), true));
    assert_eq!(restart.options.max_parallel_jobs, Some(2));
    assert!(restart.environment.entries().any(|entry| entry.starts_with(b"PATH=")));
}

#[test]
fn a_file_that_changed_is_a_reason_for_all_downstream_of_it() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("raw"), "four").unwrap();
    let dir = dir.path().to_str().unwrap();
    let all = jobs(JobStatus::Completed, JobStatus::Completed);
    let answers = record(dir, WorkflowStatus::Completed, all);
    let (output, requests) =
        Script::new(answers).run(&["run", "3", "--dry-run", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!([
        {"job_id": 11, "name": "prepare", "reason": "input changed: raw", "because_of": "raw"},
        {"job_id": 12, "name": "sum", "reason": "depends on prepare", "because_of": "prepare"},
    ]);
    assert_eq!(json, expected);
    assert_eq!(verbs(&requests), ["GetWorkflow", "ListJobs", "ListEdges", "ListFileUses"]);
}

#[test]
fn a_dry_run_is_a_table_for_people() {
    let answers =
        record("/x", WorkflowStatus::Failed, jobs(JobStatus::Failed, JobStatus::Canceled));
    let (output, _) = Script::new(answers).run(&["retry", "--dry-run", "-q"]);
    let expected = "JOB  NAME     REASON                       BECAUSE OF\n \
                    11  prepare  failed (return code 1)       -\n \
                    12  sum      canceled because of prepare  prepare\n";
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn nothing_to_do_is_well_when_the_record_is_safe() {
    let done =
        || opening(WorkflowStatus::Completed, jobs(JobStatus::Completed, JobStatus::Completed));
    let mut answers = done();
    answers.push(saved());
    let (output, requests) = Script::new(answers).run(&["run", "latest"]);
    assert_eq!(output.status.code(), Some(0));
    let stderr = text(&output.stderr);
    let expected = "nothing to do: 3 jobs of workflow 3 (night) complete, and nothing changed\n";
    assert!(stderr.contains(expected), "{stderr}");
    assert_eq!(verbs(&requests).last().map(String::as_str), Some("Snapshot"));
    let mut answers = done();
    answers.push(not_saved());
    let (output, _) = Script::new(answers).run(&["retry", "--format", "json"]);
    assert_eq!(output.status.code(), Some(5));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["nothing_to_do"], "nothing to do: no job of workflow 3 (night) failed");
    assert_eq!(json["jobs"]["total"], 0);
    assert_eq!(json["snapshot"]["durable"], false);
}

#[test]
fn nothing_to_do_is_no_success_while_something_is_left() {
    for (at_end, left, command) in [
        (WorkflowStatus::Paused, JobStatus::Disabled, "run"),
        (WorkflowStatus::Canceled, JobStatus::Canceled, "retry"),
    ] {
        let mut answers = opening(at_end, jobs(JobStatus::Completed, left));
        answers.push(saved());
        let (output, _) = Script::new(answers).run(&[command, "latest"]);
        let stderr = text(&output.stderr);
        assert!(stderr.contains("nothing to do: "), "{stderr}");
        assert_eq!(output.status.code(), Some(1), "{stderr}");
    }
}

#[test]
fn a_workflow_that_runs_is_not_run_again() {
    let mut answers =
        opening(WorkflowStatus::Running, jobs(JobStatus::Running, JobStatus::Blocked));
    answers.push(status());
    let (output, _) = Script::new(answers).run(&["run", "latest"]);
    assert_eq!(output.status.code(), Some(7));
    let expected = "error: workflow 3 is running\nhint: `torcctl cancel 3` stops it; ";
    assert!(text(&output.stderr).starts_with(expected), "{}", text(&output.stderr));
}

#[test]
fn retry_runs_what_failed_with_what_was_canceled_because_of_it() {
    let mut answers = opening(WorkflowStatus::Failed, jobs(JobStatus::Failed, JobStatus::Canceled));
    answers.push(submitted(2));
    let (output, requests) = Script::new(answers).run(&["retry", "3", "--detach", "-q"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "3\n"));
    let Some(Request::Restart(restart)) = requests.last() else { panic!("{requests:?}") };
    let expected = JobRange::of([JobId(11), JobId(12)]);
    assert_eq!((restart.jobs.clone(), restart.watch), (expected, false));
}

#[test]
fn retry_of_one_job_reports_only_that_one() {
    let mut answers = opening(WorkflowStatus::Failed, jobs(JobStatus::Failed, JobStatus::Failed));
    let both = JobCounts { failed: 2, ..counts(1) };
    answers.push(watched(1, vec![finished(WorkflowStatus::Failed, both)]));
    answers.push(vec![Response::End]);
    answers.push(saved());
    let (output, requests) =
        Script::new(answers).run(&["retry", "--job", "sum", "--format", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["jobs"]["total"], &json["jobs"]["failed"]), (&1.into(), &1.into()));
    let Request::Restart(restart) = &requests[5] else { panic!("{requests:?}") };
    assert_eq!(restart.jobs, JobRange::of([JobId(12)]));
}

#[test]
fn retry_of_one_job_says_that_others_failed_before() {
    let mut answers = opening(WorkflowStatus::Failed, jobs(JobStatus::Failed, JobStatus::Failed));
    answers.push(watched(
        1,
        vec![finished(WorkflowStatus::Failed, JobCounts { failed: 1, ..counts(2) })],
    ));
    answers.push(saved());
    let (output, _) = Script::new(answers).run(&["retry", "--job", "sum"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    let expected = "1 other job of the workflow has failed before, and did not run now\n";
    assert!(stderr.contains("1 job completed in ") && stderr.contains(expected), "{stderr}");
}

#[test]
fn failed_jobs_of_the_run_are_looked_for_only_until_enough_are_found() {
    let all: Vec<_> = (11..30).map(|id| job(id, &format!("job{id}"), JobStatus::Failed)).collect();
    let mut answers = opening(WorkflowStatus::Failed, all.clone());
    let counts = JobCounts { total: 19, failed: 19, ..JobCounts::default() };
    answers.push(watched(18, vec![finished(WorkflowStatus::Failed, counts)]));
    answers.extend((12..17).map(|id| logs(id, "")));
    answers.push(saved());
    let results: Vec<_> =
        all.iter().map(|job| result(job.id.0, &job.name, String::new())).collect();
    // The answer has no end: nobody may wait for it.
    let listed = vec![vec![Response::Results(results)]];
    let script = Script::of_connections(vec![answers, listed]);
    let mut arguments = vec!["retry".to_owned()];
    arguments.extend((12..30).map(|id| format!("--job=job{id}")));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (output, _) = script.run(&arguments);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("job12 failed") && stderr.contains("job16 failed"), "{stderr}");
    assert!(!stderr.contains("job17 failed") && !stderr.contains("job11 failed"), "{stderr}");
    assert!(stderr.contains("… and 13 more"), "{stderr}");
}

#[test]
fn why_a_job_failed_with_code_zero_is_asked_of_its_result() {
    let mut failed = jobs(JobStatus::Completed, JobStatus::Failed);
    failed[1].return_code = Some(0);
    let mut answers = record("/x", WorkflowStatus::Failed, failed);
    let reason = "output file missing: x".to_owned();
    answers.push(vec![Response::Results(vec![result(12, "sum", reason)]), Response::End]);
    let (output, requests) =
        Script::new(answers).run(&["retry", "--dry-run", "--format", "ndjson"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["reason"], "failed (output file missing: x)");
    let Some(Request::ListResults(list)) = requests.last() else { panic!("{requests:?}") };
    assert_eq!((list.return_code, list.all_attempts), (Some(0), false));
}

#[test]
fn a_job_that_cannot_be_retried_is_refused_by_name() {
    let answers = || opening(WorkflowStatus::Failed, jobs(JobStatus::Completed, JobStatus::Failed));
    let (output, _) = Script::new(answers()).run(&["retry", "--job", "prepare"]);
    assert_eq!(output.status.code(), Some(7));
    assert!(text(&output.stderr).contains("job 'prepare' is completed"));
    let (output, _) = Script::new(answers()).run(&["retry", "--job", "nobody"]);
    assert_eq!(output.status.code(), Some(6));
    assert!(text(&output.stderr).contains("has no job 'nobody'"));
}

#[test]
fn with_a_file_its_commands_are_sent_where_they_differ() {
    let mut answers =
        opening(WorkflowStatus::Completed, jobs(JobStatus::Completed, JobStatus::Completed));
    answers.push(submitted(1));
    let script = Script::new(answers);
    let file = "name: x\njobs:\n  - {name: prepare, command: make prepare}\n  \
                - {name: sum, command: add}\n  - {name: other, command: make other}\n";
    fs::write(script.path("flow.yaml"), file).unwrap();
    let (output, requests) = script.run(&["run", "3", "--with", "flow.yaml", "--detach"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let Some(Request::Restart(restart)) = requests.last() else { panic!("{requests:?}") };
    assert_eq!(restart.commands, [(JobId(12), Command::Line("add".to_owned()))]);
    assert_eq!(restart.jobs, JobRange::of([JobId(12)]));
    assert!(text(&output.stderr).contains("  sum: command changed\n"));
}

#[test]
fn without_a_torcd_there_must_be_a_database() {
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_torcctl"))
            .args(arguments)
            .current_dir(dir.path())
            .env("XDG_RUNTIME_DIR", dir.path())
            .env_remove("TORC_SOCKET")
            .output()
            .unwrap()
    };
    for (arguments, code) in [
        (&["run", "latest", "-s"][..], 3),
        (&["retry", "--db", "none.db"], 6),
        (&["run", "latest", "--fresh", "-s"], 2),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("hint: "), "{}", text(&output.stderr));
    }
}
