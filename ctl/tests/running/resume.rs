//! `exec --resume`: only what did not complete before.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use torc_protocol::request::Request;
use torc_protocol::response::{Response, SnapshotProgress};
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

#[test]
fn what_is_running_is_not_resumed() {
    let mut running = workflow("/w", WorkflowStatus::Running);
    "exec".clone_into(&mut running.name);
    let answers = vec![status(), vec![Response::Workflows(vec![running]), Response::End]];
    let (output, requests) = Script::new(answers).run(&["exec", "--resume", "-c", "one"]);
    assert_eq!(output.status.code(), Some(7));
    let expected = "error: 'exec' (workflow 3) is running, and cannot be resumed\nhint: wait for";
    assert!(text(&output.stderr).starts_with(expected), "{}", text(&output.stderr));
    assert_eq!(verbs(&requests), ["Status", "ListWorkflows"]);
}

/// Sends signals to a run of one command, which gets these answers, while its snapshot is written;
/// returns what was asked of torcd, and then once more by another torcctl.
fn signaled_at_the_end(options: &[&str], mut answers: Vec<Vec<Response>>) -> Vec<String> {
    // The snapshot has no end: a torcd that waits for one more request does not hang up.
    answers.extend([vec![Response::Snapshot(SnapshotProgress::Queued)], Vec::new()]);
    // Whoever comes next is on the second connection; it is to be the other torcctl.
    let script = Script::of_connections(vec![answers, vec![status()]]);
    let mut run = script.command(&[&["exec", "-c", "one"], options].concat());
    let mut run = run.stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(run.id()).unwrap());
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("; snapshot: ")));
    kill(pid, Signal::SIGINT).unwrap();
    assert!(said.any(|line| line.contains("once more to leave")));
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(5));
    script.command(&["status"]).output().unwrap();
    verbs(&script.finish())
}

#[test]
fn a_signal_while_nothing_of_ours_runs_cancels_nothing() {
    let answers = past(vec![("one", JobStatus::Completed)]);
    let asked = signaled_at_the_end(&["--resume"], answers);
    assert_eq!(asked, ["Status", "ListWorkflows", "ListJobs", "Snapshot", "Status"]);
}

#[test]
fn a_signal_after_the_workflow_has_ended_cancels_nothing() {
    let counts = JobCounts { total: 1, completed: 1, ..JobCounts::default() };
    let ended = watched(1, vec![finished(WorkflowStatus::Completed, counts)]);
    let asked = signaled_at_the_end(&[], vec![status(), accepted(), accepted(), ended]);
    assert_eq!(asked[asked.len() - 2..], ["Snapshot", "Status"]);
    assert!(!asked.contains(&"Cancel".to_owned()), "{asked:?}");
}
