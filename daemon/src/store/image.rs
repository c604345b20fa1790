//! Copies of a database, from memory to memory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, MAIN_DB, OpenFlags};
use thiserror::Error;

use crate::store::home::{Home, OpenError};

/// Why a copy could not be made.
#[derive(Debug, Error)]
pub enum ImageError {
    /// SQLite could not.
    #[error("copying the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The source could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The file for it.
    #[error("copying the database: {0}")]
    Io(#[from] io::Error),
}

impl ImageError {
    /// Returns the system's error number, when there is one.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Io(error) | Self::Open(OpenError::Io { source: error, .. }) => {
                error.raw_os_error()
            }
            Self::Sqlite(_) | Self::Open(OpenError::Schema { .. }) => None,
        }
    }
}

/// A connection beside the writer's that copies the database while the writer goes on.
#[derive(Debug)]
pub struct Copier {
    connection: Connection,
    staging: PathBuf,
}

impl Copier {
    /// Opens the connection; none for a database that only its owner can read.
    ///
    /// # Errors
    ///
    /// As [`Home::open_reader`].
    pub fn open(home: &Home, staging: &Path) -> Result<Option<Self>, OpenError> {
        let connection = home.open_reader()?;
        Ok(connection.map(|connection| Self { connection, staging: staging.to_owned() }))
    }

    /// Returns a copy as an open file without a name.
    ///
    /// # Errors
    ///
    /// When SQLite fails, or there is no room for it.
    pub fn copy(&self, name: &str) -> Result<File, ImageError> {
        let path = self.staging.join(name);
        // Not this connection's own `query_only`: the copy is written through it.
        self.connection.pragma_update(None, "query_only", false)?;
        let copied = self.connection.execute("VACUUM INTO ?1", [path.to_string_lossy()]);
        self.connection.pragma_update(None, "query_only", true)?;
        let opened = copied.map_err(ImageError::from).and_then(|_| Ok(File::open(&path)?));
        if path.exists() {
            fs::remove_file(&path)?;
        }
        opened
    }
}

/// A connection to a database on disk that is its own snapshot.
#[derive(Debug)]
pub struct Checkpointer {
    connection: Connection,
    path: PathBuf,
    copier: Copier,
}

impl Checkpointer {
    /// Opens the connection.
    ///
    /// # Errors
    ///
    /// As [`Home::open_writer`].
    pub fn open(home: &Home, staging: &Path) -> Result<Self, OpenError> {
        let connection = home.open_writer(None)?;
        let copier = Copier { connection: home.open_writer(None)?, staging: staging.to_owned() };
        Ok(Self { connection, path: home.file().unwrap_or_default(), copier })
    }

    /// Returns a copy as [`Copier::copy`] does.
    ///
    /// # Errors
    ///
    /// As [`Copier::copy`].
    pub fn copy(&self, name: &str) -> Result<File, ImageError> {
        self.copier.copy(name)
    }

    /// Brings all that is committed from the log into the database, synced. Where a reader keeps
    /// the log in use for longer than SQLite waits, the log itself is synced, which is as safe.
    ///
    /// # Errors
    ///
    /// When SQLite fails, or the system does.
    pub fn checkpoint(&self) -> Result<(), ImageError> {
        let busy: bool =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy {
            let mut log = self.path.clone().into_os_string();
            log.push("-wal");
            File::open(log)?.sync_all()?;
            if let Some(dir) = self.path.parent() {
                File::open(dir)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// Reads the whole database.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn check(&self) -> Result<(), ImageError> {
        let mut statement = self.connection.prepare("PRAGMA quick_check(1)")?;
        let found: String = statement.query_row([], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(io::Error::other(found).into()) }
    }
}

/// Brings what is in the log beside a database into it, and removes the log.
///
/// # Errors
///
/// When SQLite fails.
pub fn merge_log(path: &Path) -> Result<(), ImageError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Returns a copy of a database that only its owner can read, as an open file without a name.
///
/// The owner waits for it.
///
/// # Errors
///
/// When SQLite fails, or there is no memory for it.
pub fn serialize(connection: &mut Connection, into: &mut File) -> Result<(), ImageError> {
    let image = connection.serialize(MAIN_DB)?;
    into.write_all(&image)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn length(path: &Path) -> u64 {
        fs::metadata(path.with_file_name("t.db-wal")).unwrap().len()
    }

    #[test]
    fn a_reader_that_takes_its_time_does_not_keep_what_is_committed_from_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let home = Home::File(path.clone());
        let checkpointer = Checkpointer::open(&home, dir.path()).unwrap();
        checkpointer.connection.busy_timeout(Duration::ZERO).unwrap();
        let writer = home.open_writer(None).unwrap();
        let reader = home.open_reader().unwrap().unwrap();
        writer.execute_batch("INSERT INTO meta VALUES ('a', '1')").unwrap();
        let reading = reader.unchecked_transaction().unwrap();
        let count = |connection: &Connection| -> i64 {
            connection.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count(&reading), 1);
        writer.execute_batch("INSERT INTO meta VALUES ('b', '2')").unwrap();
        checkpointer.checkpoint().unwrap();
        assert!(length(&path) > 0, "the log is still needed");
        assert_eq!(count(&reading), 1);
        drop(reading);
        checkpointer.checkpoint().unwrap();
        assert_eq!(length(&path), 0);
        assert_eq!(count(&reader), 2);
    }
}
