//! KDL, which has nodes where other formats have maps and lists.
//!
//! The tables of [`crate::spec::fields`] say what is meant: a field that takes a list is given
//! with several arguments (`depends_on "a" "b"`), several nodes, or nodes with the name of one of
//! its items (`input_file "f"`); an entry has its name as the argument of its node (`job "a" {…}`)
//! and its fields as properties or as nodes inside. What the tables do not know is kept as it
//! stands, for the check to complain about.

use kdl::{KdlDocument, KdlEntry, KdlNode, KdlValue};

use super::json::parse as parse_json;
use super::json_scanner::Dialect;
use super::kdl_depth::depth_violation;
use super::lines::Lines;
use super::tree::complain_of_depth;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::fields::tables::WORKFLOW;
use crate::spec::fields::{Field, Kind, Table};
use crate::spec::file::node::{Key, Node, Value};

/// The parser keeps every blank; of a larger text it would take gigabytes.
const MAX_BYTES: usize = 8 << 20;

/// Returns the tree that `text` writes; none when it writes none, and then there is a complaint.
pub(super) fn parse(text: &str, complaints: &mut Complaints) -> Option<Node> {
    if text.len() > MAX_BYTES {
        let hint = "use parameters, or write it in YAML or JSON";
        complaints.push_with_hint(Position::START, "more than 8 MiB of KDL", hint);
        return None;
    }
    let lines = Lines::of(text);
    if let Some(offset) = depth_violation(text) {
        complain_of_depth(lines.position(offset), complaints);
        return None;
    }
    let document = match KdlDocument::parse_v2(text) {
        Ok(document) => document,
        Err(error) => {
            for diagnostic in error.diagnostics {
                let what = diagnostic.message.as_deref().or(diagnostic.label.as_deref());
                let message = format!("not valid KDL: {}", what.unwrap_or("cannot be read"));
                let at = lines.position(diagnostic.span.offset());
                complaints.push_maybe_hint(at, message, diagnostic.help);
            }
            return None;
        }
    };
    let mut reader = Reader { lines, complaints };
    Some(reader.entry(Position::START, None, Some(&document), &WORKFLOW))
}

struct Reader<'t, 'c> {
    lines: Lines<'t>,
    complaints: &'c mut Complaints,
}

/// The fields of an entry that have been read.
#[derive(Default)]
struct Fields(Vec<(Key, Node)>);

impl Reader<'_, '_> {
    /// Reads a map with the fields of `table`: the arguments and properties of `node`, and the
    /// nodes in `children`.
    fn entry(
        &mut self,
        at: Position,
        node: Option<&KdlNode>,
        children: Option<&KdlDocument>,
        table: &'static Table,
    ) -> Node {
        let mut fields = Fields::default();
        for entry in node.map(KdlNode::entries).unwrap_or_default() {
            let value = self.value(entry);
            match entry.name() {
                Some(name) => {
                    let key = self.key(name.value(), name.span().offset());
                    self.put(&mut fields, key, value, table);
                }
                None => {
                    let key = Key { at: value.at, name: "name".to_owned() };
                    self.put(&mut fields, key, value, table);
                }
            }
        }
        for child in children.map(KdlDocument::nodes).unwrap_or_default() {
            self.child(&mut fields, child, table);
        }
        Node::new(at, Value::Map(fields.0))
    }

    /// Adds a field that is a property; one value makes a list of one.
    fn put(&mut self, fields: &mut Fields, mut key: Key, node: Node, table: &'static Table) {
        let field = table.kdl_field(&key.name);
        if let Some(field) = field {
            field.name.clone_into(&mut key.name);
        }
        let is_list =
            field.is_some_and(|field| matches!(field.kind, Kind::Texts | Kind::Integers(..)));
        if is_list {
            fields.extend(key, vec![node]);
        } else {
            self.set(fields, key, node);
        }
    }

