//! `exec --resume`: only what did not complete before.

use torc_protocol::request::Request;
use torc_protocol::response::Response;
use torc_protocol::spec::Command;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::{JobCounts, JobView};

use crate::answers::{accepted, finished, job, saved, status, verbs, watched, workflow};
use crate::script::{Script, text};

fn past(jobs: Vec<(&str, JobStatus)>) -> Vec<Vec<Response>> {
    let jobs = jobs.into_iter().zip(1..).map(|((command, status), id)| JobView {
        command: command.to_owned(),
        ..job(id, "job", status)
    });
    let mut found = workflow("/w", WorkflowStatus::Failed);
    "exec".clone_into(&mut found.name);
    vec![
        status(),
        vec![Response::Workflows(vec![found]), Response::End],
        vec![Response::Jobs(jobs.collect()), Response::End],
    ]
}

#[test]
fn commands_that_completed_are_left_out_and_the_others_keep_their_names() {
    let mut answers = past(vec![("one", JobStatus::Completed), ("two", JobStatus::Failed)]);
    let counts = JobCounts { total: 2, completed: 2, ..JobCounts::default() };
    answers.extend([accepted(), accepted()]);
    answers.push(watched(2, vec![finished(WorkflowStatus::Completed, counts)]));
    answers.push(saved());
    let arguments = ["exec", "--resume", "-c", "one", "-c", "two", "-c", "three"];
    let (output, requests) = Script::new(answers).run(&arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let told = "resuming 'exec' (workflow 3): 1 of 3 commands completed before\n";
    assert!(stderr.starts_with(told), "{stderr}");
    let Request::SubmitJobs(jobs) = &requests[4] else { panic!("{requests:?}") };
    let sent: Vec<_> =
        jobs.jobs.iter().map(|job| (job.name.as_str(), job.command.clone())).collect();
    let line = |text: &str| Command::Line(text.to_owned());
    assert_eq!(sent, [("job2", line("two")), ("job3", line("three"))]);
}

#[test]
fn when_all_completed_nothing_runs() {
    let mut answers = past(vec![("one", JobStatus::Completed)]);
    answers.push(saved());
    let (output, requests) = Script::new(answers).run(&["exec", "--resume", "-c", "one"]);
    assert_eq!(output.status.code(), Some(0));
    let told = "nothing to do: 1 command completed before (--resume)\n";
    assert!(text(&output.stderr).starts_with(told), "{}", text(&output.stderr));
    assert_eq!(verbs(&requests), ["Status", "ListWorkflows", "ListJobs", "Snapshot"]);
}

#[test]
fn a_workflow_of_another_name_is_not_resumed() {
    let mut answers = past(Vec::new());
    answers.pop();
    let counts = JobCounts { total: 1, completed: 1, ..JobCounts::default() };
    answers.extend([accepted(), accepted()]);
    answers.push(watched(1, vec![finished(WorkflowStatus::Completed, counts)]));
    answers.push(saved());
    let (output, _) =
        Script::new(answers).run(&["exec", "--resume", "--name", "other", "-c", "one"]);
    let told = "nothing to resume: there is no workflow 'other' yet; running 1 command\n";
    assert!(text(&output.stderr).starts_with(told), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}
