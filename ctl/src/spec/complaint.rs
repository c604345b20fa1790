//! What is wrong with a workflow file, and where.
//!
//! Nobody stops at the first complaint: all go into one list, and whoever made it decides, when all
//! has been looked at, whether there is a workflow.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::error::CliError;
use crate::style::one_line;

/// So many complaints are shown; the rest is counted.
const SHOWN: usize = 20;
/// So many complaints about one place are kept: a template makes the same mistake again and again.
const KEPT_OF_PLACE: usize = 3;
/// So many characters of a line are shown.
const WIDTH: usize = 100;

/// A place in a file, counted in lines and characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl Position {
    /// The first character of a file.
    pub const START: Self = Self { line: 1, column: 1 };
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// As the user named it.
    pub name: Arc<str>,
    /// All of it.
    pub text: Arc<str>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Where.
    pub at: Position,
    /// What; it names the thing.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// All that is wrong with one file, in the order in which it was found. The same is said once.
#[derive(Clone, Debug)]
pub struct Complaints {
    source: Source,
    list: Vec<Complaint>,
    /// The complaints about each place, as indices.
    places: HashMap<Position, Vec<usize>>,
    dropped: usize,
    /// How many remedies were searched for.
    searches: usize,
}

impl Complaints {
    /// Returns an empty list for `source`.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self { source, list: Vec::new(), places: HashMap::new(), dropped: 0, searches: 0 }
    }

    /// Adds a complaint.
    pub fn push(&mut self, at: Position, message: impl Into<String>) {
        self.push_maybe_hint(at, message, None);
    }

    /// Adds a complaint with its remedy.
    pub fn push_with_hint(
        &mut self,
        at: Position,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.push_maybe_hint(at, message, Some(hint.into()));
    }

    /// Adds a complaint, with its remedy if there is one.
    pub fn push_maybe_hint(
        &mut self,
        at: Position,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.add(at, message.into(), |_| hint);
    }

    /// Adds a complaint with the remedy that `hint` searches for. It is asked only for as many as
    /// are shown: there may be as many complaints as there is to search.
    pub fn push_lazily(
        &mut self,
        at: Position,
        message: String,
        hint: impl FnOnce() -> Option<String>,
    ) {
        self.add(at, message, |searches| {
            *searches += 1;
            if *searches > SHOWN { None } else { hint() }
        });
    }

    fn add(
        &mut self,
        at: Position,
        message: String,
        hint: impl FnOnce(&mut usize) -> Option<String>,
    ) {
        let of_place = self.places.entry(at).or_default();
        if of_place.iter().any(|index| self.list[*index].message == message) {
            return;
        }
        if of_place.len() >= KEPT_OF_PLACE {
            self.dropped += 1;
            return;
        }
        of_place.push(self.list.len());
        let hint = hint(&mut self.searches);
        self.list.push(Complaint { at, message, hint });
    }

    /// Returns whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Returns how many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() + self.dropped
    }

    /// Returns the file that they are about.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Ends the list: puts it in the order of the file.
    #[must_use]
    pub fn settle(mut self) -> Self {
        self.places.clear();
        self.list.sort_by_key(|complaint| complaint.at);
        self
    }

    fn write_one(&self, complaint: &Complaint, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Complaint { at, message, hint } = complaint;
        let (name, message) = (one_line(&self.source.name), one_line(message));
        writeln!(f, "error: {name}:{}:{}: {message}", at.line, at.column)?;
        if let Some(excerpt) = Excerpt::of(&self.source.text, *at) {
            writeln!(f, "{excerpt}")?;
        }
        match hint {
            Some(hint) => writeln!(f, "hint: {}", one_line(hint)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, complaint) in self.list.iter().take(SHOWN).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            self.write_one(complaint, f)?;
        }
        match self.list.len().saturating_sub(SHOWN) + self.dropped {
            0 => Ok(()),
            rest => writeln!(f, "\nand {rest} more"),
        }
    }
}

impl std::error::Error for Complaints {}

