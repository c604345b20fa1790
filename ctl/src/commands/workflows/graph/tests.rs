//! Each language, on a graph whose names are as hard as names can be.

use torc_protocol::status::JobStatus;

use super::*;
use crate::commands::fixtures::{job, workflow};

/// Returns the text of four jobs: 2 and 3 wait for 1, and 4 for both.
fn text(language: Language, colors: Colors) -> String {
    let mut workflow = workflow();
    workflow.name = "a \"night\"".to_owned();
    let jobs = [
        job(1, "plain", JobStatus::Completed),
        job(2, r#"say "hi" \N #1; <b>"#, JobStatus::Failed),
        job(3, "two\nlines `of` ü", JobStatus::Running),
        job(4, "end", JobStatus::Blocked),
    ];
    let mut drawing = drawing(language, colors);
    let mut out = Vec::new();
    drawing.begin(&mut out, &workflow).unwrap();
    for job in &jobs {
        drawing.job(&mut out, job).unwrap();
    }
    for (first, waiting) in [(1, 2), (1, 3), (2, 4), (3, 4)] {
        drawing.edge(&mut out, JobId(first), JobId(waiting)).unwrap();
    }
    drawing.end(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn names_in_dot_cannot_leave_their_quotes() {
    insta::assert_snapshot!(text(Language::Dot, Colors::default()), @r##"
    digraph "a \"night\"" {
      rankdir=LR;
      node [shape=box, style="rounded,filled", fillcolor=white];
      j1 [label="plain", fillcolor="#b5e0b0", tooltip="completed"];
      j2 [label="say \"hi\" \\N #1; <b>", fillcolor="#f2958d", tooltip="failed"];
      j3 [label="two\\nlines `of` ü", fillcolor="#8cc4f2", tooltip="running"];
      j4 [label="end", fillcolor="#e8e8e8", tooltip="blocked"];
      j1 -> j2;
      j1 -> j3;
      j2 -> j4;
      j3 -> j4;
    }
    "##);
}

#[test]
fn names_in_mermaid_cannot_leave_their_quotes() {
    insta::assert_snapshot!(text(Language::Mermaid, Colors::default()), @r#"
    flowchart LR
      j1["plain"]:::completed
      j2["say #34;hi#34; #92;N #35;1#59; #60;b#62;"]:::failed
      j3["two#92;nlines #96;of#96; ü"]:::running
      j4["end"]:::blocked
      j1 --> j2
      j1 --> j3
      j2 --> j4
      j3 --> j4
      classDef blocked fill:#e8e8e8,stroke:#555555,color:#000000
      classDef running fill:#8cc4f2,stroke:#555555,color:#000000
      classDef completed fill:#b5e0b0,stroke:#555555,color:#000000
      classDef failed fill:#f2958d,stroke:#555555,color:#000000
    "#);
}

#[test]
fn without_colours_there_are_none() {
    let none: StatusColors = "none".parse().unwrap();
    for language in [Language::Dot, Language::Mermaid] {
        let text = text(language, none.0.clone());
        assert!(!text.contains("#b5e0b0") && !text.contains("classDef"), "{text}");
    }
}

#[test]
fn json_tells_the_same_to_programs() {
    let value: serde_json::Value =
        serde_json::from_str(&text(Language::Json, Colors::default())).unwrap();
    assert_eq!(value["workflow"]["id"], 3);
    assert_eq!(value["jobs"][1]["name"], r#"say "hi" \N #1; <b>"#);
    assert_eq!(value["jobs"][3], serde_json::json!({"id": 4, "name": "end", "status": "blocked"}));
    assert_eq!(value["edges"][2], serde_json::json!({"job_id": 4, "depends_on": 2}));
}

#[test]
fn json_of_nothing_is_still_json() {
    let mut json = json::Json::default();
    let mut out = Vec::new();
    json.begin(&mut out, &workflow()).unwrap();
    json.end(&mut out).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["jobs"], serde_json::json!([]));
    assert_eq!(value["edges"], serde_json::json!([]));
}

#[test]
fn the_language_follows_the_format_unless_it_is_named() {
    let of = |named, format| language(named, format).map_err(|error| error.exit_code());
    assert_eq!(of(None, Format::Table), Ok(Language::Dot));
    assert_eq!(of(None, Format::Json), Ok(Language::Json));
    assert_eq!(of(Some(Language::Mermaid), Format::Json), Ok(Language::Mermaid));
    assert_eq!(of(Some(Language::Dot), Format::Csv), Err(2));
}

#[test]
fn an_ampersand_in_dot_begins_no_entity() {
    let mut drawing = drawing(Language::Dot, Colors::default());
    let mut out = Vec::new();
    drawing.job(&mut out, &job(1, "a &lt; b", JobStatus::Completed)).unwrap();
    let line = String::from_utf8(out).unwrap();
    assert!(line.contains(r#"label="a &amp;lt; b""#), "{line}");
}

#[test]
fn a_label_in_mermaid_begins_no_list() {
    let label = |name: &str| {
        let mut drawing = drawing(Language::Mermaid, "none".parse::<StatusColors>().unwrap().0);
        let mut out = Vec::new();
        drawing.job(&mut out, &job(1, name, JobStatus::Completed)).unwrap();
        String::from_utf8(out).unwrap().trim().to_owned()
    };
    assert_eq!(label("1. align"), r##"j1["1#46; align"]"##);
    assert_eq!(label("12.5"), r##"j1["12#46;5"]"##);
    assert_eq!(label("- x"), r##"j1["#45; x"]"##);
    assert_eq!(label(" + x"), r##"j1[" #43; x"]"##);
    assert_eq!(label("a-1.5 + b"), r##"j1["a-1.5 + b"]"##);
}
