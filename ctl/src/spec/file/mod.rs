//! From a file to one tree, whatever its format. The readers give places and refuse what is too
//! large, too deep, or doubled; what the tree means is for others to say.

pub mod bytes;
mod json;
mod json_scanner;
mod kdl;
mod kdl_depth;
mod lines;
pub mod node;
mod tree;
mod yaml;
mod yaml_scalar;

#[cfg(test)]
mod tests;

use std::path::Path;

use json_scanner::Dialect;
use node::{Node, Value};

use super::complaint::{Complaints, Position, Source};
use super::fields::tables::WORKFLOW;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// JSON5.
    Json5,
    /// YAML.
    Yaml,
    /// KDL.
    Kdl,
}

/// The order in which they are tried when nothing tells.
const ALL: [Format; 4] = [Format::Json, Format::Json5, Format::Yaml, Format::Kdl];

/// The endings of workflow files.
pub const EXTENSIONS: [(&str, Format); 5] = [
    ("yaml", Format::Yaml),
    ("yml", Format::Yaml),
    ("json", Format::Json),
    ("json5", Format::Json5),
    ("kdl", Format::Kdl),
];

impl Format {
    /// Returns the format that the ending of a file name tells.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        let known = EXTENSIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(extension));
        known.map(|(_, format)| *format)
    }
}

/// Returns the tree that the text writes: in `format`, or in whichever it can be read. None when
/// it cannot; then there is a complaint.
pub fn parse(source: &Source, format: Option<Format>, complaints: &mut Complaints) -> Option<Node> {
    let node = match format {
        Some(format) => parse_as(&source.text, format, complaints)?,
        None => parse_as_any(source, complaints)?,
    };
    match node.value {
        Value::Map(_) => Some(node),
        Value::Null => {
            complaints.push_with_hint(node.at, "the file is empty", EMPTY);
            None
        }
        _ => {
            let message = format!("a workflow is a map of fields, not {}", node.kind());
            complaints.push_with_hint(node.at, message, EMPTY);
            None
        }
    }
}

const EMPTY: &str = "a workflow has a name and jobs, each with a name and a command";

fn parse_as(text: &str, format: Format, complaints: &mut Complaints) -> Option<Node> {
    if text.trim().is_empty() {
        return Some(Node::new(Position::START, Value::Null));
    }
    match format {
        Format::Json => json::parse(text, Dialect::Json, complaints),
        Format::Json5 => json::parse(text, Dialect::Json5, complaints),
        Format::Yaml => yaml::parse(text, complaints),
        Format::Kdl => kdl::parse(text, complaints),
    }
}

fn parse_as_any(source: &Source, complaints: &mut Complaints) -> Option<Node> {
    for format in ALL {
        let mut own = Complaints::new(source.clone());
        let node = parse_as(&source.text, format, &mut own);
        if own.is_empty() && node.as_ref().is_some_and(is_workflow) {
            return node;
        }
    }
    parse_as(&source.text, likely(&source.text), complaints)
}

/// Returns whether a tree can be meant as a workflow. Any words are YAML and KDL, too.
fn is_workflow(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Map(fields) => fields.iter().any(|(key, _)| WORKFLOW.field(&key.name).is_some()),
        _ => false,
    }
}

/// Returns the format that a text that is valid in none is most likely meant to be.
fn likely(text: &str) -> Format {
    let lines = || {
        let trimmed = text.lines().map(str::trim);
        trimmed.filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("//"))
    };
    if lines().next().is_some_and(|first| first.starts_with(['{', '['])) {
        let is_json5 = text.lines().any(|line| line.trim_start().starts_with("//"));
        return if is_json5 { Format::Json5 } else { Format::Json };
    }
    let is_yaml = |line: &str| {
        line.starts_with("- ")
            || line.ends_with(':')
            || line.split('"').next().is_some_and(|head| head.contains(": "))
    };
    let is_kdl = |line: &str| line.ends_with('{') || line.contains(" \"");
    let yaml = lines().filter(|line| is_yaml(line)).count();
    let kdl = lines().filter(|line| !is_yaml(line) && is_kdl(line)).count();
    if kdl > yaml { Format::Kdl } else { Format::Yaml }
}

/// Returns the tree that the text writes in `format`, whatever kind of value it is.
pub fn parse_any_value(
    source: &Source,
    format: Format,
    complaints: &mut Complaints,
) -> Option<Node> {
    parse_as(&source.text, format, complaints)
}
