//! `jobs get`, `disable` and `enable`, and `explain`.

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::{JobSelector, Request, SetDisabled, WorkflowSelector};
use torc_protocol::response::{
    Disabled, ErrorCode, Explanation, JobDetail, RequestError, Response,
};
use torc_protocol::status::JobStatus;
use torc_protocol::status::WorkflowStatus::{Paused, Running};
use torc_protocol::view::{FileUseView, JobView};

use crate::script::{Script, text};
use crate::views::{got, job};

fn detail(job: JobView) -> Vec<Response> {
    let path = "in.txt".to_owned();
    let file = FileUseView { job_id: job.id, path, is_output: false, stamp: None };
    let depends_on = vec!["first".to_owned()];
    let detail = JobDetail { job, attempts: Vec::new(), depends_on, files: vec![file] };
    vec![Response::Job(Box::new(detail))]
}

fn changed(changed: u64) -> Vec<Response> {
    vec![Response::Disabled(Disabled { workflow_id: WorkflowId(3), changed })]
}

fn no_job() -> Vec<Response> {
    vec![Response::Error(RequestError::new(ErrorCode::NotFound, "there is no job 'x'"))]
}

#[test]
fn a_job_tells_what_it_waits_for_and_reads() {
    let answer = || Script::new(vec![detail(job(7, "align", JobStatus::Blocked))]);
    let (output, _) = answer().run(&["jobs", "get", "align"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let page = text(&output.stdout);
    assert!(page.contains("waits for  first\nreads      in.txt\n"), "{page}");
    let (output, _) = answer().run(&["jobs", "get", "align", "--format", "json"]);
    let found: JobDetail = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((found.depends_on[0].as_str(), found.files[0].path.as_str()), ("first", "in.txt"));
}

#[test]
fn jobs_are_set_aside_in_their_workflow() {
    let script = Script::new(vec![
        detail(job(7, "plot", JobStatus::Blocked)),
        detail(job(8, "b", JobStatus::Disabled)),
        changed(1),
        detail(job(7, "plot", JobStatus::Disabled)),
        detail(job(8, "b", JobStatus::Disabled)),
    ]);
    let (output, requests) = script.run(&["jobs", "disable", "plot", "8"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "workflow 3: 1 job disabled\n");
    assert!(text(&output.stderr).starts_with("hint: what depends on them waits"));
    let Request::SetDisabled(SetDisabled { workflow, jobs, disabled: true }) = &requests[2] else {
        panic!("{requests:?}")
    };
    assert_eq!(*workflow, WorkflowSelector::Id(WorkflowId(3)));
    assert_eq!(*jobs, [JobSelector::Id(JobId(7)), JobSelector::Id(JobId(8))]);
}

#[test]
fn a_job_that_has_started_meanwhile_is_refused_and_the_others_are_set_aside() {
    let script = Script::new(vec![
        detail(job(7, "plot", JobStatus::Ready)),
        detail(job(8, "align", JobStatus::Ready)),
        changed(1),
        detail(job(7, "plot", JobStatus::Disabled)),
        detail(job(8, "align", JobStatus::Running)),
    ]);
    let (output, _) = script.run(&["jobs", "disable", "plot", "align", "-q"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(7), ""));
    assert_eq!(
        text(&output.stderr),
        "error: only what has not started can be disabled: align is running\n\
         hint: `torcctl cancel --job JOB` stops a job that runs\n"
    );
}

#[test]
fn taking_jobs_back_tells_when_nothing_runs_them() {
    let taken_back = |status| {
        let answers = vec![detail(job(7, "plot", JobStatus::Disabled)), changed(1), got(3, status)];
        Script::new(answers).run(&["jobs", "enable", "plot", "-w", "3"]).0
    };
    let output = taken_back(Paused);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "workflow 3: 1 job enabled\n");
    let hint = "hint: the workflow is paused; `torcctl run 3` runs what is left of it\n";
    assert_eq!(text(&output.stderr), hint);
    assert_eq!(text(&taken_back(Running).stderr), "");
}

#[test]
fn programs_get_the_counts() {
    let script = Script::new(vec![
        detail(job(7, "plot", JobStatus::Blocked)),
        changed(1),
        detail(job(7, "plot", JobStatus::Disabled)),
    ]);
    let (output, _) = script.run(&["jobs", "disable", "plot", "--format", "ndjson"]);
    let expected = "[{\"workflow_id\":3,\"changed\":1}]\n";
    assert_eq!((text(&output.stdout), text(&output.stderr)), (expected, ""));
}

#[test]
fn an_explanation_is_sentences_or_an_object() {
    let explanation = Explanation {
        job: job(7, "align", JobStatus::Blocked),
        reasons: vec!["it waits for 1 job".to_owned(), "first is running".to_owned()],
        hint: Some("torcctl jobs get first".to_owned()),
    };
    let answer = || Script::new(vec![vec![Response::Explanation(Box::new(explanation.clone()))]]);
    let (output, _) = answer().run(&["explain", "align", "-w", "night"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let expected = "align is blocked:\n  it waits for 1 job\n  first is running\n\
        hint: torcctl jobs get first\n";
    assert_eq!(text(&output.stdout), expected);
    let (output, _) = answer().run(&["explain", "7", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<Explanation>(&output.stdout).unwrap(), explanation);
}

#[test]
fn a_job_that_is_not_there_is_exit_code_six_everywhere() {
    for command in [&["explain"][..], &["jobs", "get"], &["jobs", "disable"], &["jobs", "enable"]] {
        let (output, _) = Script::new(vec![no_job()]).run(&[command, &["x"]].concat());
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(6), ""), "{command:?}");
        assert_eq!(text(&output.stderr), "error: there is no job 'x'\n");
    }
}
