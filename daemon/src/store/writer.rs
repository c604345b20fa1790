//! The one connection that writes.
//!
//! Owned by the dispatcher's thread. It groups all that one turn of the dispatcher records into one
//! transaction, and counts those transactions: the counter is stored with them, so a snapshot knows
//! which changes it holds. What is written only aside does not count.

use std::borrow::Borrow;
use std::path::Path;
use std::rc::Rc;

use crate::store::checkpoints::Checkpoints;
use crate::store::free_pages;
use crate::store::home::{Home, OpenError};
use crate::store::room::Reserve;
use crate::store::tables::meta;
use rusqlite::serialize::Data;
use rusqlite::{Connection, ErrorCode, MAIN_DB};

/// The connection that writes, and what it keeps count of. Whoever shares it can copy the database
/// while it is written to.
#[derive(Debug)]
pub struct Writer<C = Connection> {
    /// Dropped before the connection, which tidies up after all others.
    checkpoints: Option<Checkpoints>,
    connection: C,
    instance: String,
    changes: u64,
    /// Something was written since the last `BEGIN`.
    dirty: bool,
    /// Some of it counts as a change.
    counts: bool,
    /// Why SQLite has rolled the transaction back by itself.
    undone: Option<String>,
    /// Room for one last transaction, when there is none left.
    reserve: Option<Reserve>,
    /// The database is a file of the user's.
    is_on_disk: bool,
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
        let mut writer = Self::begin_life(connection).map_err(|error| OpenError::Schema {
            path: home.describe().into(),
            source: error.into(),
        })?;
        if let Home::Tmpfs(dir) = home {
            let reserve = Reserve::take(dir.path());
            let path = dir.path().to_owned();
            writer.reserve = Some(reserve.map_err(|source| OpenError::Io { path, source })?);
        }
        writer.checkpoints = Checkpoints::start(home)?;
        writer.is_on_disk = matches!(home, Home::File(_));
        Ok(writer)
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
            checkpoints: None,
            connection,
            instance,
            changes: changes.unwrap_or(0),
            dirty: false,
            counts: false,
            undone: None,
            reserve: None,
            is_on_disk: false,
        })
    }

    /// Settles on this thread.
    #[must_use]
    pub fn share(self) -> Writer<Rc<Connection>> {
        Writer {
            checkpoints: self.checkpoints,
            connection: Rc::new(self.connection),
            instance: self.instance,
            changes: self.changes,
            dirty: self.dirty,
            counts: self.counts,
            undone: self.undone,
            reserve: self.reserve,
            is_on_disk: self.is_on_disk,
        }
    }
}

impl Writer<Rc<Connection>> {
    /// Goes on with a copy of the database in another place. Nothing may be open that is not
    /// committed.
    pub(super) fn go_on_in(
        &mut self,
        connection: Connection,
        reserve: Option<Reserve>,
        checkpoints: Option<Checkpoints>,
    ) {
        self.checkpoints = checkpoints;
        self.connection = Rc::new(connection);
        self.reserve = reserve;
    }

    /// Returns the image of the database, as it is kept in a file.
    ///
    /// # Errors
    ///
    /// When there is no memory for it, or somebody copies from the connection.
    pub(super) fn serialize(&mut self) -> rusqlite::Result<Data<'_>> {
        Rc::get_mut(&mut self.connection).ok_or(rusqlite::Error::InvalidQuery)?.serialize(MAIN_DB)
    }

    /// Returns the connection, to copy from it while it is written to.
    #[must_use]
    pub fn shared(&self) -> Rc<Connection> {
        self.connection.clone()
    }
}

impl<C: Borrow<Connection>> Writer<C> {
    /// Brings all that is in the log of a database on disk into it: the user may copy the file, and
    /// not know of the log. Others may still have it open.
    pub fn settle(&mut self) {
        // Two cannot bring it in at a time, and SQLite does not wait for the other one.
        self.checkpoints = None;
        let settled = || -> rusqlite::Result<bool> {
            self.reading().query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        };
        if self.is_on_disk && !settled().is_ok_and(|is_busy| !is_busy) {
            tracing::warn!("the log of the database stays beside it; the next start reads both");
        }
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
        self.connection.borrow()
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
            self.reading().prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.dirty = true;
        } else if self.reading().is_autocommit() {
            // SQLite has rolled it back by itself, as it does when it has no room: what would be
            // written now would be kept without what came before.
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK);
            let why = self.undone.as_deref().unwrap_or("the transaction was rolled back");
            return Err(rusqlite::Error::SqliteFailure(code, Some(why.to_owned())));
        }
        Ok(self.reading())
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
        if let Err(error) = &outcome {
            if connection.is_autocommit() {
                self.undone = Some(self.explain(error));
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
        meta::set(self.reading(), "changes", &changes.to_string())
            .and_then(|()| self.reading().prepare_cached("COMMIT")?.execute([]))
            .inspect_err(|_| self.roll_back())?;
        (self.dirty, self.counts) = (false, false);
        self.changes = changes;
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.note();
        }
        Ok(())
    }

    /// Takes back what was written since the last commit.
    pub fn roll_back(&mut self) {
        if !self.reading().is_autocommit()
            && let Err(error) = self.reading().execute_batch("ROLLBACK")
        {
            tracing::error!("cannot take back what was not recorded: {error}");
        }
        (self.dirty, self.counts, self.undone) = (false, false, None);
    }

    /// Returns why SQLite has failed, in words for people.
    #[must_use]
    pub fn explain(&self, error: &rusqlite::Error) -> String {
        let is_full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
        // A file has an absolute path.
        let in_memory = self.reading().path().is_none_or(|path| !path.starts_with('/'));
        if is_full && in_memory {
            return "SQLite's own memory is full: it holds 1 GiB, and a database on a tmpfs or on \
                    disk (`--database FILE`) may be larger"
                .to_owned();
        }
        error.to_string()
    }

    /// Returns whether so many pages of the database hold nothing that they are to be given back.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub fn is_loose(&self) -> rusqlite::Result<bool> {
        free_pages::are_many(self.reading())
    }

    /// Gives some pages back that hold nothing, in a transaction of its own; nothing may be open that
    /// is not committed. Returns whether there are more.
    ///
    /// # Errors
    ///
    /// When SQLite fails; then nothing is changed.
    pub fn tighten(&mut self) -> rusqlite::Result<bool> {
        let connection = self.reading();
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let more = free_pages::give_back_some(connection).and_then(|more| {
            connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(more)
        });
        match &more {
            Ok(_) => self.checkpoints.iter().for_each(Checkpoints::note),
            Err(_) => self.roll_back(),
        }
        more
    }

    /// Returns how large the database is, in bytes.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub fn bytes(&self) -> rusqlite::Result<u64> {
        let pragma = |name| self.reading().pragma_query_value(None, name, |row| row.get(0));
        let (pages, size): (u64, u64) = (pragma("page_count")?, pragma("page_size")?);
        Ok(pages * size)
    }

    /// Runs `f` in a transaction of its own, in a database that takes no more changes otherwise:
    /// what was not committed is taken back, and the room that was kept for this is used.
    ///
    /// # Errors
    ///
    /// When SQLite fails even so; then nothing of it is kept.
    pub fn at_last<T>(
        &mut self,
        f: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        self.roll_back();
        self.reserve = None;
        let done = self.all_or_nothing(f).and_then(|done| self.commit().map(|()| done));
        done.inspect_err(|_| self.roll_back())
    }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
