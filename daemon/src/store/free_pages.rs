//! Pages that hold nothing any more, and how they are given back.
//!
//! What is deleted leaves free pages, which what comes next uses. Where they are many, they are given
//! back a few at a time: pages from the end of the file take their places, and the file gets shorter.
//! SQLite can do so in a database that was made for it (`auto_vacuum`). One that was not is converted
//! when it is copied; until then it gets no shorter.

use rusqlite::Connection;

/// So many free pages are few in any case: 4 MiB.
const FEW: u64 = 1_024;
/// They are few as long as they are not more than this part of all pages.
const SHARE: u64 = 4;
/// So many are given back in one transaction, which takes about a millisecond.
const STEP: u32 = 128;

/// Lets a database that has no tables yet be one that can be made shorter.
pub(super) fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")
}

/// Lets the copies that `VACUUM INTO` makes through this connection be such databases, whatever this
/// one is.
pub(super) fn convert_copies(connection: &Connection) -> rusqlite::Result<()> {
    // To one that is so already it would be written.
    if number(connection, "auto_vacuum")? == 0 { prepare(connection) } else { Ok(()) }
}

/// Returns whether there are so many that they are to be given back, and can be.
pub(super) fn are_many(connection: &Connection) -> rusqlite::Result<bool> {
    let free = number(connection, "freelist_count")?;
    Ok(free > FEW.max(number(connection, "page_count")? / SHARE)
        && number(connection, "auto_vacuum")? > 0)
}

/// Gives some back. Returns whether there are more.
pub(super) fn give_back_some(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({STEP})"))?;
    let mut pages = statement.raw_query();
    // A row a page.
    while pages.next()?.is_some() {}
    Ok(number(connection, "freelist_count")? > 0)
}

fn number(connection: &Connection, pragma: &str) -> rusqlite::Result<u64> {
    connection.pragma_query_value(None, pragma, |row| row.get(0))
}

#[cfg(test)]
mod tests;
