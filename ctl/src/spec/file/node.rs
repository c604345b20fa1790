//! The tree that files of all formats become: values, each with its place in the file.

use crate::spec::complaint::Position;

/// A tree is at most so deep. Whoever walks it may recurse.
pub const MAX_DEPTH: usize = 100;

/// A value and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub at: Position,
    /// What it is.
    pub value: Value,
}

/// What can be in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A decimal number, as written; valid JSON.
    Number(Box<str>),
    /// Text.
    String(String),
    /// Values in order.
    List(Vec<Node>),
    /// Values with names, in the order of the file; the names are distinct.
    Map(Vec<(Key, Node)>),
}

/// A name in a map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Where it is.
    pub at: Position,
    /// The name.
    pub name: String,
}

impl Node {
    /// Returns a node.
    #[must_use]
    pub fn new(at: Position, value: Value) -> Self {
        Self { at, value }
    }

    /// Returns what kind of value it is, with its article, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// Returns the node as JSON text, in the order of the file. Texts are what `fill` makes of them.
    #[must_use]
    pub fn to_json(&self, fill: &impl Fn(&str) -> String) -> String {
        let mut json = String::new();
        self.write_json(fill, &mut json);
        json
    }

    fn write_json(&self, fill: &impl Fn(&str) -> String, json: &mut String) {
        match &self.value {
            Value::Null => json.push_str("null"),
            Value::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
            Value::Number(text) => json.push_str(text),
            Value::String(text) => json.push_str(&quoted(&fill(text))),
            Value::List(items) => {
                json.push('[');
                for (index, item) in items.iter().enumerate() {
                    separate(index, json);
                    item.write_json(fill, json);
                }
                json.push(']');
            }
            Value::Map(entries) => {
                json.push('{');
                for (index, (key, value)) in entries.iter().enumerate() {
                    separate(index, json);
                    json.push_str(&quoted(&key.name));
                    json.push(':');
                    value.write_json(fill, json);
                }
                json.push('}');
            }
        }
    }
}

fn separate(index: usize, json: &mut String) {
    if index > 0 {
        json.push(',');
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_keeps_the_order_and_the_numbers_of_the_file() {
        let node = |value| Node::new(Position::START, value);
        let entry =
            |name: &str, value| (Key { at: Position::START, name: name.to_owned() }, node(value));
        let tree = node(Value::Map(vec![
            entry("z", Value::Number("1.50".into())),
            entry("a", Value::List(vec![node(Value::Null), node(Value::Bool(true))])),
            entry("\"", Value::String("x\n".to_owned())),
        ]));
        let json = tree.to_json(&|text| format!("<{text}>"));
        assert_eq!(json, r#"{"z":1.50,"a":[null,true],"\"":"<x\n>"}"#);
    }
}
