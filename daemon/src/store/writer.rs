//! The one connection that writes.
//!
//! Owned by the dispatcher's thread. It groups all that one turn of the dispatcher records into one
//! transaction, and counts those transactions: the counter is stored with them, so a snapshot knows
//! which changes it holds.

use std::fs::File;
use std::path::Path;

use crate::store::home::{Home, OpenError};
use crate::store::image::{self, ImageError};
use crate::store::tables::{meta, workflow};
use rusqlite::Connection;

/// The connection that writes, and what it keeps count of.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    instance: String,
    changes: u64,
    /// Something was written since the last `BEGIN`.
    dirty: bool,
}

impl Writer {
    /// Opens the database in `home`; one in SQLite's own memory begins with what is in the file
    /// `load`.
    ///
    /// # Errors
    ///
    /// As [`Home::open_writer`].
    pub fn open(home: &Home, load: Option<&Path>) -> Result<Self, OpenError> {
        let connection = home.open_writer(load)?;
        Self::begin_life(connection).map_err(|error| OpenError::Schema {
            path: home.describe().into(),
            source: error.into(),
        })
    }

    fn begin_life(connection: Connection) -> rusqlite::Result<Self> {
        let instance = match meta::get(&connection, "instance")? {
            Some(instance) => instance,
            None => {
                let instance: String =
                    connection
                        .query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))?;
                meta::set(&connection, "instance", &instance)?;
                instance
            }
        };
        let changes = meta::get(&connection, "changes")?.and_then(|text| text.parse().ok());
        workflow::delete_drafts(&connection)?;
        Ok(Self { connection, instance, changes: changes.unwrap_or(0), dirty: false })
    }

    /// Returns the name that the database keeps for life.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Returns the number of transactions that have changed something.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Returns the connection for reading; within a transaction it sees what was written.
    #[must_use]
    pub fn reading(&self) -> &Connection {
        &self.connection
    }

    /// Returns the connection for writing, and opens a transaction unless one is open.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub fn writing(&mut self) -> rusqlite::Result<&Connection> {
        if !self.dirty {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.dirty = true;
        }
        Ok(&self.connection)
    }

    /// Runs `f` so that either all of what it writes is kept, or nothing.
    ///
    /// # Errors
    ///
    /// What `f` fails with.
    pub fn all_or_nothing<T>(
        &mut self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let connection = self.writing()?;
        connection.execute_batch("SAVEPOINT step")?;
        let outcome = f(connection);
        if outcome.is_err() {
            connection.execute_batch("ROLLBACK TO step")?;
        }
        connection.execute_batch("RELEASE step")?;
        outcome
    }

    /// Commits what was written since the last commit, if anything.
    ///
    /// # Errors
    ///
    /// When SQLite fails; then nothing of it is kept.
    pub fn commit(&mut self) -> rusqlite::Result<()> {
        if !self.dirty {
            return Ok(());
        }
        let changes = self.changes + 1;
        let committed = meta::set(&self.connection, "changes", &changes.to_string())
            .and_then(|()| self.connection.prepare_cached("COMMIT")?.execute([]));
        if committed.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.dirty = false;
        committed?;
        self.changes = changes;
        Ok(())
    }

    /// Writes a copy of the whole database into a file. Nothing else happens meanwhile.
    ///
    /// # Errors
    ///
    /// When SQLite fails, or there is no room for it.
    pub fn serialize(&mut self, into: &mut File) -> Result<(), ImageError> {
        image::serialize(&mut self.connection, into)
    }
}
