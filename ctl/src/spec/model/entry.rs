//! Takes fields out of a map. What is of the wrong kind counts as not there: the check has
//! complained about it.

use super::{Links, Multiplier, Text};
use crate::spec::complaint::Position;
use crate::spec::file::node::{Key, Node, Value};
use crate::spec::memory::Memory;

/// A map of fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'n> {
    /// Where it is.
    pub(super) at: Position,
    fields: &'n [(Key, Node)],
}

impl<'n> Entry<'n> {
    pub(super) fn of(node: &'n Node) -> Self {
        let fields = match &node.value {
            Value::Map(fields) => fields.as_slice(),
            _ => &[],
        };
        Self { at: node.at, fields }
    }

    /// Returns a field that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'n Node> {
        let (_, node) = self.fields.iter().find(|(key, _)| key.name == name)?;
        (node.value != Value::Null).then_some(node)
    }

    pub(super) fn text(&self, name: &str) -> Option<Text> {
        text_of(self.get(name)?)
    }

    /// Returns a text that must be there; an empty one when it is not.
    pub(super) fn required_text(&self, name: &str) -> Text {
        self.text(name).unwrap_or(Text { at: self.at, text: String::new() })
    }

    pub(super) fn plain_text(&self, name: &str) -> Option<String> {
        self.text(name).map(|text| text.text)
    }

    pub(super) fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name)?.value {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }

    /// Returns an integer that the type has room for.
    pub(super) fn integer<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        integer_of(self.get(name)?)
    }

    pub(super) fn integers<T: TryFrom<i64>>(&self, name: &str) -> Vec<T> {
        self.items(name).iter().filter_map(integer_of).collect()
    }

    pub(super) fn number(&self, name: &str) -> Option<f64> {
        match &self.get(name)?.value {
            Value::Number(text) => text.parse().ok(),
            _ => None,
        }
    }

    pub(super) fn memory(&self, name: &str) -> Option<u64> {
        match &self.get(name)?.value {
            Value::String(text) => text.parse::<Memory>().ok(),
            Value::Number(text) => text.parse::<Memory>().ok(),
            _ => None,
        }
        .map(|memory| memory.0)
    }

    pub(super) fn texts(&self, name: &str) -> Vec<Text> {
        self.items(name).iter().filter_map(text_of).collect()
    }

    /// Returns names with text; numbers and booleans are text, too.
    pub(super) fn variables(&self, name: &str) -> Vec<(Key, Text)> {
        let entries = self.map(name).iter();
        entries.filter_map(|(key, node)| Some((key.clone(), scalar_of(node)?))).collect()
    }

    pub(super) fn parameters(&self, name: &str) -> Vec<(Key, Node)> {
        self.map(name).to_vec()
    }

    pub(super) fn entry(&self, name: &str) -> Option<Entry<'n>> {
        self.get(name).map(Entry::of)
    }

    pub(super) fn entries(&self, name: &str) -> impl Iterator<Item = Entry<'n>> + use<'n> {
        self.items(name).iter().map(Entry::of)
    }

    pub(super) fn links(&self, names: &str, regexes: &str) -> Links {
        Links { names: self.texts(names), regexes: self.texts(regexes) }
    }

    pub(super) fn multiplier(&self) -> Multiplier {
        let use_file = self.get("use_parameters_file");
        Multiplier {
            parameters: self.parameters("parameters"),
            zip: self.text("parameter_mode").is_some_and(|mode| mode.text == "zip"),
            use_parameters: self.texts("use_parameters"),
            file: self.text("parameters_file"),
            use_file: use_file.filter(|node| node.value == Value::Bool(true)).map(|node| node.at),
        }
    }

    fn items(&self, name: &str) -> &'n [Node] {
        match self.get(name).map(|node| &node.value) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }

    fn map(&self, name: &str) -> &'n [(Key, Node)] {
        match self.get(name).map(|node| &node.value) {
            Some(Value::Map(entries)) => entries,
            _ => &[],
        }
    }
}

fn text_of(node: &Node) -> Option<Text> {
    match &node.value {
        Value::String(text) => Some(Text { at: node.at, text: text.clone() }),
        _ => None,
    }
}

fn scalar_of(node: &Node) -> Option<Text> {
    let text = match &node.value {
        Value::String(text) => text.clone(),
        Value::Number(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        _ => return None,
    };
    Some(Text { at: node.at, text })
}

fn integer_of<T: TryFrom<i64>>(node: &Node) -> Option<T> {
    match &node.value {
        Value::Number(text) => T::try_from(text.parse().ok()?).ok(),
        _ => None,
    }
}
