//! The one connection that writes.
//!
//! Owned by the dispatcher's thread. It groups all that one turn of the dispatcher records into one
//! transaction, and counts those transactions: the counter is stored with them, so a snapshot knows
//! which changes it holds. What is written only aside does not count.

use std::fs::File;
use std::path::Path;

use crate::store::home::{Home, OpenError};
use crate::store::image::{self, ImageError};
use crate::store::tables::meta;
use rusqlite::Connection;

/// The connection that writes, and what it keeps count of.
#[derive(Debug)]
pub struct Writer {
    connection: Connection,
    instance: String,
    changes: u64,
    /// Something was written since the last `BEGIN`.
    dirty: bool,
    /// Some of it counts as a change.
    counts: bool,
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
        Ok(Self {
            connection,
            instance,
            changes: changes.unwrap_or(0),
            dirty: false,
            counts: false,
        })
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
        self.counts = true;
        self.open_transaction()
    }

    fn open_transaction(&mut self) -> rusqlite::Result<&Connection> {
        if !self.dirty {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.dirty = true;
        } else if self.connection.is_autocommit() {
            // SQLite has rolled it back by itself, as it does when it has no room: what would be
            // written now would be kept without what came before.
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
            let message = "the transaction was rolled back".to_owned();
            return Err(rusqlite::Error::SqliteFailure(code, Some(message)));
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
        self.counts = true;
        self.aside(f)
    }

    /// Does as [`Self::all_or_nothing`], but what it writes is no change that anybody would want a
    /// snapshot for.
    ///
    /// # Errors
    ///
    /// What `f` fails with.
    pub fn aside<T>(
        &mut self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let connection = self.open_transaction()?;
        connection.execute_batch("SAVEPOINT step")?;
        let outcome = f(connection);
        if outcome.is_err() {
            if connection.is_autocommit() {
                return outcome;
            }
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
        self.open_transaction()?;
        let changes = self.changes + u64::from(self.counts);
        meta::set(&self.connection, "changes", &changes.to_string())
            .and_then(|()| self.connection.prepare_cached("COMMIT")?.execute([]))
            .inspect_err(|_| self.roll_back())?;
        (self.dirty, self.counts) = (false, false);
        self.changes = changes;
        Ok(())
    }

    /// Takes back what was written since the last commit.
    pub fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!("cannot take back what was not recorded: {error}");
        }
        (self.dirty, self.counts) = (false, false);
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

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
