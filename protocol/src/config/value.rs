//! What a setting can be, and how it is read from text.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::nearest::nearest;
use crate::paths;

/// The names of SQLite's own memory, which are no paths.
pub const MEMORY_NAMES: [&str; 3] = [":memory:", "sqlite::memory:", "file::memory:?cache=shared"];

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What a setting can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A path.
    Path,
    /// A path, or one of [`MEMORY_NAMES`].
    Database,
    /// True or false.
    Switch,
    /// A whole number.
    Number {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// One of these words.
    Word(&'static [&'static str]),
    /// A level of the log, or levels for its parts as in `warn,torcd::store=debug`.
    Log,
}

/// A value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Of a [`Kind::Path`] or [`Kind::Database`]: absolute, unless it is a name of memory.
    Path(PathBuf),
    /// Of a [`Kind::Switch`].
    Switch(bool),
    /// Of a [`Kind::Number`].
    Number(u64),
    /// Of a [`Kind::Word`] or [`Kind::Log`].
    Text(String),
}

/// What is wrong with a value: what was expected, and a hint where there is more to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// What was found and what was expected, as the end of a sentence that begins with the name.
    pub message: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl Unfit {
    pub(super) fn new(message: String) -> Self {
        Self { message, hint: None }
    }
}

impl Kind {
    /// Returns what it can be, in words.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Path | Self::Database => "a path".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Number { min, max } if max == u64::from(u32::MAX) => {
                format!("a whole number, at least {min}")
            }
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Word(words) => one_of(words),
            Self::Log => format!("{}, or MODULE=LEVEL, with commas between", one_of(&LEVELS)),
        }
    }

    /// Reads a value from text as it stands in a variable. Relative paths are those of `dir`.
    ///
    /// # Errors
    ///
    /// When it is none of this kind, or there is no `dir` for a relative path.
    pub fn read(self, text: &OsStr, dir: Option<&Path>) -> Result<Value, Unfit> {
        if matches!(self, Self::Path | Self::Database) {
            return self.path(text, dir).map(Value::Path);
        }
        let unfit = || {
            Unfit::new(format!("'{}' is not {}", shown(&text.to_string_lossy()), self.expected()))
        };
        let text = text.to_str().ok_or_else(unfit)?.trim();
        match self {
            Self::Switch => match text.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(Value::Switch(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Switch(false)),
                _ => Err(unfit()),
            },
            Self::Number { .. } => match text.parse() {
                Ok(number) => self.number(number),
                Err(_) => Err(unfit()),
            },
            Self::Word(words) if !words.contains(&text) => {
                let meant = nearest(text, words.iter().copied());
                Err(Unfit { hint: meant.map(|word| format!("did you mean '{word}'?")), ..unfit() })
            }
            Self::Log if !is_log(text) => Err(unfit()),
            _ => Ok(Value::Text(text.to_owned())),
        }
    }

    /// Checks a number.
    pub(super) fn number(self, number: u64) -> Result<Value, Unfit> {
        match self {
            Self::Number { min, max } if (min..=max).contains(&number) => Ok(Value::Number(number)),
            _ => Err(Unfit::new(format!("{number} is not {}", self.expected()))),
        }
    }

    fn path(self, text: &OsStr, dir: Option<&Path>) -> Result<PathBuf, Unfit> {
        if text.is_empty() {
            return Err(Unfit::new("an empty text is no path".to_owned()));
        }
        let path = Path::new(text);
        if self == Self::Database && MEMORY_NAMES.iter().any(|name| text == *name) {
            return Ok(path.to_owned());
        }
        let base = match path.strip_prefix("~") {
            Ok(below) => {
                let home = paths::home_dir().ok_or_else(|| {
                    Unfit::new(format!("'{}': there is no home directory", path.display()))
                })?;
                return Ok(home.join(below));
            }
            Err(_) if path.is_absolute() => Path::new("/"),
            Err(_) => dir.ok_or_else(|| {
                let message = "the working directory cannot be determined";
                Unfit::new(format!("{message}, so '{}' means nothing", path.display()))
            })?,
        };
        // It asks no file system, since it is absolute.
        let whole = base.join(path);
        Ok(std::path::absolute(&whole).unwrap_or(whole))
    }
}

/// Returns whether `text` says what is logged: levels, and `MODULE=LEVEL`, with commas between. A bare
/// word that is no level would be taken for a module, and all of that would be logged.
fn is_log(text: &str) -> bool {
    let is_level = |word: &str| LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word));
    text.split(',').all(|part| {
        let part = part.trim();
        match part.rsplit_once('=') {
            Some((module, level)) => {
                let is_name =
                    |letter: char| letter.is_ascii_alphanumeric() || "_:".contains(letter);
                !module.is_empty() && module.chars().all(is_name) && is_level(level)
            }
            None => is_level(part),
        }
    })
}

fn one_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => words.concat(),
    }
}

/// Returns text of somebody else as it is shown: in one line, harmless to a terminal, not too long.
pub(super) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut shown: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Switch(is_on) => write!(f, "{is_on}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}
