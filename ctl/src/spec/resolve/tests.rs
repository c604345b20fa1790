//! What files become, and what is said about those that are wrong.

mod meaning;
mod messages;

use std::path::Path;

use crate::spec::complaint::Source;
use crate::spec::file::Format;
use crate::spec::resolved::{Job, Workflow};
use crate::spec::workflow_file::understand;

/// Returns the workflow of a YAML file that begins with `name: test`.
fn workflow(text: &str) -> Workflow {
    match resolve(text) {
        Ok(workflow) => workflow,
        Err(message) => panic!("{message}"),
    }
}

/// Returns what is said about a YAML file that begins with `name: test`.
fn complaints(text: &str) -> String {
    resolve(text).unwrap_err()
}

fn resolve(text: &str) -> Result<Workflow, String> {
    let text = format!("name: test\n{text}");
    let source = Source { name: "flow.yaml".into(), text: text.into() };
    understand(&source, Some(Format::Yaml), Path::new("")).map_err(|error| error.to_string())
}

fn job<'w>(workflow: &'w Workflow, name: &str) -> &'w Job {
    workflow.jobs.iter().find(|job| job.name == name).unwrap()
}

/// Returns the names of what a job waits for.
fn depends_on<'w>(workflow: &'w Workflow, name: &str) -> Vec<&'w str> {
    let dependencies = job(workflow, name).depends_on.iter();
    dependencies.map(|number| workflow.jobs[*number as usize].name.as_str()).collect()
}

fn names(workflow: &Workflow) -> Vec<&str> {
    workflow.jobs.iter().map(|job| job.name.as_str()).collect()
}
