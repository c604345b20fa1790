//! `--param NAME=VALUE`: what VALUE can be.
//!
//! | VALUE | values |
//! |---|---|
//! | `1:10`, `10:1:-3`, `0.1:0.5:0.1` | a range, both ends included |
//! | `[a,b,"c,d"]` | a list; quotes keep commas and spaces |
//! | `@FILE` | one for each line of the file that is not blank |
//! | `'…'` | the text between the quotes |
//! | anything else | itself |
//!
//! What looks like a range but is none (a URL, a clock time) is itself, too.
//!
//! Workflow files have the same values, with small differences that torc 1.0 has made: see
//! [`Parameter::in_file`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::spec::decimal::{Decimal, DecimalRange};
use crate::spec::value::Value;

/// Why a parameter cannot be used.
#[derive(Debug, Error)]
pub enum ParameterError {
    /// It has no `=`, or what stands before it is no name.
    #[error("'{0}' is no parameter: expected NAME=VALUE, with a NAME of letters, digits and _")]
    NotNamed(String),
    /// Its name is taken.
    #[error("parameter '{0}' is given twice")]
    Duplicate(String),
    /// It has an empty list or file.
    #[error("parameter '{0}' has no values")]
    Empty(String),
    /// A quote in its list is not closed, or text follows a closed one.
    #[error("parameter '{name}': the quotes in {text} do not pair up")]
    Quotes {
        /// The parameter.
        name: String,
        /// The list.
        text: String,
    },
    /// It is a range of numbers that cannot be. On the command line, only one with numbers that are
    /// too large is refused; the others are text.
    #[error("parameter '{name}': the range {text} {problem}")]
    Range {
        /// The parameter.
        name: String,
        /// The range.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Its file cannot be read.
    #[error("parameter '{name}': cannot read {path}: {source}", path = path.display())]
    File {
        /// The parameter.
        name: String,
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// Parameters that are to be zipped have different numbers of values.
    #[error("cannot zip parameters of unequal lengths: {0}")]
    UnequalLengths(String),
}

/// A name and its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Letters, digits and underscores.
    pub name: String,
    values: Values,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Values {
    Range(DecimalRange),
    List(Arc<[String]>),
}

impl Parameter {
    /// Returns the parameter that `text` writes, `NAME=VALUE`.
    ///
    /// # Errors
    ///
    /// When it has no name or no values, or its file cannot be read.
    pub fn parse(text: &str) -> Result<Self, ParameterError> {
        let not_named = || ParameterError::NotNamed(text.to_owned());
        let (name, value) = text.split_once('=').ok_or_else(not_named)?;
        if !is_name(name) {
            return Err(not_named());
        }
        let values = parse_values(name, value)?;
        if matches!(&values, Values::List(list) if list.is_empty()) {
            return Err(ParameterError::Empty(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), values })
    }

    /// Returns the parameter with these values.
    ///
    /// # Errors
    ///
    /// [`ParameterError::Empty`].
    pub fn of_values(name: &str, values: Vec<String>) -> Result<Self, ParameterError> {
        if values.is_empty() {
            return Err(ParameterError::Empty(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), values: Values::List(values.into()) })
    }

    /// Returns the parameter that a workflow file writes as text. What differs from the command
    /// line: numbers without quotes are written in their shortest form (`1.0` is `1`), braces
    /// around a range do not count, and a range of numbers that cannot be is an error. `@FILE` is
    /// not understood here: which file is meant, the workflow file decides.
    ///
    /// # Errors
    ///
    /// When there are no values, quotes do not pair up, or a range is none.
    pub fn in_file(name: &str, text: &str) -> Result<Self, ParameterError> {
        let text = text.trim();
        let bare = enclosed(text, '{', '}').map_or(text, str::trim);
        if let Some(list) = enclosed(bare, '[', ']') {
            let broken = || ParameterError::Quotes { name: name.to_owned(), text: text.to_owned() };
            let items = split_list(list).ok_or_else(broken)?;
            return Self::of_values(name, items.into_iter().map(Item::shortest).collect());
        }
        if let Some(literal) = enclosed(bare, '\'', '\'') {
            return Self::of_values(name, vec![literal.to_owned()]);
        }
        if let Some(range) = parse_range(bare) {
            return Ok(Self { name: name.to_owned(), values: Values::Range(range) });
        }
        if let Some(problem) = range_problem(bare) {
            let (name, text) = (name.to_owned(), text.to_owned());
            return Err(ParameterError::Range { name, text, problem });
        }
        Self::of_values(name, vec![shortest(text)])
    }

    /// Returns how many values it has; at least one.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.values {
            Values::Range(range) => range.len(),
            Values::List(list) => list.len() as u64,
        }
    }

