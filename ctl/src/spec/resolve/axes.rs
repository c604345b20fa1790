//! The combinations of parameters for which an entry is made.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use torc_protocol::nearest;

use super::table;
use super::variables::Variables;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::expansion::MAX_JOBS;
use crate::spec::file::bytes;
use crate::spec::file::node::{Key, Node, Value};
use crate::spec::model::{Multiplier, Text, Workflow};
use crate::spec::parameter::{Parameter, shortest};
use crate::spec::value;

/// Parameters, and how they combine. Without any, there is one combination.
#[derive(Clone, Debug, Default)]
pub(super) struct Axes {
    pub(super) parameters: Vec<Parameter>,
    zip: bool,
}

impl Axes {
    /// Returns how many combinations there are, if they can be counted.
    fn count(&self) -> Option<u64> {
        let mut lengths = self.parameters.iter().map(Parameter::len);
        match self.zip {
            true => Some(lengths.next().unwrap_or(1)),
            false => lengths.try_fold(1_u64, u64::checked_mul),
        }
    }

    /// Returns how many combinations there are; at most [`MAX_JOBS`].
    pub(super) fn len(&self) -> u64 {
        self.count().unwrap_or(MAX_JOBS).min(MAX_JOBS)
    }

    /// Returns a combination: a value for each parameter. The first parameter is the slowest.
    pub(super) fn values(&self, index: u64) -> Vec<value::Value<'_>> {
        if self.zip {
            return self.parameters.iter().map(|parameter| parameter.get(index)).collect();
        }
        let mut rest = index;
        let mut values: Vec<_> = self
            .parameters
            .iter()
            .rev()
            .map(|parameter| {
                let value = parameter.get(rest % parameter.len());
                rest /= parameter.len();
                value
            })
            .collect();
        values.reverse();
        values
    }
}

/// Finds out the combinations of entries. Whatever several of them use is read once.
#[derive(Debug)]
pub(super) struct AxesReader<'w> {
    shared: &'w [(Key, Node)],
    shared_file: Option<&'w Text>,
    variables: &'w Variables,
    /// Where relative paths begin: the directory of the workflow file, then the working directory.
    directory: &'w Path,
    /// So many combinations an entry can have at most, and so many things a list.
    pub(super) limit: u64,
    known: HashMap<&'w str, Option<Parameter>>,
    tables: HashMap<String, Option<Vec<Parameter>>>,
}

impl<'w> AxesReader<'w> {
    pub(super) fn new(
        workflow: &'w Workflow,
        variables: &'w Variables,
        directory: &'w Path,
        limit: u64,
    ) -> Self {
        Self {
            shared: &workflow.parameters,
            shared_file: workflow.parameters_file.as_ref(),
            variables,
            directory,
            limit,
            known: HashMap::new(),
            tables: HashMap::new(),
        }
    }

    /// Returns the combinations of an entry; none when they cannot be known. Then there is a
    /// complaint, perhaps at another entry that wants the same.
    pub(super) fn axes(
        &mut self,
        multiplier: &'w Multiplier,
        complaints: &mut Complaints,
    ) -> Option<Axes> {
        let axes = match self.table_of(multiplier, complaints) {
            Some(table) => Axes { parameters: table?, zip: true },
            None => {
                let parameters = self.parameters_of(multiplier, complaints)?;
                Axes { parameters, zip: multiplier.zip }
            }
        };
        let at = first_place(multiplier);
        if axes.zip && !is_even(&axes.parameters) {
            complaints.push_with_hint(
                at,
                format!("cannot zip parameters of unequal lengths: {}", lengths(&axes.parameters)),
                "give each as many values, or leave out 'parameter_mode: zip' for every value \
                 with every other",
            );
            return None;
        }
        let count = axes.count().filter(|count| *count <= self.limit);
        if count.is_none() {
            let lengths = lengths(&axes.parameters);
            let message = format!("more than {} combinations: {lengths}", self.limit);
            complaints.push_with_hint(at, message, "use smaller ranges, or several workflows");
            return None;
        }
        Some(axes)
    }

    /// Returns the table of an entry, if it asks for one; inside, none when it cannot be read.
    #[expect(clippy::option_option, reason = "the inner one is failure")]
    fn table_of(
        &mut self,
        multiplier: &'w Multiplier,
        complaints: &mut Complaints,
    ) -> Option<Option<Vec<Parameter>>> {
        let (at, file) = match (&multiplier.file, multiplier.use_file, self.shared_file) {
            (None, None, _) => return None,
            (Some(own), _, _) => (own.at, own),
            (None, Some(at), Some(shared)) => (at, shared),
            (None, Some(at), None) => {
                let hint = "name the table in 'parameters_file' of the workflow";
                complaints.push_with_hint(at, "the workflow has no 'parameters_file'", hint);
                return Some(None);
            }
        };
        if !multiplier.parameters.is_empty() || !multiplier.use_parameters.is_empty() {
            let message = "a table of parameters cannot be combined with other parameters";
            complaints.push_with_hint(at, message, "put all of them into the table");
            return Some(None);
        }
        if !self.tables.contains_key(&file.text) {
            let table = self.read_table(file, complaints);
            self.tables.insert(file.text.clone(), table);
        }
        Some(self.tables[&file.text].clone())
    }

