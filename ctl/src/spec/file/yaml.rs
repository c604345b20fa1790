//! YAML, by the rules of version 1.2: `yes` is text, `0o17` a number, `01` text.
//!
//! What has an anchor is kept, and aliases are copied, but only up to a limit for both together, so
//! that a small file cannot become a huge tree.
//! `<<` merges maps, which no version of the standard has but many files use.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::tree::{Tree, complain_of_depth};
use super::yaml_scalar;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::file::node::{Key, MAX_DEPTH, Node, Value};

/// Anchors and aliases may add so many values in all, and so many bytes of text.
const MAX_ALIASED: usize = 1_000_000;
const MAX_ALIASED_BYTES: usize = 64 << 20;

/// Returns the tree that `text` writes; none when it writes none, and then there is a complaint.
pub(super) fn parse(text: &str, complaints: &mut Complaints) -> Option<Node> {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
        // Keys of torc are short, but those of user data need not be.
        simple_key_max_lookahead: 64 * 1024,
    };
    let mut reader = Reader::new(complaints);
    let mut parser = Parser::new_from_str_with_options(text, options);
    while let Some(event) = parser.next_event() {
        let goes_on = match event {
            Ok((event, span)) => reader.take(event, span),
            Err(error) => {
                let at = position(error.marker());
                reader.syntax(at, error.kind());
                None
            }
        };
        goes_on?;
    }
    if reader.documents == 0 {
        // Nothing but comments.
        return Some(Node::new(Position::START, Value::Null));
    }
    reader.tree.finish()
}

struct Reader<'c> {
    tree: Tree,
    complaints: &'c mut Complaints,
    documents: usize,
    /// The anchors of the lists and maps that are open; 0 is none.
    anchors: Vec<usize>,
    anchored: HashMap<usize, Anchored>,
    /// The depths at which the value of a `<<` is expected.
    merging: Vec<usize>,
    aliased: Size,
}

struct Anchored {
    node: Node,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

impl<'c> Reader<'c> {
    fn new(complaints: &'c mut Complaints) -> Self {
        Self {
            tree: Tree::new(),
            complaints,
            documents: 0,
            anchors: Vec::new(),
            anchored: HashMap::new(),
            merging: Vec::new(),
            aliased: Size::default(),
        }
    }

