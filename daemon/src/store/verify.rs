//! Is this file a whole database of ours, and which one?
//!
//! Nothing here changes a file or makes one beside it: files are opened read-only and `immutable`,
//! without locks, so the caller sees to it that nobody writes to them. What is in them is taken for
//! hostile: no view, trigger or function of theirs runs, nothing is mapped into memory.
//!
//! Three depths, each with all errors of the one before: [`identify`] reads the header, [`peek`] the
//! row that says what the file holds, [`verify`] every page.

use std::io::{self, Read};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use thiserror::Error;
use torc_protocol::id::Generation;

use crate::store::home::immutable_uri;
use crate::store::image::HEADER;
use crate::store::migrate::{self, APPLICATION_ID, SCHEMA_VERSION, SchemaError};
use crate::sys::files::open_regular;

const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// What a database says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name that it was given when it was made and keeps for life; empty when it has none.
    pub instance: String,
    /// The latest snapshot that it knows of, which is itself when it is one; 0 for none.
    pub generation: Generation,
    /// It holds every change up to this one, when it is a snapshot.
    pub changes: u64,
    /// The version of its schema.
    pub schema_version: u32,
    /// Whether whoever opens it makes a write-ahead log beside it. Snapshots must not be so.
    pub write_ahead: bool,
}

/// Why a file is not a whole database of ours.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// It has no bytes at all.
    #[error("it is empty")]
    Empty,
    /// It is something else.
    #[error("it is not an SQLite database")]
    NotSqlite,
    /// It is some other program's database, with this `application_id`.
    #[error("it is an SQLite database, but not torc's (application_id {0:#x})")]
    Foreign(u32),
    /// A newer torc wrote it, with this schema.
    #[error("it has schema {0}, this torc knows up to {SCHEMA_VERSION}")]
    Newer(u32),
    /// It is ours, and somebody has changed its schema, which damage hardly does.
    #[error("its schema is not torc's: {0}")]
    Altered(String),
    /// It is ours, and damaged; SQLite's words or ours.
    #[error("it is damaged: {0}")]
    Corrupt(String),
    /// It could not be read, which says nothing about what is in it.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// What the header tells.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// The version of the schema.
    pub schema_version: u32,
    /// As [`Identity::write_ahead`].
    pub write_ahead: bool,
    /// The size of a page in bytes, and how many there are.
    pages: (u64, u64),
}

/// Reads the first bytes of a file: is it a database of ours that this program understands?
///
/// # Errors
///
/// When it is not, or cannot be read. [`io::ErrorKind::InvalidInput`] is for a path that is no
/// regular file.
pub fn identify(path: &Path) -> Result<Header, VerifyError> {
    let mut bytes = Vec::with_capacity(HEADER);
    open_regular(path)?.take(HEADER as u64).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Err(VerifyError::Empty);
    }
    if !bytes.starts_with(MAGIC) {
        return Err(VerifyError::NotSqlite);
    }
    if bytes.len() < HEADER {
        return Err(VerifyError::Corrupt("it ends within its header".to_owned()));
    }
    let word =
        |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let (schema_version, application_id) = (word(60), word(68));
    if application_id != APPLICATION_ID.cast_unsigned() {
        return Err(VerifyError::Foreign(application_id));
    }
    if schema_version > SCHEMA_VERSION {
        return Err(VerifyError::Newer(schema_version));
    }
    let page_size = match word(16) >> 16 {
        1 => 65536,
        size => u64::from(size),
    };
    Ok(Header {
        schema_version,
        write_ahead: bytes[18] > 1 || bytes[19] > 1,
        pages: (page_size, u64::from(word(28))),
    })
}

/// Reads which database it is, from a few pages only.
///
/// # Errors
///
/// As [`identify`], and when those pages are damaged.
pub fn peek(path: &Path) -> Result<Identity, VerifyError> {
    let header = identify(path)?;
    check_length(path, header)?;
    read_identity(&open(path)?, header)
}

/// Reads every page and checks that it is whole, with `PRAGMA quick_check`.
///
/// # Errors
///
/// As [`peek`], and when anything is damaged.
pub fn verify(path: &Path) -> Result<Identity, VerifyError> {
    let header = identify(path)?;
    check_length(path, header)?;
    let connection = open(path)?;
    quick_check(&connection)?;
    read_identity(&connection, header)
}

/// SQLite reads zeros where the last page is cut short.
fn check_length(path: &Path, header: Header) -> Result<(), VerifyError> {
    let bytes = open_regular(path)?.metadata()?.len();
    let (size, count) = header.pages;
    if size == 0 || bytes % size != 0 || bytes < size * count {
        let reason = format!("it is {bytes} bytes long and should be {count} pages of {size}");
        return Err(VerifyError::Corrupt(reason));
    }
    Ok(())
}

fn open(path: &Path) -> Result<Connection, VerifyError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(immutable_uri(path), flags).map_err(classify)?;
    harden(&connection).map_err(classify)?;
    // Before anything is read from a table: it may be something else that never ends.
    migrate::check(&connection).map_err(|error| match error {
        SchemaError::Foreign(id) => VerifyError::Foreign(id.cast_unsigned()),
        SchemaError::Newer(version) => VerifyError::Newer(version),
        SchemaError::Altered(how) => VerifyError::Altered(how),
        SchemaError::Sqlite(error) => classify(error),
    })?;
    Ok(connection)
}

pub(super) fn harden(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    connection.execute_batch(
        "PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA query_only = ON;
         PRAGMA mmap_size = 0;",
    )
}

pub(super) fn quick_check(connection: &Connection) -> Result<(), VerifyError> {
    let mut statement = connection.prepare("PRAGMA quick_check(3)").map_err(classify)?;
    let findings = statement
        .query_map([], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(classify)?;
    match findings.as_slice() {
        [only] if only == "ok" => Ok(()),
        others => Err(VerifyError::Corrupt(others.join("; "))),
    }
}

fn read_identity(connection: &Connection, header: Header) -> Result<Identity, VerifyError> {
    let instance = connection
        .query_row("SELECT value FROM meta WHERE key = 'instance'", [], |row| row.get(0))
        .optional()
        .map_err(classify)?;
    let latest = connection
        .query_row(
            "SELECT generation, changes FROM snapshot ORDER BY generation DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(classify)?;
    let (generation, changes) = latest.unwrap_or_default();
    Ok(Identity {
        instance: instance.unwrap_or_default(),
        generation: Generation(generation),
        changes,
        schema_version: header.schema_version,
        write_ahead: header.write_ahead,
    })
}

/// Tells a file that could not be read from one that was read and is wrong. A read beyond the end
/// of the file is the latter.
fn classify(error: rusqlite::Error) -> VerifyError {
    const SHORT_READ: i32 = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
    const CORRUPT_FILE_SYSTEM: i32 = rusqlite::ffi::SQLITE_IOERR_CORRUPTFS;
    match error.sqlite_error() {
        Some(cause) if [SHORT_READ, CORRUPT_FILE_SYSTEM].contains(&cause.extended_code) => {
            VerifyError::Corrupt(error.to_string())
        }
        Some(cause) => match cause.code {
            ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied
            | ErrorCode::OutOfMemory
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull => VerifyError::Io(io::Error::other(error)),
            _ => VerifyError::Corrupt(error.to_string()),
        },
        None => VerifyError::Corrupt(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
