//! That a workflow is submitted once, although the connection may break before we are told.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixListener as StdListener;
use std::process::{Command, Stdio};

use tokio::net::UnixListener;
use torc_protocol::connection::ServerSide;
use torc_protocol::event::{Event, EventKind};
use torc_protocol::request::Request;
use torc_protocol::response::{Response, SubmitAccepted, WatchItem};
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobCounts, WorkflowView};

use crate::answers::{
    WORKFLOW, accepted, finished, saved, status, submitted, verbs, watched, workflow,
};
use crate::script::{Script, text};

const FLOW: &str = "{name: flow, jobs: [{name: a, command: make}]}";

/// Returns the answer to a submission that is there already.
fn existing() -> Vec<Response> {
    vec![Response::SubmitAccepted(SubmitAccepted { existing: Some(WORKFLOW) })]
}

/// Returns the answer to `GetWorkflow` of one with so many jobs.
fn found(jobs: u64) -> Vec<Response> {
    let counts = JobCounts { total: jobs, ready: jobs, ..JobCounts::default() };
    let view = WorkflowView { jobs: counts, ..workflow("/w", WorkflowStatus::Running) };
    vec![Response::Workflow(Box::new(view))]
}

fn completed() -> EventKind {
    let counts = JobCounts { total: 1, completed: 1, ..JobCounts::default() };
    finished(WorkflowStatus::Completed, counts)
}

/// Returns the keys of all submissions.
fn keys(requests: &[Request]) -> Vec<String> {
    let key = |request: &Request| match request {
        Request::Submit(submit) => Some(submit.key.clone().unwrap()),
        _ => None,
    };
    requests.iter().filter_map(key).collect()
}

#[test]
fn a_submission_whose_commit_was_not_answered_is_sent_again_with_its_key() {
    let unanswered = vec![status(), accepted(), accepted(), Vec::new()];
    let again = vec![accepted(), accepted(), watched(1, vec![completed()]), saved()];
    let (output, requests) =
        Script::of_connections(vec![unanswered, again]).run(&["exec", "-c", "one"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let keys = keys(&requests);
    assert_eq!(keys.len(), 2);
    assert!(keys[0] == keys[1] && keys[0].len() > 16, "{keys:?}");
    let told = text(&output.stderr);
    assert!(told.contains("; asking whether the workflow is submitted\n"), "{told}");
}

#[test]
fn a_submission_that_was_recorded_before_it_was_answered_is_watched_and_not_made_twice() {
    let unanswered = vec![status(), accepted(), accepted(), Vec::new()];
    let event = Event { seq: 1, at: Timestamp(0), workflow_id: WORKFLOW, kind: completed() };
    let events = vec![Response::Watch(WatchItem::Events(vec![event])), Response::End];
    let again = vec![existing(), found(1), events, saved()];
    let (output, requests) =
        Script::of_connections(vec![unanswered, again]).run(&["exec", "-c", "one"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(verbs(&requests)[4..], ["Submit", "GetWorkflow", "Watch", "Snapshot"]);
    assert!(text(&output.stderr).contains("\n1 job completed in "), "{}", text(&output.stderr));
}

#[test]
fn a_torcd_that_is_gone_for_a_while_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("s");
    let listen = || StdListener::bind(&socket).unwrap();
    let serve = |listener: StdListener, answers: Vec<Vec<Response>>| {
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                listener.set_nonblocking(true).unwrap();
                let listener = UnixListener::from_std(listener).unwrap();
                let (stream, _) = listener.accept().await.unwrap();
                drop(listener);
                let mut connection = ServerSide::open(stream).await.unwrap();
                for answer in answers {
                    connection.receive().await.unwrap().unwrap();
                    for response in answer {
                        connection.send(response).await.unwrap();
                    }
                }
            });
        })
    };
    let first = serve(listen(), vec![status(), accepted(), accepted(), Vec::new()]);
    let mut run = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["exec", "--detach", "-c", "one", "--socket"])
        .arg(&socket)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    first.join().unwrap();
    fs::remove_file(&socket).unwrap();
    let mut said = BufReader::new(run.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("asking whether the workflow is submitted")));
    let second = serve(listen(), vec![existing(), found(1)]);
    assert_eq!(run.wait_with_output().unwrap().stdout, b"3\n");
    second.join().unwrap();
}

#[test]
fn a_key_that_was_used_before_names_the_workflow_of_then() {
    let with_key = |format: &str, answers| {
        let script = Script::new(answers);
        fs::write(script.path("flow.yaml"), FLOW).unwrap();
        script.run(&["submit", "flow.yaml", "--key", "night-1", "--format", format])
    };
    let (output, requests) = with_key("table", vec![status(), existing(), found(1)]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "3\n");
    assert_eq!(text(&output.stderr), "1 job submitted before (workflow 3, night)\n");
    assert_eq!(keys(&requests), ["night-1"]);
    let (output, _) = with_key("json", vec![status(), existing(), found(1)]);
    let expected = serde_json::json!(
        {"workflow_id": 3, "name": "night", "jobs": 1, "existed": true}
    );
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), expected);
    let (output, _) = with_key("json", vec![status(), accepted(), accepted(), submitted(1)]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["existed"], false);
}

#[test]
fn a_key_that_cannot_be_one_is_refused() {
    for key in [String::new(), "k".repeat(129)] {
        let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
            .args(["submit", "flow.yaml", "--key", &key])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("a key has at "), "{}", text(&output.stderr));
    }
}
