//! One workflow in all four formats: it means the same in each, and all of it arrives.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use torcctl::spec::complaint::Source;
use torcctl::spec::fields::schema::schema;
use torcctl::spec::file::Format;
use torcctl::spec::listing::Listing;
use torcctl::spec::workflow_file::{load, understand};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs").join(name)
}

fn listing(name: &str) -> Value {
    let mut workflow = load(&fixture(name)).unwrap_or_else(|error| panic!("{error}"));
    // Its place is another one in each format.
    let warnings = std::mem::take(&mut workflow.warnings);
    let [warning] = warnings.as_slice() else { panic!("{warnings:?}") };
    assert!(
        warning.ends_with("'st_mtime' has no effect: torc looks at the file itself"),
        "{warning}"
    );
    serde_json::to_value(Listing(&workflow)).expect("a workflow is JSON")
}

#[test]
fn a_workflow_becomes_what_it_says() {
    let text = format!("{:#}", listing("features.yaml"));
    insta::assert_snapshot!(text);
}

#[test]
fn all_formats_mean_the_same() {
    let yaml = listing("features.yaml");
    for name in ["features.json", "features.json5", "features.kdl"] {
        let other = listing(name);
        for (key, value) in yaml.as_object().unwrap() {
            assert_eq!(value, &other[key], "{key} of {name}");
        }
    }
}

/// The examples of `docs/workflow-files.md` are workflow files.
#[test]
fn the_examples_of_the_documentation_are_correct() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/workflow-files.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut jobs = Vec::new();
    for block in text.split("\n```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap();
        let format = Format::of(Path::new(&format!("x.{language}")));
        if format.is_some() {
            let source = Source { name: language.into(), text: text.into() };
            let workflow = understand(&source, format, Path::new(""));
            jobs.push(workflow.unwrap_or_else(|error| panic!("{error}")).jobs.len());
        }
    }
    assert_eq!(jobs, [1, 101, 2, 7]);
}

/// The schema knows every field that the fixture has, at its place.
#[test]
fn the_schema_knows_the_fixture() {
    let text = std::fs::read_to_string(fixture("features.json")).unwrap();
    let workflow: Value = serde_json::from_str(&text).unwrap();
    let schema = schema();
    let mut unknown = BTreeSet::new();
    compare(&workflow, &schema, &schema, "", &mut unknown);
    assert_eq!(unknown, BTreeSet::new());
}

fn compare(value: &Value, at: &Value, schema: &Value, path: &str, unknown: &mut BTreeSet<String>) {
    if let Some(first) = at["anyOf"].get(0) {
        return compare(value, first, schema, path, unknown);
    }
    if let Some(reference) = at["$ref"].as_str() {
        let name = reference.trim_start_matches("#/$defs/");
        return compare(value, &schema["$defs"][name], schema, path, unknown);
    }
    match value {
        Value::Array(items) => {
            items.iter().for_each(|item| compare(item, &at["items"], schema, path, unknown));
        }
        Value::Object(entries) if at["properties"].is_object() => {
            for (key, value) in entries {
                let path = format!("{path}/{key}");
                match at["properties"].get(key) {
                    Some(property) => compare(value, property, schema, &path, unknown),
                    None => drop(unknown.insert(path)),
                }
            }
        }
        _ => {}
    }
}
