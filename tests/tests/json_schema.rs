//! The JSON Schemas say what the types say: every message fits, every word of an enum is there, and
//! there is nothing besides.

use std::collections::BTreeSet;
use std::fs;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use torc_protocol::request::RunningJobs;
use torc_protocol::view::{Fate, SnapshotPlace};
use torc_tests::schema::{Schema, variants};
use torc_tests::source::workspace;

/// One of each message, which the protocol's own tests have.
#[path = "../../protocol/tests/wire/message/mod.rs"]
#[expect(dead_code, reason = "what workers are told has no JSON form")]
mod message;

use message::{
    Command, ErrorCode, EventKind, Golden, HaltAfter, JobSelector, JobStatus, LogPart, Request,
    Response, SnapshotPhase, SnapshotProgress, SnapshotWait, StdioMode, Trigger, WatchItem,
    WorkflowSelector, WorkflowStatus,
};

/// Returns the words of an enum, or the keys of an object that has one, wherever they are below.
fn words(schema: &Value) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let enums = [&schema["enum"], &schema["anyOf"][0]["enum"]];
    for word in enums.into_iter().filter_map(Value::as_array).flatten() {
        words.extend(word.as_str().map(str::to_owned));
    }
    let objects = [&schema["properties"], &schema["anyOf"][1]["properties"]];
    for keys in objects.into_iter().filter_map(Value::as_object) {
        words.extend(keys.keys().cloned());
    }
    words
}

#[track_caller]
fn same<T: DeserializeOwned>(schema: &Value) {
    assert_eq!(words(schema), variants::<T>(), "{}", std::any::type_name::<T>());
}

#[test]
fn every_word_of_an_enum_is_in_the_schema_and_no_other() {
    let schema = Schema::v1();
    same::<JobStatus>(schema.definition("job_status"));
    same::<WorkflowStatus>(schema.definition("workflow_status"));
    same::<SnapshotPhase>(schema.definition("snapshot_phase"));
    same::<SnapshotPlace>(schema.definition("snapshot_place"));
    same::<Fate>(schema.definition("fate"));
    same::<ErrorCode>(schema.definition("error_code"));
    same::<StdioMode>(schema.definition("stdio"));
    same::<Trigger>(schema.definition("trigger"));
    same::<WorkflowSelector>(schema.definition("workflow_selector"));
    same::<JobSelector>(schema.definition("job_selector"));
    same::<Command>(schema.definition("command"));
    same::<EventKind>(&schema.definition("event")["properties"]["event"]);
    let options = &schema.definition("run_options")["properties"];
    same::<HaltAfter>(&options["halt"]["properties"]["after"]);
    let requests = &schema.definition("api_request")["properties"];
    same::<SnapshotWait>(&requests["snapshot"]["properties"]["wait"]);
    same::<RunningJobs>(&requests["shutdown"]["properties"]["running"]);
    same::<Request>(schema.definition("api_request"));
    let reply = schema.definition("api_reply");
    same::<Response>(reply);
    let replies = &reply["anyOf"][1]["properties"];
    same::<WatchItem>(&replies["watch"]);
    same::<SnapshotProgress>(&replies["snapshot"]);
    same::<LogPart>(&replies["logs"]["properties"]["stdout"]);
}

/// Checks one of each message: with `additionalProperties: false` everywhere, a field that is not in
/// the schema fails too.
fn every_one_fits<T: Golden + Serialize>(definition: &str, put: impl Fn(Value) -> Value) {
    let shape = Schema::v1().shape(definition);
    for (_, message) in T::all() {
        shape.check(&put(serde_json::to_value(&message).expect("a message is JSON")));
    }
}

#[test]
fn one_of_each_message_fits() {
    every_one_fits::<Request>("api_request", |request| request);
    every_one_fits::<Response>("api_reply", |reply| reply);
    every_one_fits::<WatchItem>("api_reply", |item| json!({ "watch": item }));
    every_one_fits::<SnapshotProgress>("api_reply", |step| json!({ "snapshot": step }));
    every_one_fits::<EventKind>(
        "event",
        |kind| json!({ "seq": 1, "at": 0.5, "workflow_id": 1, "event": kind }),
    );
}

/// Returns the paths of all objects below `schema` that take keys which it does not name.
fn open_objects(path: &str, schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(keys) => {
            let is_object = schema["type"] == "object" || schema["type"][0] == "object";
            if is_object && schema["additionalProperties"] != json!(false) {
                found.insert(path.to_owned());
            }
            for (key, value) in keys {
                let name = if key == "properties" { String::new() } else { format!("/{key}") };
                open_objects(&format!("{path}{name}"), value, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                open_objects(path, item, found);
            }
        }
        _ => {}
    }
}

#[test]
fn only_what_users_name_themselves_is_open() {
    let schema = Schema::v1();
    let mut open = BTreeSet::new();
    for name in schema.names() {
        open_objects(&name, schema.definition(&name), &mut open);
    }
    let dry_run = [
        "run_dry_run/actions/items",
        "run_dry_run/env",
        "run_dry_run/execution_config",
        "run_dry_run/failure_handlers/items",
        "run_dry_run/jobs/items/env",
        "run_dry_run/jobs/items/stdio",
        "run_dry_run/user_data/items",
        "exec_dry_run/jobs/items/env",
    ];
    let expected: BTreeSet<_> =
        ["environment", "variables"].into_iter().chain(dry_run).map(str::to_owned).collect();
    assert_eq!(open, expected);
}

#[test]
fn the_schema_refuses_what_is_not_promised() {
    let schema = Schema::v1();
    let edge = schema.shape("edge");
    assert!(edge.fits(&json!({"job_id": 1, "depends_on": 2})));
    for wrong in [
        json!({"job_id": 1}),
        json!({"job_id": 1, "depends_on": 2, "more": 3}),
        json!({"job_id": "1", "depends_on": 2}),
        json!({"job_id": 1, "depends_on": null}),
    ] {
        assert!(!edge.fits(&wrong), "{wrong}");
    }
    let request = schema.shape("api_request");
    for wrong in [json!({}), json!({"ping": {}, "status": {}}), json!("ping")] {
        assert!(!request.fits(&wrong), "{wrong}");
    }
}

#[test]
fn the_page_about_json_names_what_every_command_gives() {
    let page = fs::read_to_string(workspace().join("docs/json.md")).expect("there is this page");
    let (_, rest) = page.split_once("## Which shape").expect("it has this part");
    let (shapes, _) = rest.split_once("## Ids").expect("it has that part");
    let rows = shapes.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.flat_map(|row| row.split('|').skip(2));
    let named: BTreeSet<_> =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    let schema = Schema::v1();
    let unknown: Vec<_> = named.difference(&schema.names()).cloned().collect();
    assert!(unknown.is_empty(), "the schema does not define {unknown:?}");
    let is_told = |name: &String| {
        let description = schema.definition(name)["description"].as_str().unwrap_or_default();
        named.contains(name) || !description.starts_with('`')
    };
    let untold: Vec<_> = schema.names().into_iter().filter(|name| !is_told(name)).collect();
    assert!(untold.is_empty(), "docs/json.md does not name {untold:?}");
}
