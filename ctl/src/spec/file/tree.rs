//! Builds a tree from the parts of a text as they come, without recursion, within limits.

use std::collections::HashSet;

use crate::spec::complaint::{Complaints, Position};
use crate::spec::file::node::{Key, MAX_DEPTH, Node, Value};

/// A tree that is being built: begin and end lists and maps, and add what is in them.
#[derive(Debug)]
pub(super) struct Tree {
    open: Vec<Open>,
    done: Option<Node>,
}

#[derive(Debug)]
struct Open {
    at: Position,
    items: Items,
}

#[derive(Debug)]
enum Items {
    List(Vec<Node>),
    Map(Map),
}

#[derive(Debug, Default)]
struct Map {
    entries: Vec<(Key, Node)>,
    /// The name of the value that comes next.
    key: Option<Key>,
    /// The names of a large map; a small one is searched.
    names: HashSet<String>,
    /// What the map has unless it says something else itself.
    defaults: Vec<(Key, Node)>,
}

/// A map with more names than this is no longer searched one by one.
const SMALL: usize = 16;

impl Map {
    fn has(&mut self, name: &str) -> bool {
        if self.entries.len() < SMALL {
            return self.entries.iter().any(|(key, _)| key.name == name);
        }
        if self.names.is_empty() {
            self.names = self.entries.iter().map(|(key, _)| key.name.clone()).collect();
        }
        self.names.contains(name)
    }

    fn push(&mut self, key: Key, node: Node) {
        if !self.names.is_empty() {
            self.names.insert(key.name.clone());
        }
        self.entries.push((key, node));
    }

    fn finish(mut self) -> Vec<(Key, Node)> {
        for (key, node) in std::mem::take(&mut self.defaults) {
            if !self.has(&key.name) {
                self.push(key, node);
            }
        }
        self.entries
    }
}

impl Tree {
    pub(super) fn new() -> Self {
        Self { open: Vec::new(), done: None }
    }

    /// Begins a list; false when it would be too deep.
    #[must_use]
    pub(super) fn begin_list(&mut self, at: Position, complaints: &mut Complaints) -> bool {
        self.begin(Open { at, items: Items::List(Vec::new()) }, complaints)
    }

    /// Begins a map; false when it would be too deep.
    #[must_use]
    pub(super) fn begin_map(&mut self, at: Position, complaints: &mut Complaints) -> bool {
        self.begin(Open { at, items: Items::Map(Map::default()) }, complaints)
    }

    fn begin(&mut self, open: Open, complaints: &mut Complaints) -> bool {
        if self.open.len() >= MAX_DEPTH {
            complain_of_depth(open.at, complaints);
            return false;
        }
        self.open.push(open);
        true
    }

    /// Returns whether the next thing in the innermost map is a name.
    pub(super) fn wants_key(&self) -> bool {
        matches!(self.open.last(), Some(Open { items: Items::Map(Map { key: None, .. }), .. }))
    }

    /// Adds the name of the value that follows. A name that is taken is complained about.
    pub(super) fn key(&mut self, name: Key, complaints: &mut Complaints) {
        if let Some(Open { items: Items::Map(map), .. }) = self.open.last_mut() {
            if map.has(&name.name) {
                complaints.push_with_hint(
                    name.at,
                    format!("'{}' is given twice", name.name),
                    "keep one of them",
                );
            }
            map.key = Some(name);
        }
    }

    /// Adds a value.
    pub(super) fn add(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.done = Some(node),
            Some(Open { items: Items::List(items), .. }) => items.push(node),
            Some(Open { items: Items::Map(map), .. }) => {
                if let Some(key) = map.key.take() {
                    map.push(key, node);
                }
            }
        }
    }

    /// Takes the entries of `more` as those of the innermost map, as far as it says nothing else,
    /// instead of the value whose name came last.
    pub(super) fn merge(&mut self, more: Vec<(Key, Node)>) {
        if let Some(Open { items: Items::Map(map), .. }) = self.open.last_mut() {
            map.key = None;
            map.defaults.extend(more);
        }
    }

    /// Ends the innermost list or map, and returns it without adding it.
    pub(super) fn end(&mut self) -> Option<Node> {
        let Open { at, items } = self.open.pop()?;
        let value = match items {
            Items::List(items) => Value::List(items),
            Items::Map(map) => Value::Map(map.finish()),
        };
        Some(Node::new(at, value))
    }

    /// Returns how many lists and maps are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Returns the tree.
    pub(super) fn finish(self) -> Option<Node> {
        self.done
    }
}

/// Says that something is nested too deeply.
pub(super) fn complain_of_depth(at: Position, complaints: &mut Complaints) {
    complaints.push_with_hint(
        at,
        format!("nested more than {MAX_DEPTH} levels deep"),
        "no workflow file needs that; is a bracket or an indentation wrong?",
    );
}
