//! One file a table: the statements that write it, and reads by key.

pub mod attempt;
pub mod job;
pub mod meta;
pub mod output;
pub mod settings;
pub mod snapshot;
#[cfg(test)]
mod tests;
pub mod workflow;

use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::Type;

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
