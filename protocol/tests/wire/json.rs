//! Messages in JSON: nothing is lost on the way, what may be left out has a default, and what is not
//! known is refused by its name.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use torc_protocol::request::{
    Cancel, ListJobs, Logs, Ping, Snapshot, Submit, SubmitCommit, SubmitJobs,
};
use torc_protocol::spec::{
    Environment, JobContext, JobSettings, JobSpec, RunOptions, WorkflowSpec,
};
use torc_protocol::status::JobStatus;
use torc_protocol::time::Span;

use crate::message::{
    Command, ErrorCode, EventKind, Golden, HaltAfter, JobSelector, LogPart, Request, Response,
    SnapshotProgress, SnapshotWait, StdioMode, Trigger, WatchItem, WorkflowSelector,
};

fn parse(value: Value) -> Result<Request, String> {
    serde_json::from_str(&value.to_string()).map_err(|error| error.to_string())
}

fn round_trip<T: Golden + Serialize + DeserializeOwned>() {
    for (name, message) in T::all() {
        let text = serde_json::to_string(&message).unwrap();
        let back: T = serde_json::from_str(&text).unwrap();
        // The time of a file, in nanoseconds, has more digits than a number of JSON keeps.
        let is_rounded = text.contains("\"modified\"");
        assert!(back == message || is_rounded, "{}::{name} is lost in {text}", T::NAME);
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }
}

#[test]
fn every_message_comes_back_as_it_was() {
    round_trip::<Request>();
    round_trip::<Response>();
    round_trip::<WatchItem>();
    round_trip::<EventKind>();
    round_trip::<SnapshotProgress>();
    round_trip::<SnapshotWait>();
    round_trip::<ErrorCode>();
    round_trip::<WorkflowSelector>();
    round_trip::<JobSelector>();
    round_trip::<StdioMode>();
    round_trip::<Command>();
    round_trip::<Trigger>();
    round_trip::<HaltAfter>();
    round_trip::<LogPart>();
}

#[test]
fn what_may_be_left_out_has_a_default() {
    assert_eq!(parse(json!({"ping": {}})), Ok(Ping.into()));
    assert_eq!(parse(json!({"list_jobs": {}})), Ok(ListJobs::default().into()));
    let jobs = ListJobs {
        workflow: WorkflowSelector::Name("night".to_owned()),
        status: vec![JobStatus::Failed],
        ..ListJobs::default()
    };
    let text = json!({"list_jobs": {"workflow": {"name": "night"}, "status": ["failed"]}});
    assert_eq!(parse(text), Ok(jobs.into()));
    let job = JobSelector::Name(WorkflowSelector::Latest, "a".to_owned());
    let logs = Logs {
        job: job.clone(),
        attempt: None,
        stdout_offset: 0,
        stderr_offset: 0,
        limit: Logs::MOST,
        wait: false,
    };
    assert_eq!(parse(json!({"logs": {"job": {"name": {"name": "a"}}}})), Ok(logs.into()));
    let cancel = Cancel { workflow: WorkflowSelector::Latest, jobs: vec![job], grace: None };
    let text = json!({"cancel": {"workflow": "latest", "jobs": [{"name": {"name": "a"}}]}});
    assert_eq!(parse(text), Ok(cancel.into()));
    let snapshot = Snapshot { wait: SnapshotWait::AtMost(Span(1_500_000)), path: None };
    assert_eq!(parse(json!({"snapshot": {"wait": {"at_most": 1.5}}})), Ok(snapshot.into()));
    let commit = SubmitCommit { watch: false };
    assert_eq!(parse(json!({"submit_commit": {}})), Ok(commit.into()));
}

