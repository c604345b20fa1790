//! `variables`: constants that stand for `{NAME}` in every text of the file.
//!
//! They are put in before anything else is looked at. With them, a `{NAME}` that is neither a
//! variable nor a parameter of its entry is an error; without them it is none of our business, for
//! the shell, awk and Python have braces too. `${NAME}` always belongs to the shell.

use torc_protocol::nearest;

use crate::spec::complaint::{Complaints, Position};
use crate::spec::file::node::{Key, Node, Value};
use crate::spec::parameter::{Parameter, is_name};
use crate::spec::template::Template;
use crate::spec::value;

/// The parts of a file whose texts may also have parameters. They are checked when it is known
/// which.
const ENTRIES: &[&str] = &["jobs", "files", "user_data"];

/// The variables of a workflow.
#[derive(Debug, Default)]
pub(super) struct Variables {
    constants: Vec<Parameter>,
}

impl Variables {
    /// Reads the variables of a workflow and puts them into its texts.
    pub(super) fn apply(root: &mut Node, complaints: &mut Complaints) -> Self {
        let Value::Map(fields) = &mut root.value else { return Self::default() };
        let variables = Self::read(fields, complaints);
        if variables.constants.is_empty() {
            return variables;
        }
        let replace = Replace { variables: &variables };
        for (key, node) in fields.iter_mut().filter(|(key, _)| key.name != "variables") {
            if ENTRIES.contains(&key.name.as_str()) {
                replace.entries(node, complaints);
            } else {
                replace.collisions(&key.name, node, complaints);
                replace.all(node, true, complaints);
            }
        }
        variables
    }

    /// Returns whether there are any, so that an unknown name is an error.
    pub(super) fn are_declared(&self) -> bool {
        !self.constants.is_empty()
    }

    /// Returns the names of all.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.constants.iter().map(|constant| constant.name.as_str())
    }

    fn read(fields: &[(Key, Node)], complaints: &mut Complaints) -> Self {
        let declared = fields.iter().find(|(key, _)| key.name == "variables");
        let Some((_, Node { value: Value::Map(entries), .. })) = declared else {
            return Self::default();
        };
        let mut constants = Vec::new();
        for (key, node) in entries {
            // What is no text at all, the check complains about.
            let text = match &node.value {
                Value::String(text) => text.clone(),
                Value::Number(text) => text.to_string(),
                Value::Bool(value) => value.to_string(),
                _ => String::new(),
            };
            if !is_name(&key.name) {
                let message = format!("'{}' cannot be the name of a variable", key.name);
                complaints.push_with_hint(key.at, message, "use letters, digits and _");
                continue;
            }
            let mut nested = None;
            Template::in_file(&text, &[], |name| {
                nested.get_or_insert(name);
            });
            if let Some(nested) = nested {
                let message = format!("the variable '{}' cannot use {{{nested}}}", key.name);
                let hint = "a variable is plain text; put them together where they are used";
                complaints.push_with_hint(node.at, message, hint);
            }
            constants.extend(Parameter::of_values(&key.name, vec![text]));
        }
        Self { constants }
    }
}

struct Replace<'v> {
    variables: &'v Variables,
}

impl Replace<'_> {
    fn entries(&self, node: &mut Node, complaints: &mut Complaints) {
        let Value::List(items) = &mut node.value else { return };
        for item in items {
            let Value::Map(fields) = &mut item.value else { continue };
            for (key, field) in fields {
                self.collisions(&key.name, field, complaints);
                let is_settled = key.name == "parameters";
                if key.name != "use_parameters" {
                    self.all(field, is_settled, complaints);
                }
            }
        }
    }

    /// Complains about parameters that have the name of a variable.
    fn collisions(&self, field: &str, node: &Node, complaints: &mut Complaints) {
        let Value::Map(parameters) = &node.value else { return };
        if field != "parameters" {
            return;
        }
        for (key, _) in parameters {
            if self.variables.names().any(|name| name == key.name) {
                let message = format!("'{}' is a variable and a parameter", key.name);
                complaints.push_with_hint(key.at, message, "rename one of them");
            }
        }
    }

    /// Puts the variables into all texts below `node`. Names that are unknown are complained about
    /// when nothing else can know them.
    fn all(&self, node: &mut Node, is_last: bool, complaints: &mut Complaints) {
        match &mut node.value {
            Value::String(text) if text.contains('{') => {
                if let Some(replaced) = self.text(text, node.at, is_last, complaints) {
                    *text = replaced;
                }
            }
            Value::List(items) => {
                items.iter_mut().for_each(|item| self.all(item, is_last, complaints));
            }
            Value::Map(entries) => {
                entries.iter_mut().for_each(|(_, value)| self.all(value, is_last, complaints));
            }
            _ => {}
        }
    }

    fn text(
        &self,
        text: &str,
        at: Position,
        is_last: bool,
        complaints: &mut Complaints,
    ) -> Option<String> {
        let constants = &self.variables.constants;
        let template = Template::in_file(text, constants, |name| {
            if is_last {
                complain_of_unknown(name, at, self.variables.names(), complaints);
            }
        });
        if let Err(error) = template.check(constants) {
            complaints.push(at, error.to_string());
        }
        if template.is_constant() {
            return None;
        }
        let values: Vec<value::Value<'_>> =
            constants.iter().map(|constant| constant.get(0)).collect();
        Some(template.fill(&values))
    }
}

/// Complains about a name in braces that nothing has.
pub(super) fn complain_of_unknown<'n>(
    name: &str,
    at: Position,
    known: impl Iterator<Item = &'n str>,
    complaints: &mut Complaints,
) {
    let hint = nearest::hint(name, known).unwrap_or_else(|| {
        format!(
            "declare it in 'variables' or 'parameters'; ${{{name}}} and {{ {name} }} are left alone"
        )
    });
    complaints.push_with_hint(
        at,
        format!("{{{name}}} is neither a variable nor a parameter"),
        hint,
    );
}