    /// Adds what a node inside of an entry says.
    fn child(&mut self, fields: &mut Fields, child: &KdlNode, table: &'static Table) {
        let name = child.name();
        let mut key = self.key(name.value(), name.span().offset());
        let Some(field) = table.kdl_field(name.value()) else {
            let node = self.anything(child);
            self.set(fields, key, node);
            return;
        };
        field.name.clone_into(&mut key.name);
        match field.kind {
            Kind::Texts | Kind::Integers(..) => {
                let items = self.items(child);
                fields.extend(key, items);
            }
            Kind::Entries(of) => {
                let entries = self.entries(child, field, of);
                fields.extend(key, entries);
            }
            Kind::Entry(of) => {
                let node = self.entry(key.at, Some(child), child.children(), of);
                self.set(fields, key, node);
            }
            Kind::Variables | Kind::Parameters => {
                let values = self.named_values(child);
                self.extend_map(fields, key, values);
            }
            Kind::Any => {
                let node = self.json(child);
                self.set(fields, key, node);
            }
            _ => {
                let node = self.anything(child);
                self.set(fields, key, node);
            }
        }
    }

    /// Returns the entries of a node: itself, or those inside of a node that only groups them, as
    /// in `jobs { job "a" {…}; job "b" {…} }`.
    fn entries(&mut self, node: &KdlNode, field: &Field, table: &'static Table) -> Vec<Node> {
        let inside = node.children().map(KdlDocument::nodes).unwrap_or_default();
        let is_item = |child: &KdlNode| {
            let name = child.name().value();
            name == "-" || (table.kdl_field(name).is_none() && field.kdl.contains(&name))
        };
        if node.entries().is_empty() && !inside.is_empty() && inside.iter().all(is_item) {
            return inside.iter().map(|child| self.item(child, table)).collect();
        }
        vec![self.item(node, table)]
    }

    fn item(&mut self, node: &KdlNode, table: &'static Table) -> Node {
        let at = self.lines.position(node.name().span().offset());
        self.entry(at, Some(node), node.children(), table)
    }

    /// Returns the items of a list: the arguments of the node and of the nodes inside.
    fn items(&mut self, node: &KdlNode) -> Vec<Node> {
        let mut items: Vec<_> = node.entries().iter().map(|entry| self.value(entry)).collect();
        for child in node.children().map(KdlDocument::nodes).unwrap_or_default() {
            items.extend(self.items(child));
        }
        items
    }

    /// Returns the properties of a node and the nodes inside of it, each with its value.
    fn named_values(&mut self, node: &KdlNode) -> Vec<(Key, Node)> {
        let mut values = Vec::new();
        let mut bare = None;
        for entry in node.entries() {
            let value = self.value(entry);
            match entry.name() {
                Some(name) => values.push((self.key(name.value(), name.span().offset()), value)),
                // `env "NAME" "value"`, `parameter "i" "1:3"`.
                None => match bare.take() {
                    None => bare = Some(value),
                    Some(Node { at, value: Value::String(name) }) => {
                        values.push((Key { at, name }, value));
                    }
                    Some(Node { at, .. }) => self.complaints.push(at, "expected a name"),
                },
            }
        }
        if let Some(Node { at, .. }) = bare {
            self.complaints.push_with_hint(at, "expected a name and its value", "write NAME=VALUE");
        }
        for child in node.children().map(KdlDocument::nodes).unwrap_or_default() {
            let key = self.key(child.name().value(), child.name().span().offset());
            values.push((key, self.anything(child)));
        }
        values
    }

    /// Returns a node of a field that takes any JSON; text that is JSON is what it writes.
    fn json(&mut self, node: &KdlNode) -> Node {
        let found = self.anything(node);
        if let Value::String(text) = &found.value {
            let mut ignored = Complaints::new(self.complaints.source().clone());
            let parsed = parse_json(text, Dialect::Json, &mut ignored);
            if let Some(mut parsed) = parsed.filter(|_| ignored.is_empty()) {
                move_to(&mut parsed, found.at);
                return parsed;
            }
        }
        found
    }

