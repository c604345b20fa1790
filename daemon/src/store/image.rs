//! Copies of a database, from memory to memory.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};
use thiserror::Error;

use crate::store::home::{Home, OpenError};
use crate::store::{free_pages, room, verify};
use crate::sys;

/// How long the header of a database is, in bytes.
pub(super) const HEADER: usize = 100;
/// Where it says whether there is a write-ahead log: a 2 stands for that, a 1 for none.
const WRITE_AHEAD: Range<usize> = 18..20;

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
    /// Returns whether it needed room that there was not.
    fn is_want_of_room(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(ErrorCode::DiskFull),
            other => other.errno() == Some(sys::files::NO_SPACE),
        }
    }

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
        let Some(connection) = home.open_reader()? else { return Ok(None) };
        free_pages::convert_copies(&connection).map_err(|error| OpenError::Schema {
            path: home.file().unwrap_or_default(),
            source: error.into(),
        })?;
        Ok(Some(Self { connection, staging: staging.to_owned() }))
    }

    /// Returns a copy as an open file without a name.
    ///
    /// It is staged beside the database, in memory. Where there is no room for that, which the
    /// database itself may need at any moment, it takes memory of the process.
    ///
    /// # Errors
    ///
    /// When SQLite fails, or there is no room for it anywhere.
    pub fn copy(&mut self, name: &str) -> Result<File, ImageError> {
        if self.has_room()? {
            match self.stage(name) {
                Err(error) if error.is_want_of_room() => {
                    tracing::warn!("{} has no room for a copy: {error}", self.staging.display());
                }
                staged => return staged,
            }
        }
        self.copy_unnamed(name)
    }

    /// Returns whether a copy leaves the database room to grow in.
    fn has_room(&self) -> rusqlite::Result<bool> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get(0));
        let (pages, size): (u64, u64) = (pragma("page_count")?, pragma("page_size")?);
        let free = sys::files::free_bytes(&self.staging);
        // Twice the margin, lest the copy makes the database move.
        let margin = 2 * room::margin(&self.staging);
        Ok(free.is_none_or(|free| free >= pages * size + margin))
    }

    /// Returns a copy that takes no room on any file system, but twice that in memory meanwhile.
    fn copy_unnamed(&mut self, name: &str) -> Result<File, ImageError> {
        let mut file = sys::memory::anonymous_file(name)?;
        // One state of it, whoever writes.
        self.connection.execute_batch("BEGIN")?;
        let written = self.connection.serialize(MAIN_DB).map_err(ImageError::from);
        let written = written.and_then(|image| write_image(&image, &mut file));
        self.connection.execute_batch("COMMIT")?;
        written.map(|()| file)
    }

    fn stage(&self, name: &str) -> Result<File, ImageError> {
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
    pub fn copy(&mut self, name: &str) -> Result<File, ImageError> {
        self.copier.copy(name)
    }

    /// Makes durable all that is committed. As much of it as no reader needs in the log is brought
    /// into the database, and what is left is safe in the log.
    ///
    /// The writer is not kept waiting, however slow the disk is: nothing that it needs is locked. The
    /// database is synced by SQLite, before the log begins anew over what was brought in. It is not
    /// opened here, for to close it would give up the locks that this process has on it.
    ///
    /// # Errors
    ///
    /// When SQLite fails, or the system does.
    pub fn checkpoint(&self) -> Result<(), ImageError> {
        self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
        File::open(sys::files::with_suffix(&self.path, "-wal"))?.sync_all()?;
        if let Some(dir) = self.path.parent() {
            File::open(dir)?.sync_all()?;
        }
        Ok(())
    }

    /// Reads the whole database.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn check(&self) -> Result<(), ImageError> {
        verify::quick_check(&self.connection).map_err(|found| io::Error::other(found).into())
    }
}

/// Copies a database to the new file `into`, with what is in the log beside it. Nobody may write to
/// it meanwhile.
///
/// # Errors
///
/// When a file cannot be copied, or SQLite fails.
pub fn copy_with_log(path: &Path, into: &Path) -> Result<(), ImageError> {
    let log = |path: &Path| sys::files::with_suffix(path, "-wal");
    fs::copy(path, into)?;
    match fs::copy(log(path), log(into)) {
        Ok(_) => merge_log(into),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
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

/// Writes an image, which a write-ahead log stands beside no longer.
pub(super) fn write_image(image: &[u8], into: &mut File) -> Result<(), ImageError> {
    let Some((header, pages)) = image.split_first_chunk::<HEADER>() else {
        return Err(io::Error::other("the database has no header").into());
    };
    let mut header = *header;
    forget_log(&mut header);
    into.write_all(&header)?;
    Ok(into.write_all(pages)?)
}

/// Lets the header of a database say that no log stands beside it.
pub(super) fn forget_log(header: &mut [u8; HEADER]) {
    header[WRITE_AHEAD].fill(1);
}

#[cfg(test)]
mod tests {
    use std::io::Seek;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    fn length(path: &Path) -> u64 {
        fs::metadata(path.with_file_name("t.db-wal")).unwrap().len()
    }

    #[test]
    fn a_copy_that_takes_no_room_is_a_whole_database_without_a_log() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::File(dir.path().join("t.db"));
        let writer = home.open_writer(None).unwrap();
        writer.execute_batch("INSERT INTO meta VALUES ('instance', 'i')").unwrap();
        let mut copier = Copier::open(&home, dir.path()).unwrap().unwrap();
        for copy in [copier.copy_unnamed("copy").unwrap(), copier.copy("copy").unwrap()] {
            let path = dir.path().join("image.db");
            let mut copy = copy;
            copy.rewind().unwrap();
            io::copy(&mut copy, &mut File::create(&path).unwrap()).unwrap();
            let identity = verify::verify(&path).unwrap();
            assert_eq!(identity.instance, "i");
            assert!(!identity.write_ahead);
        }
        writer.execute_batch("INSERT INTO meta VALUES ('after', '1')").expect("nothing is held");
        assert!(!dir.path().join("copy").exists());
    }

    #[test]
    fn a_reader_that_takes_its_time_does_not_keep_what_is_committed_from_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let home = Home::File(path.clone());
        let checkpointer = Checkpointer::open(&home, dir.path()).unwrap();
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
        // The database has all of it now, even without its log.
        let alone = dir.path().join("alone.db");
        fs::copy(&path, &alone).unwrap();
        let alone = Home::ReadOnly(alone).open_reader().unwrap().unwrap();
        assert_eq!(count(&alone), 2);
    }

    #[test]
    fn a_checkpoint_and_the_writer_do_not_wait_for_each_other() {
        static WAITED: AtomicBool = AtomicBool::new(false);
        let dir = tempfile::tempdir().unwrap();
        let home = Home::File(dir.path().join("t.db"));
        let mut checkpointer = Checkpointer::open(&home, dir.path()).unwrap();
        let note = |_| {
            WAITED.store(true, Ordering::Relaxed);
            false
        };
        checkpointer.connection.busy_handler(Some(note)).unwrap();
        let writer = home.open_writer(None).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; INSERT INTO meta VALUES ('a', '1')").unwrap();
        checkpointer.checkpoint().unwrap();
        assert!(!WAITED.load(Ordering::Relaxed), "it wants what the writer has");
        writer.execute_batch("COMMIT").unwrap();
    }
}
