//! Which of two databases goes on from the other?
//!
//! Told by what is in them and by nothing else: the name that a database keeps for life, and the
//! table of the snapshots that were taken of it, which every copy carries along. A clock, a host's
//! name or the time of a file never decides.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row};
use torc_protocol::id::Generation;
use torc_protocol::time::Timestamp;
use torc_protocol::view::Fate;

use crate::store::home::{OpenError, immutable_uri};
use crate::store::migrate;
use crate::store::tables::meta;
use crate::store::verify::{self, VerifyError};

/// A snapshot that was begun, as it is on record in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub generation: Generation,
    /// It holds every change up to this one.
    pub changes: u64,
    /// When it was begun.
    pub at: Timestamp,
    /// On which host.
    pub host: String,
    /// By which process of it.
    pub pid: u32,
    /// Where it was to go.
    pub path: PathBuf,
}

/// A database that is open to be compared.
#[derive(Debug)]
pub struct Lineage {
    connection: Connection,
    /// The name that it keeps for life; empty when it has none.
    pub instance: String,
    /// How many changes are in it.
    pub changes: u64,
    /// The last snapshot that was begun of it, which is itself when it is one.
    pub last: Option<Taken>,
    /// It is a snapshot, which never changes: all that is in it was there when that was taken, also
    /// what was recorded between its beginning and its copy.
    is_snapshot: bool,
}

impl Lineage {
    /// Opens the database of a dead torcd, whose log SQLite brings into it. Nobody else may have it
    /// open.
    ///
    /// # Errors
    ///
    /// When it is not a database of ours, or cannot be read.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::read(path, Connection::open_with_flags(path, flags), false)
    }

    /// Opens a snapshot, which stays as it is.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_snapshot(path: &Path) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let is_snapshot = verify::identify(path).is_ok_and(|header| !header.write_ahead);
        Self::read(path, Connection::open_with_flags(immutable_uri(path), flags), is_snapshot)
    }

    fn read(
        path: &Path,
        opened: rusqlite::Result<Connection>,
        is_snapshot: bool,
    ) -> Result<Self, OpenError> {
        let read = || {
            let connection = opened?;
            verify::harden(&connection)?;
            if migrate::check(&connection)? == 0 {
                return Err(migrate::SchemaError::Foreign(0));
            }
            let instance = meta::get(&connection, "instance")?.unwrap_or_default();
            let changes = meta::get(&connection, "changes")?.and_then(|text| text.parse().ok());
            let last = last_taken(&connection)?;
            Ok(Self { connection, instance, changes: changes.unwrap_or(0), last, is_snapshot })
        };
        read().map_err(|source| OpenError::Schema { path: path.to_owned(), source })
    }

    /// Reads every page.
    ///
    /// # Errors
    ///
    /// When it is damaged, or cannot be read.
    pub fn check(&self) -> Result<(), VerifyError> {
        verify::quick_check(&self.connection)
    }

    /// Returns whether the snapshot `there` was taken of this database.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub fn is_ahead_of(&self, there: &Self) -> rusqlite::Result<bool> {
        let taken = there.last.as_ref().map_or(Ok(false), |taken| self.has_taken(taken))?;
        Ok(taken && self.instance == there.instance)
    }

    /// Returns what is to become of this database, whose place is where `there` is.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub fn fate(&self, there: &Self) -> rusqlite::Result<Fate> {
        if self.instance != there.instance {
            return Ok(Fate::Diverged);
        }
        let goes_on_from_there =
            there.last.as_ref().map_or(Ok(false), |taken| self.has_taken(taken))?;
        let was_gone_on_from =
            self.last.as_ref().map_or(Ok(false), |taken| there.has_taken(taken))?;
        let has_all_of_us = was_gone_on_from
            && (self.is_saved() || (self.last == there.last && self.changes <= there.changes));
        Ok(if has_all_of_us {
            Fate::Superseded
        } else if goes_on_from_there && there.is_saved() {
            Fate::Newer
        } else {
            Fate::Diverged
        })
    }

    /// Returns whether its last snapshot has all that is in it.
    fn is_saved(&self) -> bool {
        self.is_snapshot || self.last.as_ref().is_some_and(|taken| self.changes <= taken.changes)
    }

    /// Returns whether that very snapshot was taken of this database, or of what it goes on from.
    fn has_taken(&self, taken: &Taken) -> rusqlite::Result<bool> {
        let found = self
            .connection
            .query_row(
                "SELECT generation, changes, started_at, host, pid, path FROM snapshot
                 WHERE generation = ?1",
                [taken.generation.0],
                read_taken,
            )
            .optional()?;
        Ok(found.as_ref() == Some(taken))
    }
}

fn last_taken(connection: &Connection) -> rusqlite::Result<Option<Taken>> {
    connection
        .query_row(
            "SELECT generation, changes, started_at, host, pid, path FROM snapshot
             ORDER BY generation DESC LIMIT 1",
            [],
            read_taken,
        )
        .optional()
}

fn read_taken(row: &Row<'_>) -> rusqlite::Result<Taken> {
    Ok(Taken {
        generation: Generation(row.get(0)?),
        changes: row.get(1)?,
        at: Timestamp(row.get(2)?),
        host: row.get(3)?,
        pid: row.get(4)?,
        path: PathBuf::from(row.get::<_, String>(5)?),
    })
}

#[cfg(test)]
mod tests;
