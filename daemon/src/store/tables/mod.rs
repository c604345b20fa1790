//! One file a table: the statements that write it, and reads by key.

pub mod action;
pub mod attempt;
pub mod file;
pub mod job;
pub mod meta;
pub mod output;
pub mod settings;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod user_data;
pub mod workflow;

use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Returns a number that a client has named as SQLite takes it; no row has one that it cannot.
pub(super) fn key(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(-1)
}

/// Returns the status word in a column as its type.
pub(super) fn status<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    let index = row.as_ref().column_index(column)?;
    let word: String = row.get(index)?;
    word.parse().map_err(|error: T::Err| {
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
    })
}

/// Returns a value as the JSON that a column holds.
pub(super) fn to_json<T: Serialize + ?Sized>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Returns the JSON in a column as its value.
pub(super) fn from_json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let index = row.as_ref().column_index(column)?;
    let text: String = row.get(index)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
    })
}

/// Returns the JSON in a column as its value, and the default for none.
pub(super) fn from_json_or_default<T: DeserializeOwned + Default>(
    row: &Row<'_>,
    column: &str,
) -> rusqlite::Result<T> {
    let index = row.as_ref().column_index(column)?;
    match row.get_ref(index)?.as_str_or_null()? {
        None => Ok(T::default()),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
        }),
    }
}
