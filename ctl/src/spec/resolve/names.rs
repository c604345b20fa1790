//! Looks up names.

use std::collections::HashMap;

use torc_protocol::nearest;

use crate::spec::complaint::{Complaints, Position};
use crate::spec::model::Text;

/// So many names are searched for the nearest one.
const SEARCHED: usize = 100_000;
/// So many names are told when none is near.
const SHOWN: usize = 8;

/// Names and their numbers.
#[derive(Debug)]
pub(super) struct Names<'n> {
    /// What has the names, for messages: "a job".
    what: &'static str,
    list: &'n [String],
    numbers: HashMap<&'n str, u32>,
    /// Whether some are not known, so that nothing can be said about a name that is not there.
    pub(super) incomplete: bool,
}

impl<'n> Names<'n> {
    /// Takes up names; `complain` is told of each that is there twice: both numbers.
    pub(super) fn of(
        what: &'static str,
        list: &'n [String],
        mut complain: impl FnMut(u32, u32),
    ) -> Self {
        let mut numbers = HashMap::with_capacity(list.len());
        for (number, name) in list.iter().enumerate() {
            let number = number as u32;
            if let Some(first) = numbers.insert(name.as_str(), number) {
                complain(first, number);
                numbers.insert(name, first);
            }
        }
        Self { what, list, numbers, incomplete: false }
    }

    /// Returns all names in their order.
    pub(super) fn list(&self) -> &'n [String] {
        self.list
    }

    /// Returns the number of a name, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Returns the number of a name, and complains when it is not there.
    pub(super) fn find(
        &self,
        name: &str,
        at: Position,
        complaints: &mut Complaints,
    ) -> Option<u32> {
        let found = self.get(name);
        if found.is_none() && !self.incomplete {
            complaints.push_lazily(at, format!("unknown {} '{name}'", self.what), || {
                let names = self.list.iter().take(SEARCHED).map(String::as_str);
                Some(nearest::hint(name, names).unwrap_or_else(|| self.known()))
            });
        }
        found
    }

    /// Returns the hint that tells which names there are.
    fn known(&self) -> String {
        let shown = self.list.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        match self.list.len() {
            0 => format!("the file defines no {}", self.what),
            all if all > SHOWN => format!("there are {shown} and {} others", all - SHOWN),
            _ => format!("there are only these: {shown}"),
        }
    }

    /// As [`Self::find`], for a text as it stands in the file.
    pub(super) fn find_text(&self, text: &Text, complaints: &mut Complaints) -> Option<u32> {
        self.find(&text.text, text.at, complaints)
    }

    /// Returns what has the names.
    pub(super) fn what(&self) -> &'static str {
        self.what
    }
}
