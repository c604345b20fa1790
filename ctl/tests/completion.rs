//! Completion against a torcd that says exactly what a test wants it to say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

#[expect(dead_code, reason = "the socket is named within the line, not at its end")]
mod script;

use std::process::Command;

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::{ListJobs, Request, WorkflowSelector};
use torc_protocol::response::Response;
use torc_protocol::status::JobStatus;
use torc_protocol::view::JobView;

use script::{Script, text};

fn job(id: u64, name: &str) -> JobView {
    JobView {
        id: JobId(id),
        workflow_id: WorkflowId(3),
        name: name.to_owned(),
        command: "true".to_owned(),
        status: JobStatus::Failed,
        priority: 0,
        attempts: 1,
        return_code: Some(3),
        cpus: 1,
        memory: None,
        gpus: 0,
        labels: Vec::new(),
    }
}

/// Completes the last of `words`, and returns the values and what is told of them.
fn complete(script: &Script, words: &[&str]) -> Vec<(String, String)> {
    let output = Command::new(env!("CARGO_BIN_EXE_torcctl"))
        .args(["complete", "--", "torcctl", "--socket"])
        .arg(script.socket())
        .args(words)
        .env("TORC_COMPLETE_MS", "60000")
        .output()
        .unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let field =
        |candidate: &serde_json::Value, name: &str| candidate[name].as_str().unwrap().to_owned();
    let found = found.as_array().unwrap().iter();
    found.map(|one| (field(one, "value"), field(one, "description"))).collect()
}

#[test]
fn of_many_the_first_and_the_last_are_asked_for_by_what_is_typed() {
    let first = (0..200).map(|at| job(at, &format!("a*{at:03}"))).collect();
    let last = vec![job(1_000_000, "a*999999")];
    let script = Script::new(vec![
        vec![Response::Jobs(first), Response::End],
        vec![Response::Jobs(last), Response::End],
    ]);
    let found = complete(&script, &["logs", "-w", "night", "a*"]);
    assert_eq!(found.len(), 201);
    assert_eq!(found[0], ("a*000".to_owned(), "failed (3): true".to_owned()));
    assert_eq!(found[200].0, "a*999999");
    let requests = script.finish();
    let asked: Vec<_> = requests
        .iter()
        .map(|request| match request {
            Request::ListJobs(ListJobs { workflow, name, page, .. }) => {
                assert_eq!(*workflow, WorkflowSelector::Name("night".to_owned()));
                assert_eq!(page.sort.as_deref(), Some("name"));
                (name.as_deref().unwrap(), page.limit, page.reverse)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(asked, [("a[*]*", Some(200), false), ("a[*]*", Some(1), true)]);
}

#[test]
fn names_that_would_mean_something_else_are_not_offered() {
    let jobs = ["12", "-x", "two\nlines", "fit"].map(|name| job(1, name)).to_vec();
    let script = Script::new(vec![vec![Response::Jobs(jobs.clone()), Response::End]]);
    let values = |found: Vec<(String, String)>| {
        found.into_iter().map(|(value, _)| value).collect::<Vec<_>>()
    };
    assert_eq!(values(complete(&script, &["logs", ""])), ["fit"]);
    script.finish();
    let script = Script::new(vec![vec![Response::Jobs(jobs), Response::End]]);
    assert_eq!(values(complete(&script, &["logs", "-w", "3", ""])), ["12", "fit"]);
    script.finish();
}

#[test]
fn a_command_is_offered_the_jobs_that_it_is_for() {
    for (words, expected) in [
        (["retry", "--job", ""].as_slice(), vec![JobStatus::Failed]),
        (&["jobs", "enable", ""], vec![JobStatus::Disabled]),
        (&["explain", ""], vec![]),
        (&["jobs", "list", "--name", ""], vec![]),
    ] {
        let script = Script::new(vec![vec![Response::Jobs(vec![job(1, "fit")]), Response::End]]);
        assert_eq!(complete(&script, words)[0].0, "fit", "{words:?}");
        let [Request::ListJobs(ListJobs { status, .. })] = &script.finish()[..] else {
            panic!("{words:?}");
        };
        assert_eq!(*status, expected, "{words:?}");
    }
}
