//! Patterns for names: which names match, found without trying all of them where the pattern says how
//! a name begins. Any other pattern is tried on all names, once for all jobs that have the same.

use std::collections::HashMap;
use std::sync::Arc;

use regex::Regex;

/// So many answers are kept.
const KEPT: usize = 1_000;

/// A list of names that patterns are tried on.
#[derive(Debug)]
pub(super) struct Matcher<'n> {
    names: &'n [String],
    /// The numbers of the names, sorted by name; made when the first pattern needs it.
    sorted: Option<Vec<u32>>,
    known: HashMap<String, Arc<[u32]>>,
}

impl<'n> Matcher<'n> {
    pub(super) fn new(names: &'n [String]) -> Self {
        Self { names, sorted: None, known: HashMap::new() }
    }

    /// Returns the numbers of the names that match, in order. A pattern may match anywhere in a
    /// name.
    ///
    /// # Errors
    ///
    /// When the pattern is none.
    pub(super) fn matches(&mut self, pattern: &str) -> Result<Arc<[u32]>, regex::Error> {
        if let Some(known) = self.known.get(pattern) {
            return Ok(known.clone());
        }
        if let Some(name) = exact_name(pattern) {
            return Ok(self.named(name).into());
        }
        let regex = Regex::new(pattern)?;
        let found: Arc<[u32]> = match literal_prefix(pattern) {
            Some(prefix) => self.matches_with(&prefix, &regex).into(),
            None => {
                let names = self.names.iter().enumerate();
                names.filter(|(_, name)| regex.is_match(name)).map(|(n, _)| n as u32).collect()
            }
        };
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert(pattern.to_owned(), found.clone());
        Ok(found)
    }

    /// Tries only the names that begin with `prefix`.
    fn matches_with(&mut self, prefix: &str, regex: &Regex) -> Vec<u32> {
        let names = self.names;
        let name = |number: &u32| names[*number as usize].as_str();
        let candidates =
            self.from(prefix).iter().take_while(|number| name(number).starts_with(prefix));
        let mut found: Vec<_> =
            candidates.filter(|number| regex.is_match(name(number))).copied().collect();
        found.sort_unstable();
        found
    }

    /// Returns the numbers of all that have exactly this name.
    fn named(&mut self, wanted: &str) -> Vec<u32> {
        let names = self.names;
        let same = self.from(wanted).iter().take_while(|number| names[**number as usize] == wanted);
        same.copied().collect()
    }

    /// Returns the numbers of the names that are not before `name`, sorted by name.
    fn from(&mut self, name: &str) -> &[u32] {
        let names = self.names;
        let sorted = self.sorted.get_or_insert_with(|| {
            let mut numbers: Vec<u32> = (0..names.len() as u32).collect();
            numbers.sort_by_key(|number| names[*number as usize].as_str());
            numbers
        });
        let begin = sorted.partition_point(|number| names[*number as usize].as_str() < name);
        &sorted[begin..]
    }
}

/// Returns the text that every name must begin with to match `pattern`, if that is plain to see.
fn literal_prefix(pattern: &str) -> Option<String> {
    let body = pattern.strip_prefix('^')?;
    // With alternatives, the beginning of the pattern need not be that of the name.
    if body.contains('|') {
        return None;
    }
    let mut prefix = String::new();
    let mut chars = body.chars().peekable();
    while let Some(character) = chars.next() {
        let literal = match character {
            '\\' => match chars.next() {
                Some(escaped)
                    if !escaped.is_ascii_alphanumeric() && escaped != '<' && escaped != '>' =>
                {
                    escaped
                }
                _ => break,
            },
            c if is_plain(c) => c,
            _ => break,
        };
        // A repetition that follows may make it vanish.
        if matches!(chars.peek(), Some('*' | '?' | '{' | '+')) {
            break;
        }
        prefix.push(literal);
    }
    (!prefix.is_empty()).then_some(prefix)
}

/// Returns the one name that matches `pattern`, if the pattern is a name between anchors.
fn exact_name(pattern: &str) -> Option<&str> {
    let name = pattern.strip_prefix('^')?.strip_suffix('$')?;
    name.chars().all(is_plain).then_some(name)
}

fn is_plain(character: char) -> bool {
    character.is_alphanumeric()
        || matches!(character, '_' | '-' | '/' | ':' | ',' | '=' | '@' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(names: &[&str], pattern: &str) -> Vec<u32> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Matcher::new(&names).matches(pattern).unwrap().to_vec()
    }

    #[test]
    fn patterns_match_anywhere_unless_they_are_anchored() {
        let names = ["work_2", "pre_work_1", "work_1", "rest"];
        assert_eq!(matches(&names, "work_\\d"), [0, 1, 2]);
        assert_eq!(matches(&names, "^work_\\d$"), [0, 2]);
        assert_eq!(matches(&names, "^work_1"), [2]);
        assert_eq!(matches(&names, "^none"), [0_u32; 0]);
        assert_eq!(matches(&names, "^work_1$"), [2]);
        assert_eq!(matches(&names, "^work$"), [0_u32; 0]);
    }

    #[test]
    fn the_shortcut_finds_what_the_pattern_finds() {
        let names = ["a", "ab", "abc", "abbc", "b", "a.b", "axb", "ac"];
        for pattern in [
            "^ab*c", "^a\\.b", "^a.b", "^ab?c$", "^a|^b", "^(a|b)c?", "^a{1}b", "^\\x61b", "^a\\b",
            "^(?i)AB", "^ab+c",
        ] {
            let regex = Regex::new(pattern).unwrap();
            let expected: Vec<_> = (0..names.len() as u32)
                .filter(|number| regex.is_match(names[*number as usize]))
                .collect();
            assert_eq!(matches(&names, pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert!(Matcher::new(&[]).matches("a(").is_err());
    }
}