#[test]
fn a_submission_needs_a_name_a_place_and_commands() {
    let context = json!({
        "working_dir": "/w",
        "output_dir": "/w/out",
        "environment": {"A": "1", "B": {"base64": "/w=="}},
    });
    let spec = WorkflowSpec {
        name: "sweep".to_owned(),
        context: JobContext {
            environment: Environment(b"A=1\0B=\xff\0".to_vec().into()),
            working_dir: "/w".to_owned(),
            output_dir: "/w/out".to_owned(),
        },
        settings: vec![JobSettings::default()],
        options: RunOptions::default(),
        ..WorkflowSpec::default()
    };
    let text = json!({"submit": {"spec": {"name": "sweep", "context": context}, "key": "k"}});
    assert_eq!(parse(text), Ok(Submit { spec, key: Some("k".to_owned()) }.into()));
    let job = JobSpec {
        name: "a".to_owned(),
        command: Command::Line("date".to_owned()),
        environment: vec![("X".to_owned(), "1".to_owned())],
        ..JobSpec::default()
    };
    let text = json!({"submit_jobs": {"jobs": [
        {"name": "a", "command": {"line": "date"}, "environment": {"X": "1"}},
    ]}});
    assert_eq!(parse(text), Ok(SubmitJobs { jobs: vec![job] }.into()));
    for (text, missing) in [
        (json!({"submit": {"spec": {"name": "a"}}}), "context"),
        (json!({"submit_jobs": {"jobs": [{"command": {"line": "date"}}]}}), "name"),
        (json!({"submit_jobs": {"jobs": [{"name": "a"}]}}), "command"),
        (json!({"explain": {}}), "job"),
        // What it does cannot be undone: it has to say what it means.
        (json!({"cancel": {}}), "workflow"),
        (json!({"delete_workflow": {}}), "workflow"),
        (json!({"restart": {"jobs": []}}), "workflow"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(&format!("missing field `{missing}`")), "{error}");
    }
}

#[test]
fn what_is_not_known_is_refused_by_its_name() {
    for (text, name) in [
        (json!({"list_job": {}}), "list_job"),
        (json!({"ping": {"loud": true}}), "loud"),
        (json!({"list_jobs": {"limit": 3}}), "limit"),
        (json!({"list_jobs": {"page": {"max": 3}}}), "max"),
        (json!({"list_jobs": {"workflow": "newest"}}), "newest"),
        (json!({"list_jobs": {"status": ["done"]}}), "done"),
        (json!({"get_job": {"job": {"name": {"name": "a", "of": 3}}}}), "of"),
        (
            json!({"submit_jobs": {"jobs": [{"name": "a", "command": {"line": ""}, "cpus": 2}]}}),
            "cpus",
        ),
        (json!({"snapshot": {"wait": {"at_least": 3}}}), "at_least"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with("unknown ") && error.contains(&format!("`{name}`")), "{error}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let submit = |variable: Value| {
        json!({"submit": {"spec": {"name": "a", "context": {
            "working_dir": "/", "output_dir": "/", "environment": variable,
        }}}})
    };
    for (text, words) in [
        (json!({"snapshot": {"wait": {"at_most": -1}}}), "-1 s is less than no time"),
        (submit(json!({"": "x"})), "\"\" cannot be the name of a variable"),
        (submit(json!({"A=B": "x"})), "\"A=B\" cannot be the name of a variable"),
        (submit(json!({"A": "x\0"})), "the value of \"A\" has a NUL in it"),
        (submit(json!({"A": {"base64": "?"}})), "not valid base64"),
        (submit(json!({"A": {}})), "missing field `base64`"),
        (submit(json!({"A": {"hex": "00"}})), "unknown field `hex`"),
        (submit(json!({"A": 3})), "expected a string, or {\"base64\": \"…\"}"),
        (json!("ping"), "expected newtype variant"),
        (json!({"ping": {}, "status": {}}), "expected value"),
        (json!([]), "expected value"),
    ] {
        let error = parse(text.clone()).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
}

#[test]
fn replies_have_the_names_of_the_documentation() {
    let text = |name: &str| {
        let all = Response::all();
        let (_, message) = all.iter().find(|(variant, _)| *variant == name).unwrap();
        serde_json::to_value(message).unwrap()
    };
    assert_eq!(text("Pong"), json!({"pong": {}}));
    assert_eq!(text("End"), json!("end"));
    assert_eq!(text("Error")["error"]["code"], "not_found");
    assert_eq!(text("Jobs")["jobs"][0]["status"], "failed");
    let logs = &text("Logs")["logs"];
    assert!(logs["stdout"]["bytes"].is_string() || logs["stdout"]["bytes"]["base64"].is_string());
}
