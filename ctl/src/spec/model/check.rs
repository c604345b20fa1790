//! Holds a tree against the tables of fields: what is unknown, missing, or of the wrong kind.

use torc_protocol::nearest;

use crate::spec::complaint::{Complaints, Position};
use crate::spec::fields::{Field, Kind, Table};
use crate::spec::file::node::{Key, Node, Value};
use crate::spec::memory::{self, Memory};
use crate::spec::parameter::is_name;

/// Complains about all in `node` that is not as `table` wants it, and about fields that have no
/// effect to `warn`.
pub(super) fn check(
    node: &Node,
    table: &'static Table,
    complaints: &mut Complaints,
    warn: &mut dyn FnMut(&'static Field, Position),
) {
    Checker { complaints, warn }.entry(node, table);
}

struct Checker<'c> {
    complaints: &'c mut Complaints,
    warn: &'c mut dyn FnMut(&'static Field, Position),
}

impl Checker<'_> {
    fn entry(&mut self, node: &Node, table: &'static Table) {
        let Value::Map(entries) = &node.value else {
            let message = format!("{} is a map of fields, not {}", table.name, node.kind());
            self.complaints.push_with_hint(node.at, message, table.hint());
            return;
        };
        for (key, value) in entries {
            match table.field(&key.name) {
                Some(field) => self.field(key, value, field),
                None => match table.others {
                    Some(kind) => self.kind(&key.name, value, kind),
                    None => self.unknown(key, table),
                },
            }
        }
        for field in table.fields.iter().filter(|field| field.required) {
            let given = entries.iter().find(|(key, _)| key.name == field.name);
            if given.is_none_or(|(_, node)| node.value == Value::Null) {
                self.missing(node, entries, table, field);
            }
        }
    }

    fn unknown(&mut self, key: &Key, table: &'static Table) {
        let names = table.fields.iter().map(|field| field.name);
        let hint = nearest::hint(&key.name, names).unwrap_or_else(|| table.hint());
        let message = format!("unknown field '{}' in {}", key.name, table.name);
        self.complaints.push_with_hint(key.at, message, hint);
    }

    fn missing(&mut self, node: &Node, entries: &[(Key, Node)], table: &Table, field: &Field) {
        let named = entries.iter().find_map(|(key, node)| match &node.value {
            Value::String(name) if key.name == "name" => Some(format!(" '{name}'")),
            _ => None,
        });
        // "a job" or "user data": the name goes without the article.
        let what = match named {
            Some(name) => format!("{}{name}", table.name.trim_start_matches("a ")),
            None => table.name.to_owned(),
        };
        let message = format!("{what} needs the field '{}'", field.name);
        self.complaints.push_with_hint(node.at, message, hint_for(field));
    }

    fn field(&mut self, key: &Key, node: &Node, field: &'static Field) {
        if field.no_effect.is_some() && !is_idle(node) {
            (self.warn)(field, key.at);
        }
        self.kind(field.name, node, field.kind);
    }

    fn kind(&mut self, name: &str, node: &Node, kind: Kind) {
        if node.value == Value::Null {
            return;
        }
        match (kind, &node.value) {
            (Kind::Any | Kind::Text, Value::String(_))
            | (Kind::Any, _)
            | (Kind::Bool, Value::Bool(_))
            | (Kind::Scalar, Value::String(_) | Value::Number(_) | Value::Bool(_))
            | (Kind::Number, Value::Number(_)) => {}
            (Kind::Integer(low, high), Value::Number(text)) => {
                self.integer(name, node.at, text, (low, high));
            }
            (Kind::Word(words), Value::String(word)) => self.word(name, node.at, word, words),
            (Kind::Memory, Value::String(text)) => self.memory(name, node.at, text),
            (Kind::Memory, Value::Number(text)) => self.memory(name, node.at, text),
            (Kind::Texts, Value::List(items)) => {
                for item in items.iter().filter(|item| !matches!(item.value, Value::String(_))) {
                    let message =
                        format!("'{name}' is a list of texts, and this is {}", item.kind());
                    self.complaints.push_with_hint(item.at, message, "write each as \"text\"");
                }
            }
            (Kind::Integers(low, high), Value::List(items)) => {
                for item in items {
                    match &item.value {
                        Value::Number(text) => self.integer(name, item.at, text, (low, high)),
                        _ => {
                            let message = format!(
                                "'{name}' is a list of whole numbers, and this is {}",
                                item.kind()
                            );
                            let hint = format!("each can be {low} to {high}");
                            self.complaints.push_with_hint(item.at, message, hint);
                        }
                    }
                }
            }
            (Kind::Variables, Value::Map(entries)) => self.variables(name, entries),
            (Kind::Parameters, Value::Map(entries)) => self.parameters(name, entries),
            (Kind::Entry(table), Value::Map(_)) => self.entry(node, table),
            (Kind::Entries(table), Value::List(items)) => {
                items.iter().for_each(|item| self.entry(item, table));
            }
            (kind, _) => self.wrong(name, node, kind),
        }
    }

    fn wrong(&mut self, name: &str, node: &Node, kind: Kind) {
        let message = format!("'{name}' takes {}, not {}", kind.expected(), node.kind());
        let hint = match (kind, &node.value) {
            (Kind::Texts, Value::String(text)) => format!("write [{text}]"),
            (Kind::Integers(..), Value::Number(text)) => format!("write [{text}]"),
            (Kind::Text, Value::Number(text)) => format!("write \"{text}\""),
            (Kind::Text, Value::Bool(value)) => format!("write \"{value}\""),
            (Kind::Integer(..) | Kind::Number, Value::String(text))
                if text.parse::<f64>().is_ok() =>
            {
                format!("write {text} without quotes")
            }
            (Kind::Bool, Value::String(_)) => "write true or false without quotes".to_owned(),
            (kind, _) => kind.example(),
        };
        self.complaints.push_with_hint(node.at, message, hint);
    }

    fn integer(&mut self, name: &str, at: Position, text: &str, (low, high): (i64, i64)) {
        match text.parse::<i64>() {
            Ok(number) if (low..=high).contains(&number) => {}
            Ok(_) => {
                let message = format!("{text} is out of range for '{name}'");
                self.complaints.push_with_hint(at, message, format!("it can be {low} to {high}"));
            }
            Err(_) => {
                let message = format!("'{name}' takes a whole number, not {text}");
                self.complaints.push_with_hint(at, message, format!("it can be {low} to {high}"));
            }
        }
    }

    fn word(&mut self, name: &str, at: Position, word: &str, words: &'static [&'static str]) {
        if words.contains(&word) {
            return;
        }
        let hint = nearest::hint(word, words.iter().copied())
            .unwrap_or_else(|| format!("it can be {}", words.join(", ")));
        self.complaints.push_with_hint(at, format!("unknown {name} '{word}'"), hint);
    }

    fn memory(&mut self, name: &str, at: Position, text: &str) {
        match text.parse::<Memory>() {
            Ok(Memory(0)) => {
                self.complaints.push_with_hint(
                    at,
                    format!("no job can run in a '{name}' of 0"),
                    "leave the field out for no limit",
                );
            }
            Ok(_) => {}
            Err(error) => {
                self.complaints.push_with_hint(at, format!("'{name}': {error}"), memory::EXAMPLES);
            }
        }
    }

    fn variables(&mut self, name: &str, entries: &[(Key, Node)]) {
        for (key, node) in entries {
            if key.name.is_empty() || key.name.contains(['=', '\0']) {
                let message = format!("'{}' cannot be the name of a variable", key.name);
                let hint = "a name has at least one character, and neither '=' nor NUL";
                self.complaints.push_with_hint(key.at, message, hint);
            }
            let is_scalar =
                matches!(node.value, Value::String(_) | Value::Number(_) | Value::Bool(_));
            if !is_scalar {
                let message = format!("'{}' in '{name}' takes text, not {}", key.name, node.kind());
                let hint = match node.value {
                    Value::Null => "write \"\" for empty text",
                    _ => "write one text, in quotes if it is not plain",
                };
                self.complaints.push_with_hint(node.at, message, hint);
            }
        }
    }

    fn parameters(&mut self, name: &str, entries: &[(Key, Node)]) {
        for (key, node) in entries {
            if !is_name(&key.name) {
                let message = format!("'{}' cannot be the name of a parameter", key.name);
                let hint = "use letters, digits and _";
                self.complaints.push_with_hint(key.at, message, hint);
            }
            match &node.value {
                Value::Null | Value::Map(_) => {
                    let message = format!(
                        "'{}' in '{name}' takes a value, a list or a range, not {}",
                        key.name,
                        node.kind()
                    );
                    let hint = "write it as in 5, [a, b] or \"1:10\"";
                    self.complaints.push_with_hint(node.at, message, hint);
                }
                Value::List(items) => {
                    for item in items.iter().filter(|item| {
                        matches!(item.value, Value::Null | Value::Map(_) | Value::List(_))
                    }) {
                        let message = format!(
                            "a value of '{}' is text or a number, not {}",
                            key.name,
                            item.kind()
                        );
                        let hint = "write a list as in [a, b]";
                        self.complaints.push_with_hint(item.at, message, hint);
                    }
                }
                _ => {}
            }
        }
    }
}

/// Returns whether a value says as much as if it were not there.
fn is_idle(node: &Node) -> bool {
    match &node.value {
        Value::Null | Value::Bool(false) => true,
        Value::List(items) => items.is_empty(),
        Value::Map(entries) => entries.is_empty(),
        _ => false,
    }
}

fn hint_for(field: &Field) -> String {
    match field.kind {
        Kind::Word(words) => format!("add it: {}: {}", field.name, words.join(", ")),
        _ => format!("add it: {}", field.about.trim_end_matches('.').to_lowercase()),
    }
}