    /// Returns a node as it stands: its one argument, a list of them, or a map of what is inside.
    fn anything(&mut self, node: &KdlNode) -> Node {
        let at = self.lines.position(node.name().span().offset());
        let named = node.entries().iter().any(|entry| entry.name().is_some());
        let children = node.children().map(KdlDocument::nodes).unwrap_or_default();
        if named || !children.is_empty() {
            if !children.is_empty() && children.iter().all(|child| child.name().value() == "-") {
                return Node::new(at, Value::List(self.items(node)));
            }
            let mut fields = Fields::default();
            for (key, value) in self.named_values(node) {
                self.set(&mut fields, key, value);
            }
            return Node::new(at, Value::Map(fields.0));
        }
        let mut values: Vec<_> = node.entries().iter().map(|entry| self.value(entry)).collect();
        match (values.len(), values.pop()) {
            (1, Some(value)) => value,
            (_, None) => Node::new(at, Value::Null),
            (_, Some(last)) => {
                values.push(last);
                Node::new(at, Value::List(values))
            }
        }
    }

    fn value(&mut self, entry: &KdlEntry) -> Node {
        let at = self.lines.position(self.lines.skip_blanks(entry.span().offset()));
        let value = match entry.value() {
            KdlValue::Null => Value::Null,
            KdlValue::Bool(value) => Value::Bool(*value),
            KdlValue::Integer(value) => Value::Number(value.to_string().into()),
            KdlValue::Float(value) if value.is_finite() => {
                Value::Number(written(entry).unwrap_or_else(|| value.to_string()).into())
            }
            KdlValue::Float(value) => {
                self.complaints.push(at, format!("{value} has no meaning here"));
                Value::Null
            }
            KdlValue::String(text) => Value::String(text.clone()),
        };
        Node::new(at, value)
    }

    fn key(&mut self, name: &str, offset: usize) -> Key {
        let at = self.lines.position(self.lines.skip_blanks(offset));
        Key { at, name: name.to_owned() }
    }

    fn set(&mut self, fields: &mut Fields, key: Key, node: Node) {
        if fields.0.iter().any(|(other, _)| other.name == key.name) {
            let message = format!("'{}' is given twice", key.name);
            self.complaints.push_with_hint(key.at, message, "keep one of them");
            return;
        }
        fields.0.push((key, node));
    }

    fn extend_map(&mut self, fields: &mut Fields, key: Key, values: Vec<(Key, Node)>) {
        let mut known = match fields.take(&key.name) {
            Some((_, Node { value: Value::Map(known), .. })) => Fields(known),
            _ => Fields::default(),
        };
        for (name, value) in values {
            self.set(&mut known, name, value);
        }
        let at = key.at;
        fields.0.push((key, Node::new(at, Value::Map(known.0))));
    }
}

impl Fields {
    /// Adds items to a list, which begins where its first item is.
    fn extend(&mut self, key: Key, items: Vec<Node>) {
        let known = self.0.iter_mut().find(|(other, _)| other.name == key.name);
        if let Some((_, Node { value: Value::List(list), .. })) = known {
            list.extend(items);
            return;
        }
        let at = key.at;
        self.0.push((key, Node::new(at, Value::List(items))));
    }

    fn take(&mut self, name: &str) -> Option<(Key, Node)> {
        let index = self.0.iter().position(|(key, _)| key.name == name)?;
        Some(self.0.remove(index))
    }
}

/// Returns a number as the file writes it, when that is how JSON writes it too.
fn written(entry: &KdlEntry) -> Option<String> {
    let text = &entry.format()?.value_repr;
    serde_json::from_str::<serde_json::Number>(text).is_ok().then(|| text.clone())
}

fn move_to(node: &mut Node, at: Position) {
    node.at = at;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| move_to(item, at)),
        Value::Map(entries) => entries.iter_mut().for_each(|(key, node)| {
            key.at = at;
            move_to(node, at);
        }),
        _ => {}
    }
}
