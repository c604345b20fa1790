//! The types of SQLite that others pass on without knowing them.

use rusqlite::ErrorCode;

pub use rusqlite::Connection;

/// What SQLite says when it fails.
pub type SqlError = rusqlite::Error;

/// What a statement gives.
pub type SqlResult<T> = Result<T, SqlError>;

/// Returns whether a row was refused because one like it is there.
#[must_use]
pub fn is_duplicate(error: &SqlError) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}
