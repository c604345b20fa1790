//! From names and patterns of an entry to numbers.

use std::cell::Cell;
use std::rc::Rc;

use super::fill::{Parser, Slots};
use super::names::Names;
use super::patterns::Matcher;
use crate::spec::complaint::{Complaints, Position};
use crate::spec::model::Links;
use crate::spec::value::Value;

/// More links (dependencies, inputs, outputs) than this are taken for a mistake.
pub(super) const MAX_LINKS: usize = 50_000_000;

/// How many more links there may be; its clones share one count.
#[derive(Clone, Debug)]
pub(super) struct Room(Rc<Cell<Option<usize>>>);

impl Room {
    pub(super) fn of(limit: usize) -> Self {
        Self(Rc::new(Cell::new(Some(limit))))
    }

    /// Takes room for `count` links; false when there is not so much, and from then on.
    #[must_use]
    pub(super) fn take(&self, count: usize) -> bool {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(count)));
        !self.is_exceeded()
    }

    /// Returns whether more was wanted than there was.
    pub(super) fn is_exceeded(&self) -> bool {
        self.0.get().is_none()
    }
}

/// Says that there are too many links.
pub(super) fn complain_of_links(at: Position, complaints: &mut Complaints) {
    complaints.push_with_hint(
        at,
        format!("more than {MAX_LINKS} dependencies, inputs and outputs"),
        "put a job between the stages that waits for all of the first, and let all of the second \
         wait for that job",
    );
}

/// Names that can be looked up and matched.
#[derive(Debug)]
pub(super) struct Pool<'n> {
    pub(super) names: Names<'n>,
    matcher: Matcher<'n>,
    room: Room,
}

impl<'n> Pool<'n> {
    /// Takes up names; what is found takes its room from `room`.
    pub(super) fn of(names: Names<'n>, room: Room) -> Self {
        let matcher = Matcher::new(names.list());
        Self { names, matcher, room }
    }

    /// Adds to `found` what matches `pattern`, but for `own`; nothing when there is no room for it.
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
        if !self.room.take(matches.len()) {
            return Ok(());
        }
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

    /// Returns what is meant for one combination, as far as there is room. Patterns do not match
    /// `own`.
    pub(super) fn find(
        &self,
        values: &[Value<'_>],
        own: Option<u32>,
        pool: &mut Pool<'_>,
        complaints: &mut Complaints,
    ) -> Vec<u32> {
        let mut found = Vec::new();
        for slot in &self.names {
            if !pool.room.take(1) {
                return found;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_added_when_there_is_no_room_for_all_of_it() {
        let names: Vec<_> = (0..10).map(|number| format!("p{number}")).collect();
        let room = Room::of(25);
        let mut pool = Pool::of(Names::of("job", &names, |_, _| {}), room.clone());
        let mut found = Vec::new();
        for expected in [10, 20, 20] {
            pool.matching("^p", None, &mut found).unwrap();
            assert_eq!(found.len(), expected);
        }
        assert!(room.is_exceeded());
    }
}