impl From<Complaints> for CliError {
    fn from(complaints: Complaints) -> Self {
        let text = complaints.to_string();
        // The error itself begins with the word.
        Self::usage(text.trim_end().strip_prefix("error: ").unwrap_or(&text))
    }
}

/// A line of a file, and a caret below the character that is meant.
struct Excerpt {
    number: u32,
    before: String,
    after: String,
}

impl Excerpt {
    fn of(text: &str, at: Position) -> Option<Self> {
        let line = text.lines().nth(at.line.checked_sub(1)? as usize)?;
        if line.trim().is_empty() {
            return None;
        }
        let column = at.column.saturating_sub(1) as usize;
        // Of a very long line, what is around the character is shown.
        let skipped = if column < WIDTH { 0 } else { column - WIDTH / 2 };
        // Each character stays one, so that the caret is below what it means.
        let harmless = |character: char| match character {
            '\t' => ' ',
            control if control.is_control() => char::REPLACEMENT_CHARACTER,
            other => other,
        };
        let mut shown = line.chars().skip(skipped).map(harmless);
        let before = shown.by_ref().take(column - skipped).collect();
        let after = shown.take(WIDTH - (column - skipped).min(WIDTH)).collect();
        Some(Self { number: at.line, before, after })
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number.to_string();
        let margin = " ".repeat(number.len());
        let indent = " ".repeat(self.before.chars().count());
        writeln!(f, " {number} | {}{}", self.before, self.after.trim_end())?;
        write!(f, " {margin} | {indent}^")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> Complaints {
        Complaints::new(Source { name: "flow.yaml".into(), text: text.into() })
    }

    #[test]
    fn a_complaint_shows_the_line_and_the_remedy() {
        let mut complaints = complaints("name: x\n\tjbos: []\n");
        complaints.push_with_hint(
            Position { line: 2, column: 2 },
            "unknown field 'jbos'",
            "did you mean 'jobs'?",
        );
        assert_eq!(
            complaints.to_string(),
            "error: flow.yaml:2:2: unknown field 'jbos'\n 2 |  jbos: []\n   |  ^\n\
             hint: did you mean 'jobs'?\n"
        );
    }

    #[test]
    fn of_a_long_line_only_what_matters_is_shown() {
        let mut complaints = complaints(&format!("{}!{}", "a".repeat(500), "b".repeat(500)));
        complaints.push(Position { line: 1, column: 501 }, "odd");
        let text = complaints.to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1].len(), " 1 | ".len() + WIDTH);
        assert_eq!(lines[1].find('!'), lines[2].find('^'));
    }

    #[test]
    fn a_place_outside_of_the_file_is_no_trouble() {
        let mut complaints = complaints("");
        complaints.push(Position { line: 7, column: 9 }, "odd");
        assert_eq!(complaints.to_string(), "error: flow.yaml:7:9: odd\n");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let mut complaints =
            Complaints::new(Source { name: "a\x1b.yaml".into(), text: "b\x1b[31m\u{9b}c".into() });
        complaints.push_with_hint(Position { line: 1, column: 3 }, "d\x1b[2J", "e\x07");
        assert_eq!(
            complaints.to_string(),
            "error: a\\u{1b}.yaml:1:3: d\\u{1b}[2J\n 1 | b\u{fffd}[31m\u{fffd}c\n   |   ^\n\
             hint: e\\u{7}\n"
        );
    }

    #[test]
    fn remedies_are_not_searched_for_what_is_not_shown() {
        let mut complaints = complaints("");
        let mut searches = 0;
        for line in 1..=1000 {
            complaints.push_lazily(Position { line, column: 1 }, "odd".to_owned(), || {
                searches += 1;
                None
            });
        }
        assert_eq!((searches, complaints.len()), (SHOWN, 1000));
    }

    #[test]
    fn a_flood_is_cut() {
        let mut complaints = complaints("");
        for line in 1..=25 {
            complaints.push(Position { line, column: 1 }, "odd");
        }
        let text = complaints.to_string();
        assert_eq!(text.matches("error: ").count(), SHOWN);
        assert!(text.ends_with("\nand 5 more\n"));
    }
}