    /// Returns whether it has none; always false.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the value at `index`, which must be below the length.
    #[must_use]
    pub fn get(&self, index: u64) -> Value<'_> {
        match &self.values {
            Values::Range(range) => range.get(index).into(),
            Values::List(list) => Value::of(&list[index as usize]),
        }
    }

    /// Returns all values in order.
    pub fn values(&self) -> impl Iterator<Item = Value<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }
}

/// Parses all of `texts`.
///
/// # Errors
///
/// As [`Parameter::parse`], and when two have the same name.
pub fn parse_all(texts: &[String]) -> Result<Vec<Parameter>, ParameterError> {
    let mut parameters: Vec<Parameter> = Vec::with_capacity(texts.len());
    for text in texts {
        let parameter = Parameter::parse(text)?;
        if parameters.iter().any(|other| other.name == parameter.name) {
            return Err(ParameterError::Duplicate(parameter.name));
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

/// Returns whether `text` can name a parameter.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns a number in its shortest form, and other text as it is.
#[must_use]
pub fn shortest(text: &str) -> String {
    match Decimal::parse(text) {
        Some(number) => number.to_string(),
        None => text.to_owned(),
    }
}

fn parse_values(name: &str, value: &str) -> Result<Values, ParameterError> {
    if let Some(path) = value.strip_prefix('@') {
        return read_values(name, Path::new(path)).map(|values| Values::List(values.into()));
    }
    if let Some(list) = enclosed(value, '[', ']') {
        let broken = || ParameterError::Quotes { name: name.to_owned(), text: value.to_owned() };
        let items = split_list(list).ok_or_else(broken)?;
        return Ok(Values::List(items.into_iter().map(|item| item.text).collect()));
    }
    if let Some(literal) = enclosed(value, '\'', '\'') {
        return Ok(Values::List([literal.to_owned()].into()));
    }
    if let Some(range) = parse_range(value) {
        return Ok(Values::Range(range));
    }
    match range_problem(value) {
        Some(problem @ TOO_LARGE) => {
            let (name, text) = (name.to_owned(), value.to_owned());
            Err(ParameterError::Range { name, text, problem })
        }
        _ => Ok(Values::List([value.to_owned()].into())),
    }
}

fn enclosed(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

fn parse_range(text: &str) -> Option<DecimalRange> {
    let mut parts = text.split(':').map(Decimal::parse);
    let start = parts.next()??;
    let end = parts.next()??;
    let step = match parts.next() {
        Some(step) => step?,
        None => Decimal::parse("1")?,
    };
    if parts.next().is_some() {
        return None;
    }
    DecimalRange::new(start, end, step)
}

/// Returns what is wrong with a text that has the form of a range of numbers but is none.
fn range_problem(text: &str) -> Option<&'static str> {
    let parts: Vec<_> = text.split(':').collect();
    if !matches!(parts.len(), 2 | 3) || !parts.iter().all(|part| Decimal::is_written(part)) {
        return None;
    }
    let numbers: Option<Vec<_>> = parts.into_iter().map(Decimal::parse).collect();
    let Some(numbers) = numbers else { return Some(TOO_LARGE) };
    let step = numbers.get(2).map_or(1.0, |step| step.to_f64());
    let distance = numbers[1].to_f64() - numbers[0].to_f64();
    Some(if step == 0.0 {
        "never ends: its step is 0"
    } else if distance * step < 0.0 {
        "is empty: its step leads away from its end"
    } else {
        TOO_LARGE
    })
}

/// What is wrong with a range that is one but cannot be counted.
const TOO_LARGE: &str = "has a number that is too large or has too many digits";

fn read_values(name: &str, path: &Path) -> Result<Vec<String>, ParameterError> {
    let failed =
        |source| ParameterError::File { name: name.to_owned(), path: path.to_owned(), source };
    let text = fs::read_to_string(path).map_err(failed)?;
    if text.contains('\0') {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidData, "it has a NUL character")));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

/// An item of a list.
struct Item {
    text: String,
    quoted: bool,
}

impl Item {
    fn shortest(self) -> String {
        if self.quoted { self.text } else { shortest(&self.text) }
    }
}

/// Splits at the commas outside quotes; none when the quotes do not pair up.
fn split_list(text: &str) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Some(items);
    }
    loop {
        let (item, after) = next_item(rest)?;
        items.push(item);
        match after.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None => return after.is_empty().then_some(items),
        }
    }
}

