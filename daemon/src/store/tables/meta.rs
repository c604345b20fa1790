//! Table `meta`.

use rusqlite::{Connection, OptionalExtension, params};

/// Returns the value of a key.
///
/// # Errors
///
/// When SQLite fails.
pub fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// Sets the value of a key.
///
/// # Errors
///
/// When SQLite fails.
pub fn set(connection: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
        .execute(params![key, value])?;
    Ok(())
}