    /// Takes an event; none when there is no point in going on.
    fn take(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        let at = position(&span.start);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    let hint = "keep one workflow in a file";
                    self.complaints.push_with_hint(at, "a second document begins", hint);
                    return None;
                }
            }
            Event::Scalar(text, style, ..) if self.tree.wants_key() => {
                if text == "<<" && style == ScalarStyle::Plain {
                    self.merging.push(self.tree.depth());
                }
                self.tree.key(Key { at, name: text.into_owned() }, self.complaints);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), at);
                return self.add(Node::new(at, value), anchor);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), at);
                self.check_key(at, "a list");
                self.anchors.push(anchor);
                return self.tree.begin_list(at, self.complaints).then_some(());
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), at);
                self.check_key(at, "a map");
                self.anchors.push(anchor);
                return self.tree.begin_map(at, self.complaints).then_some(());
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = self.tree.end()?;
                let anchor = self.anchors.pop().unwrap_or_default();
                return self.add(node, anchor);
            }
            Event::Alias(anchor) => return self.alias(anchor, at),
            _ => {}
        }
        Some(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Value {
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema_tag("str"));
        if !is_text {
            self.check_tag(tag, at);
        }
        if style == ScalarStyle::Plain && !is_text {
            yaml_scalar::resolve(text)
        } else {
            Value::String(text.to_owned())
        }
    }

    fn alias(&mut self, anchor: usize, at: Position) -> Option<()> {
        let Some(Anchored { node, size }) = self.anchored.get(&anchor) else {
            let hint = "an anchor can be used after the end of what it names";
            self.complaints.push_with_hint(at, "the alias is inside of its own anchor", hint);
            return None;
        };
        charge(&mut self.aliased, *size, at, self.complaints)?;
        if self.tree.depth() + size.depth > MAX_DEPTH {
            complain_of_depth(at, self.complaints);
            return None;
        }
        if self.tree.wants_key() {
            let key = match &node.value {
                Value::String(text) => text.clone(),
                _ => String::new(),
            };
            if key.is_empty() {
                self.check_key(at, node.kind());
            }
            self.tree.key(Key { at, name: key }, self.complaints);
            return Some(());
        }
        let node = node.clone();
        self.add(node, 0)
    }

    /// Adds a value, or what is in it when it is that of a `<<`; none when there is no point in going
    /// on.
    fn add(&mut self, node: Node, anchor: usize) -> Option<()> {
        if anchor != 0 {
            let size = size_of(&node);
            charge(&mut self.aliased, size, node.at, self.complaints)?;
            self.anchored.insert(anchor, Anchored { node: node.clone(), size });
        }
        if self.merging.last() != Some(&self.tree.depth()) {
            self.tree.add(node);
            return Some(());
        }
        self.merging.pop();
        let at = node.at;
        let maps = match node.value {
            Value::Map(entries) => vec![entries],
            Value::List(items) => items
                .into_iter()
                .filter_map(|item| match item.value {
                    Value::Map(entries) => Some(entries),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        if maps.is_empty() {
            self.complaints.push_with_hint(at, "'<<' takes a map", "name one: <<: *anchor");
        }
        self.tree.merge(maps.into_iter().flatten().collect());
        Some(())
    }

    fn check_key(&mut self, at: Position, kind: &str) {
        if self.tree.wants_key() {
            let message = format!("a name is expected here, not {kind}");
            let hint = "quote text that begins with a bracket: \"{name}\"";
            self.complaints.push_with_hint(at, message, hint);
            // What follows is read as the value of this name.
            self.tree.key(Key { at, name: String::new() }, self.complaints);
        }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, at: Position) {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            let message = format!("the tag {} has no meaning here", tag.original());
            self.complaints.push_with_hint(at, message, "remove it");
        }
    }

    fn syntax(&mut self, at: Position, kind: &granit_parser::ErrorKind) {
        let message = kind.to_string();
        if message.contains("nesting") || message.contains("recursion") {
            complain_of_depth(at, self.complaints);
            return;
        }
        self.complaints.push_with_hint(
            at,
            format!("not valid YAML: {message}"),
            "look at the indentation here and above; quote text with `: `, `#` or brackets",
        );
    }
}

fn position(marker: &granit_parser::Marker) -> Position {
    Position { line: marker.line() as u32, column: marker.col() as u32 + 1 }
}

/// Adds `size` to what anchors and aliases take; none, and a complaint, when that is too much.
fn charge(sum: &mut Size, size: Size, at: Position, complaints: &mut Complaints) -> Option<()> {
    sum.nodes = sum.nodes.saturating_add(size.nodes);
    sum.bytes = sum.bytes.saturating_add(size.bytes);
    if sum.nodes > MAX_ALIASED || sum.bytes > MAX_ALIASED_BYTES {
        let hint = "write out what is needed, or use parameters";
        let message = "anchors and aliases blow the file up beyond all measure";
        complaints.push_with_hint(at, message, hint);
        return None;
    }
    Some(())
}

fn size_of(node: &Node) -> Size {
    let inner = |children: &mut dyn Iterator<Item = &Node>| {
        children.map(size_of).fold(Size { nodes: 1, bytes: 0, depth: 0 }, |sum, size| Size {
            nodes: sum.nodes + size.nodes,
            bytes: sum.bytes + size.bytes,
            depth: sum.depth.max(size.depth),
        })
    };
    match &node.value {
        Value::List(items) => deeper(inner(&mut items.iter())),
        Value::Map(entries) => deeper(inner(&mut entries.iter().map(|(_, node)| node))),
        Value::String(text) => Size { nodes: 1, bytes: text.len(), depth: 0 },
        _ => Size { nodes: 1, bytes: 0, depth: 0 },
    }
}

fn deeper(size: Size) -> Size {
    Size { depth: size.depth + 1, ..size }
}