/// Returns the first item, and what follows it: nothing, or a comma and more.
fn next_item(text: &str) -> Option<(Item, &str)> {
    let Some(quote) = text.chars().next().filter(|first| matches!(first, '"' | '\'')) else {
        let end = text.find(',').unwrap_or(text.len());
        let item = Item { text: text[..end].trim_end().to_owned(), quoted: false };
        return Some((item, &text[end..]));
    };
    let mut item = String::new();
    let mut chars = text[1..].char_indices();
    while let Some((index, character)) = chars.next() {
        match character {
            _ if character == quote => {
                let rest = text[index + 2..].trim_start();
                return Some((Item { text: item, quoted: true }, rest));
            }
            '\\' if quote == '"' => item.push(chars.next()?.1),
            _ => item.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(value: &str) -> Vec<String> {
        let parameter = Parameter::parse(&format!("x={value}")).unwrap();
        parameter.values().map(|value| value.text.into_owned()).collect()
    }

    fn error(text: &str) -> String {
        Parameter::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(values("1:4"), ["1", "2", "3", "4"]);
        assert_eq!(values("1:10:4"), ["1", "5", "9"]);
        assert_eq!(values("10:1:-3"), ["10", "7", "4", "1"]);
        assert_eq!(values("0.1:0.5:0.1"), ["0.1", "0.2", "0.3", "0.4", "0.5"]);
        assert_eq!(values("-2:0"), ["-2", "-1", "0"]);
    }

    #[test]
    fn lists_keep_what_is_quoted() {
        assert_eq!(values(r#"[a,b,"c,d"]"#), ["a", "b", "c,d"]);
        assert_eq!(values(r#"[ a b , 'c, d' ,"e\"f\\"]"#), ["a b", "c, d", r#"e"f\"#]);
        assert_eq!(values("[1,,007]"), ["1", "", "007"]);
        assert_eq!(values("[it's,x]"), ["it's", "x"]);
    }

    #[test]
    fn what_only_looks_like_a_range_is_a_literal() {
        for text in [
            "https://example.org:8080/a",
            "08:30",
            "12:30:00",
            "10:1",
            "1:5:-1",
            "1:2:3:4",
            "a:b",
            "1:",
            ":",
            "",
            "a=b",
            "[ab]*",
            "it's",
        ] {
            assert_eq!(values(text), [text], "{text}");
        }
    }

    #[test]
    fn quoted_text_is_never_parsed() {
        assert_eq!(values("'1:10'"), ["1:10"]);
        assert_eq!(values("'[a,b]'"), ["[a,b]"]);
        assert_eq!(values("'@file'"), ["@file"]);
        assert_eq!(values("''"), [""]);
    }

    #[test]
    fn workflow_files_write_numbers_in_their_shortest_form() {
        let values = |text: &str| -> Vec<String> {
            let parameter = Parameter::in_file("x", text).unwrap();
            parameter.values().map(|value| value.text.into_owned()).collect()
        };
        assert_eq!(values("[0.10, 1.0, 1e-3, '1.0', 007]"), ["0.1", "1", "0.001", "1.0", "007"]);
        assert_eq!(values("{ 1:3 }"), ["1", "2", "3"]);
        assert_eq!(values("['adam','sgd']"), ["adam", "sgd"]);
        assert_eq!(values("08:30"), ["08:30"]);
        assert_eq!(values("2.50"), ["2.5"]);
    }

    #[test]
    fn workflow_files_refuse_ranges_that_cannot_be() {
        let error = |text| Parameter::in_file("x", text).unwrap_err().to_string();
        let empty = "parameter 'x': the range 10:1 is empty: its step leads away from its end";
        assert_eq!(error("10:1"), empty);
        assert_eq!(error("1:5:0"), "parameter 'x': the range 1:5:0 never ends: its step is 0");
        assert_eq!(error("[]"), "parameter 'x' has no values");
    }

    #[test]
    fn numbers_that_are_too_large_for_a_range_are_refused_everywhere() {
        let long = format!("1:{}", "9".repeat(40));
        for range in ["1:99999999999999999999", "0:1:1e-19", "1:1e30", &long] {
            let expected = format!(
                "parameter 'x': the range {range} has a number that is too large or has too many \
                 digits"
            );
            assert_eq!(Parameter::in_file("x", range).unwrap_err().to_string(), expected);
            assert_eq!(error(&format!("x={range}")), expected);
        }
    }

    #[test]
    fn files_give_a_value_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("values");
        fs::write(&path, "a b\r\n\n# not a comment\n1:3\n").unwrap();
        assert_eq!(values(&format!("@{}", path.display())), ["a b", "# not a comment", "1:3"]);
    }

    #[test]
    fn mistakes_name_the_parameter() {
        assert!(error("x").starts_with("'x' is no parameter"));
        assert!(error("1x=2").starts_with("'1x=2' is no parameter"));
        assert_eq!(error("x=[]"), "parameter 'x' has no values");
        assert_eq!(error("x=[\"a]"), "parameter 'x': the quotes in [\"a] do not pair up");
        assert_eq!(error("x=[\"a\"b]"), "parameter 'x': the quotes in [\"a\"b] do not pair up");
        let missing = error("x=@/nonexistent/values");
        assert!(
            missing.starts_with("parameter 'x': cannot read /nonexistent/values: No such file")
        );
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        let texts = ["x=1", "x=2"].map(str::to_owned);
        assert_eq!(parse_all(&texts).unwrap_err().to_string(), "parameter 'x' is given twice");
    }
}
