//! Columns: what a view shows, under which name, and what kind of value that is.
//!
//! The kind of a value alone decides its alignment, its form for people and its raw form, so that
//! every table writes durations, sizes and times alike. A column's name is the key of the JSON
//! output; nested keys lose their parent.

use std::fmt;

use serde::Serialize;
use thiserror::Error;
use torc_protocol::time::{Span, Timestamp};

use crate::error::CliError;
use crate::style::{Tone, duration, local_time, one_line, size};

/// How to get a value out of a `T`, by what it is.
#[derive(Debug)]
pub enum Field<T> {
    /// A text, which people may see shortened.
    Text(for<'a> fn(&'a T) -> Option<&'a str>),
    /// Any number of words.
    Words(for<'a> fn(&'a T) -> &'a [String]),
    /// A number that counts or names.
    Count(fn(&T) -> u64),
    /// A number that may be negative or absent.
    Number(fn(&T) -> Option<i64>),
    /// Yes or no.
    Flag(fn(&T) -> bool),
    /// A span of time.
    Duration(fn(&T) -> Option<Span>),
    /// A number of bytes.
    Size(fn(&T) -> Option<u64>),
    /// A point in time.
    Time(fn(&T) -> Option<Timestamp>),
    /// A state, with its colour.
    Status(fn(&T) -> (&'static str, Tone)),
}

/// A column of a list of `T`.
#[derive(Debug)]
pub struct Column<T> {
    /// What `--columns` calls it, and the key in JSON and CSV.
    pub name: &'static str,
    /// What stands above it in a table.
    pub heading: &'static str,
    /// Its values.
    pub field: Field<T>,
}

/// A value without units, as programs get it: seconds, bytes, numbers, texts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Raw<'a> {
    /// Absent.
    Absent,
    /// A text.
    Text(&'a str),
    /// Any number of words.
    Words(&'a [String]),
    /// Not negative.
    Count(u64),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Flag(bool),
    /// A number of seconds.
    Seconds(f64),
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Words(words) => f.write_str(&words.join(",")),
            Self::Count(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Seconds(seconds) => seconds.fmt(f),
        }
    }
}

/// Something that lists show.
pub trait View: Serialize + Sized + 'static {
    /// What one is called; takes an `s` in the plural.
    const NOUN: &'static str;
    /// Every column, in the order of CSV output.
    const COLUMNS: &'static [Column<Self>];
    /// The column that names one, for `--format id`.
    const ID: &'static str;
    /// The columns of a table when none are named.
    const SHOWN: &'static [&'static str];
}

/// A name that no column has.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("there is no column '{name}' in a list of {noun}s")]
pub struct UnknownColumn {
    /// The name.
    pub name: String,
    /// What the list is of.
    pub noun: &'static str,
    /// The names that there are.
    pub known: Vec<&'static str>,
}

/// Returns the columns of `T` with these names, in this order.
///
/// # Errors
///
/// The first name that no column has.
pub fn choose<T: View, S: AsRef<str>>(
    names: &[S],
) -> Result<Vec<&'static Column<T>>, UnknownColumn> {
    names.iter().map(|name| find(name.as_ref())).collect()
}

/// Returns the column of `T` with this name.
///
/// # Errors
///
/// When there is none.
pub fn find<T: View>(name: &str) -> Result<&'static Column<T>, UnknownColumn> {
    T::COLUMNS.iter().find(|column| column.name == name).ok_or_else(|| UnknownColumn {
        name: name.to_owned(),
        noun: T::NOUN,
        known: T::COLUMNS.iter().map(|column| column.name).collect(),
    })
}

impl From<UnknownColumn> for CliError {
    fn from(error: UnknownColumn) -> Self {
        Self::usage(error.to_string()).hint(format!("the columns are {}", error.known.join(", ")))
    }
}

impl<T> Column<T> {
    /// Returns whether people want this aligned on the right.
    #[must_use]
    pub fn is_right_aligned(&self) -> bool {
        match self.field {
            Field::Text(_)
            | Field::Words(_)
            | Field::Flag(_)
            | Field::Status(_)
            | Field::Time(_) => false,
            Field::Count(_) | Field::Number(_) | Field::Duration(_) | Field::Size(_) => true,
        }
    }

    /// Returns the value as people read it, on one line, `-` when absent.
    #[must_use]
    pub fn shown(&self, item: &T) -> (String, Tone) {
        let text = match self.field {
            Field::Text(get) => get(item).filter(|text| !text.is_empty()).map(one_line),
            Field::Words(get) => Some(get(item).join(", "))
                .filter(|text| !text.is_empty())
                .map(|text| one_line(&text)),
            Field::Count(get) => Some(get(item).to_string()),
            Field::Number(get) => get(item).map(|number| number.to_string()),
            Field::Flag(get) => get(item).then(|| "yes".to_owned()),
            Field::Duration(get) => get(item).map(duration),
            Field::Size(get) => get(item).map(size),
            Field::Time(get) => get(item).map(local_time),
            Field::Status(get) => {
                let (word, tone) = get(item);
                return (word.to_owned(), tone);
            }
        };
        match text {
            Some(text) => (text, Tone::Plain),
            None => ("-".to_owned(), Tone::Dim),
        }
    }

    /// Returns the value as programs read it.
    #[must_use]
    pub fn raw<'a>(&self, item: &'a T) -> Raw<'a> {
        let value = match self.field {
            Field::Text(get) => get(item).map(Raw::Text),
            Field::Words(get) => Some(Raw::Words(get(item))),
            Field::Count(get) => Some(Raw::Count(get(item))),
            Field::Number(get) => get(item).map(Raw::Number),
            Field::Flag(get) => Some(Raw::Flag(get(item))),
            Field::Duration(get) => get(item).map(|span| Raw::Seconds(span.as_secs_f64())),
            Field::Size(get) => get(item).map(Raw::Count),
            Field::Time(get) => get(item).map(|time| Raw::Seconds(time.as_secs_f64())),
            Field::Status(get) => Some(Raw::Text(get(item).0)),
        };
        value.unwrap_or(Raw::Absent)
    }
}
