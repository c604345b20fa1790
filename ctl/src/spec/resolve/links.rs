//! From names and patterns of an entry to numbers.

use super::fill::{Parser, Slots};
use super::names::Names;
use super::patterns::Matcher;
use crate::spec::complaint::Complaints;
use crate::spec::model::Links;
use crate::spec::value::Value;

/// Names that can be looked up and matched.
#[derive(Debug)]
pub(super) struct Pool<'n> {
    pub(super) names: Names<'n>,
    matcher: Matcher<'n>,
}

impl<'n> Pool<'n> {
    pub(super) fn of(names: Names<'n>) -> Self {
        let matcher = Matcher::new(names.list());
        Self { names, matcher }
    }

    /// Adds to `found` what matches `pattern`, but for `own`.
    ///
    /// # Errors
    ///
    /// What is wrong, and the remedy.
    pub(super) fn matching(
        &mut self,
        pattern: &str,
        own: Option<u32>,
        found: &mut Vec<u32>,
    ) -> Result<(), (String, &'static str)> {
        let matches = self.matcher.matches(pattern).map_err(|error| problem(pattern, &error))?;
        let before = found.len();
        found.extend(matches.iter().filter(|number| Some(**number) != own));
        if found.len() == before && !self.names.incomplete {
            let other = if own.is_some() { "other " } else { "" };
            let message =
                format!("the pattern '{pattern}' matches no {other}{}", self.names.what());
            return Err((message, "names are matched as they are when parameters are filled in"));
        }
        Ok(())
    }
}

fn problem(pattern: &str, error: &regex::Error) -> (String, &'static str) {
    // The error shows the pattern on lines of its own; the last line says what is wrong.
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim();
    let message = format!("'{pattern}' is no pattern: {}", reason.trim_start_matches("error: "));
    (
        message,
        "patterns are regular expressions; a character that is meant itself has a \\ before it",
    )
}

/// The names and patterns of one field.
#[derive(Debug)]
pub(super) struct LinkSlots<'t> {
    names: Vec<Slots<'t>>,
    regexes: Vec<Slots<'t>>,
}

impl<'t> LinkSlots<'t> {
    pub(super) fn of(
        links: &'t Links,
        parser: &mut Parser<'_>,
        complaints: &mut Complaints,
    ) -> Self {
        Self {
            names: parser.all(&links.names, complaints),
            regexes: parser.all(&links.regexes, complaints),
        }
    }

    /// Returns what is meant for one combination. Patterns do not match `own`.
    pub(super) fn find(
        &self,
        values: &[Value<'_>],
        own: Option<u32>,
        pool: &mut Pool<'_>,
        complaints: &mut Complaints,
    ) -> Vec<u32> {
        let mut found = Vec::new();
        for slot in &self.names {
            found.extend(pool.names.find(&slot.fill(values), slot.at, complaints));
        }
        for slot in &self.regexes {
            let pattern = slot.fill_pattern(values);
            if let Err((message, hint)) = pool.matching(&pattern, own, &mut found) {
                complaints.push_with_hint(slot.at, message, hint);
            }
        }
        found
    }
}
