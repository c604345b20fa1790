//! `workflows graph`.

use torc_protocol::id::JobId;
use torc_protocol::response::Response;
use torc_protocol::status::JobStatus;
use torc_protocol::status::WorkflowStatus::{Completed, Running};
use torc_protocol::view::EdgeView;

use crate::script::{Script, text};
use crate::views::{got, job, not_there, workflow};

/// A diamond: 2 and 3 wait for 1, and 4 for both. Job 9 is an action.
fn diamond() -> Script {
    let jobs = vec![
        Response::Jobs(vec![
            job(1, "first", JobStatus::Completed),
            job(2, "l", JobStatus::Running),
        ]),
        Response::Jobs(vec![job(3, "r", JobStatus::Ready), job(4, "last", JobStatus::Blocked)]),
        Response::End,
    ];
    let edge = |(job, on)| EdgeView { job_id: JobId(job), depends_on: JobId(on) };
    let edges = vec![
        Response::Edges([(4, 3), (2, 1)].map(edge).to_vec()),
        Response::Edges([(4, 2), (9, 4), (3, 1)].map(edge).to_vec()),
        Response::End,
    ];
    Script::new(vec![got(3, Running), jobs, edges])
}

#[test]
fn dot_has_every_job_and_every_dependency_in_order() {
    let (output, _) = diamond().run(&["workflows", "graph"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    insta::assert_snapshot!(text(&output.stdout), @r##"
    digraph "night" {
      rankdir=LR;
      node [shape=box, style="rounded,filled", fillcolor=white];
      j1 [label="first", fillcolor="#b5e0b0", tooltip="completed"];
      j2 [label="l", fillcolor="#8cc4f2", tooltip="running"];
      j3 [label="r", fillcolor="#ffffff", tooltip="ready"];
      j4 [label="last", fillcolor="#e8e8e8", tooltip="blocked"];
      j1 -> j2;
      j1 -> j3;
      j2 -> j4;
      j3 -> j4;
    }
    "##);
}

#[test]
fn mermaid_has_them_too() {
    let (output, _) = diamond().run(&[
        "workflows",
        "graph",
        "3",
        "--as",
        "mermaid",
        "--status-colors",
        "running=gold",
    ]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    insta::assert_snapshot!(text(&output.stdout), @r#"
    flowchart LR
      j1["first"]:::completed
      j2["l"]:::running
      j3["r"]:::ready
      j4["last"]:::blocked
      j1 --> j2
      j1 --> j3
      j2 --> j4
      j3 --> j4
      classDef blocked fill:#e8e8e8,stroke:#555555,color:#000000
      classDef ready fill:#ffffff,stroke:#555555,color:#000000
      classDef running fill:gold,stroke:#555555,color:#000000
      classDef completed fill:#b5e0b0,stroke:#555555,color:#000000
    "#);
}

#[test]
fn json_is_one_object() {
    let (output, _) = diamond().run(&["workflows", "graph", "--format", "json"]);
    let graph: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(graph["workflow"]["name"], "night");
    assert_eq!(graph["jobs"].as_array().unwrap().len(), 4);
    assert_eq!(graph["edges"][3], serde_json::json!({"job_id": 4, "depends_on": 3}));
}

#[test]
fn a_graph_that_is_no_picture_is_drawn_with_a_warning() {
    let script = || {
        let mut large = workflow(3, Completed);
        large.jobs.total = 100_000;
        let large = vec![Response::Workflow(Box::new(large))];
        Script::new(vec![large, vec![Response::End], vec![Response::End]])
    };
    let (output, _) = script().run(&["workflows", "graph"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).starts_with("warning: workflow 3 'night' has 100000 jobs"));
    for quiet in [&["--as", "json"], &["--as", "dot", "-q"][..]] {
        let (output, _) = script().run(&[&["workflows", "graph"], quiet].concat());
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{quiet:?}");
    }
}

#[test]
fn a_workflow_that_is_not_there_is_exit_code_six() {
    let (output, _) = Script::new(vec![not_there()]).run(&["workflows", "graph", "9"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(6), ""));
}