    fn read_table(&self, file: &Text, complaints: &mut Complaints) -> Option<Vec<Parameter>> {
        let table = match table::read(&self.find(&file.text)) {
            Ok(table) => table,
            Err(error) => {
                let hint =
                    "a relative path begins at the workflow file, then at the working directory";
                complaints.push_with_hint(file.at, error.to_string(), hint);
                return None;
            }
        };
        for parameter in &table {
            if self.variables.names().any(|name| name == parameter.name) {
                let message =
                    format!("'{}' is a variable and a column of {}", parameter.name, file.text);
                complaints.push_with_hint(file.at, message, "rename one of them");
            }
        }
        Some(table)
    }

    /// Returns the parameters of an entry in the order of the file. Its own win over those of the
    /// workflow.
    fn parameters_of(
        &mut self,
        multiplier: &'w Multiplier,
        complaints: &mut Complaints,
    ) -> Option<Vec<Parameter>> {
        let own = multiplier.parameters.iter();
        let mut parameters: Vec<(Position, Option<Parameter>)> =
            own.map(|(key, node)| (key.at, self.parameter(key, node, complaints))).collect();
        for wanted in &multiplier.use_parameters {
            if multiplier.parameters.iter().all(|(key, _)| key.name != wanted.text) {
                parameters.push((wanted.at, self.shared_parameter(wanted, complaints)));
            }
        }
        parameters.sort_by_key(|(at, _)| *at);
        parameters.into_iter().map(|(_, parameter)| parameter).collect()
    }

    fn shared_parameter(
        &mut self,
        wanted: &Text,
        complaints: &mut Complaints,
    ) -> Option<Parameter> {
        let Some((key, node)) = self.shared.iter().find(|(key, _)| key.name == wanted.text) else {
            let names = self.shared.iter().map(|(key, _)| key.name.as_str());
            let hint = nearest::hint(&wanted.text, names)
                .unwrap_or_else(|| "declare it in 'parameters' of the workflow".to_owned());
            let message = format!("the workflow has no parameter '{}'", wanted.text);
            complaints.push_with_hint(wanted.at, message, hint);
            return None;
        };
        if !self.known.contains_key(key.name.as_str()) {
            let parameter = self.parameter(key, node, complaints);
            self.known.insert(&key.name, parameter);
        }
        self.known[key.name.as_str()].clone()
    }

    fn parameter(&self, key: &Key, node: &Node, complaints: &mut Complaints) -> Option<Parameter> {
        let parsed = match &node.value {
            // Of what is no value, the check has complained.
            Value::List(items) => {
                let values = items.iter().map(text_of).collect::<Option<_>>()?;
                Parameter::of_values(&key.name, values)
            }
            Value::String(text) => match text.trim().strip_prefix('@') {
                Some(path) => match self.lines(path) {
                    Ok(values) => Parameter::of_values(&key.name, values),
                    Err(message) => {
                        complaints.push(node.at, format!("parameter '{}': {message}", key.name));
                        return None;
                    }
                },
                None => Parameter::in_file(&key.name, text),
            },
            _ => Parameter::of_values(&key.name, vec![text_of(node)?]),
        };
        match parsed {
            Ok(parameter) => Some(parameter),
            Err(error) => {
                let hint = "values are as in 1:10, 0:1:0.1, 10:1:-1, [a, b], @FILE";
                complaints.push_with_hint(node.at, error.to_string(), hint);
                None
            }
        }
    }

    /// Returns the values in a file: a line each, but for blank lines and those that begin with #.
    fn lines(&self, path: &str) -> Result<Vec<String>, String> {
        let source = bytes::read_file(&self.find(path)).map_err(|error| error.to_string())?;
        let lines = source.text.lines().map(str::trim);
        Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(shortest).collect())
    }

    /// Returns where a relative path leads: from the workflow file if there is something, else
    /// from the working directory.
    fn find(&self, path: &str) -> PathBuf {
        let beside = self.directory.join(path);
        if beside.exists() { beside } else { PathBuf::from(path) }
    }
}

fn text_of(node: &Node) -> Option<String> {
    match &node.value {
        Value::String(text) => Some(text.clone()),
        Value::Number(text) => Some(shortest(text)),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn first_place(multiplier: &Multiplier) -> Position {
    let own = multiplier.parameters.iter().map(|(key, _)| key.at);
    let shared = multiplier.use_parameters.iter().map(|text| text.at);
    let file = multiplier.file.iter().map(|text| text.at);
    own.chain(shared).chain(file).chain(multiplier.use_file).min().unwrap_or(Position::START)
}

fn is_even(parameters: &[Parameter]) -> bool {
    parameters.iter().all(|parameter| parameter.len() == parameters[0].len())
}

fn lengths(parameters: &[Parameter]) -> String {
    let each =
        parameters.iter().map(|parameter| format!("{} has {}", parameter.name, parameter.len()));
    each.collect::<Vec<_>>().join(", ")
}
