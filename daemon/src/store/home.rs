//! Where a database lives.
//!
//! In memory means a WAL file in a private directory on a tmpfs: plain SQLite with readers beside
//! the writer, and a crash of the daemon loses nothing. Where no tmpfs can be trusted, or where it
//! is asked for by name, it is SQLite's own memory (`memdb`), which only its owner can read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use thiserror::Error;
use torc_protocol::paths::DATABASE_NAME;

use crate::store::free_pages;
use crate::store::image::ImageError;
use crate::store::migrate::{self, SchemaError};
use crate::store::private_dir::PrivateDir;
use crate::store::shadow;

/// How long a statement waits for a lock that only another process can hold.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// With so many pages in the log, whoever commits brings them in after all: the thread that does so
/// otherwise does not keep up.
const LOG_PAGES: u32 = 131_072;
/// The log is cut to so many bytes when it begins anew. Whoever commits waits for that, some 20 ms for
/// 100 MiB on a tmpfs; so it is more than a copy of a million jobs lets it grow to.
const LOG_BYTES: u32 = 256 * 1024 * 1024;

/// Where a database lives.
#[derive(Debug)]
pub enum Home {
    /// In this private directory on a tmpfs, which goes when this does.
    Tmpfs(PrivateDir),
    /// In SQLite's own memory.
    Memory,
    /// In this file, for good.
    File(PathBuf),
    /// In this file, which is only read and never changes: a snapshot.
    ReadOnly(PathBuf),
}

/// Why a database cannot be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file or its directory.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
    /// What is in it.
    #[error("cannot use {path}: {source}")]
    Schema {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        source: SchemaError,
    },
}

impl OpenError {
    /// Returns whether there is nothing in it: it was made and never used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Schema { source: SchemaError::Foreign(0), .. })
    }

    /// Returns whether what is there is damaged, or something else; not that it could not be read.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Io { .. } => false,
            Self::Schema { source, .. } => source.is_damage(),
        }
    }
}

impl Home {
    /// Returns whether all of it is gone when the daemon ends.
    #[must_use]
    pub fn is_memory(&self) -> bool {
        matches!(self, Self::Tmpfs(_) | Self::Memory)
    }

    /// Lets what is in a private directory outlive this, for it is nowhere else.
    pub fn hold(&mut self) {
        if let Self::Tmpfs(dir) = self {
            dir.hold();
        }
    }

    /// Lets a private directory go with this: what is in it is safe elsewhere.
    pub fn let_go(&mut self) {
        if let Self::Tmpfs(dir) = self {
            dir.let_go();
        }
    }

    /// Returns the file, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self {
            Self::Tmpfs(dir) => Some(dir.path().join(DATABASE_NAME)),
            Self::Memory => None,
            Self::File(path) | Self::ReadOnly(path) => Some(path.clone()),
        }
    }

    /// Returns where it is, in words for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.file().map_or_else(|| ":memory:".to_owned(), |path| path.display().to_string())
    }

    /// Opens the connection that writes, and brings the schema up to date. SQLite's own memory
    /// begins with what is in the file `load`.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, or holds something that is not ours or newer than this
    /// program. It is left as it is.
    pub fn open_writer(&self, load: Option<&Path>) -> Result<Connection, OpenError> {
        let failed = |source: SchemaError| OpenError::Schema {
            path: self.file().unwrap_or_else(|| PathBuf::from(":memory:")),
            source,
        };
        if let Some(path) = self.file() {
            prepare(&path).map_err(|source| OpenError::Io { path, source })?;
        }
        let mut connection = match self.file() {
            Some(path) => Connection::open_with_flags(
                path,
                OpenFlags::SQLITE_OPEN_READ_WRITE
                    | OpenFlags::SQLITE_OPEN_CREATE
                    | OpenFlags::SQLITE_OPEN_NO_MUTEX,
            ),
            None => shadow::open_memory(),
        }
        .map_err(|error| failed(error.into()))?;
        if let Some(load) = load {
            shadow::load(load, &mut connection).map_err(|error| match error {
                ImageError::Io(source) => OpenError::Io { path: load.to_owned(), source },
                ImageError::Sqlite(error) => failed(error.into()),
                ImageError::Open(error) => error,
            })?;
        }
        configure(&connection).map_err(|error| failed(error.into()))?;
        if migrate::check(&connection).map_err(failed)? == 0 {
            free_pages::prepare(&connection).map_err(|error| failed(error.into()))?;
        }
        if self.file().is_some() {
            connection
                .pragma_update(None, "journal_mode", "WAL")
                .and_then(|()| connection.pragma_update(None, "synchronous", "NORMAL"))
                .and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES))
                .and_then(|()| connection.pragma_update(None, "journal_size_limit", LOG_BYTES))
                .map_err(|error| failed(error.into()))?;
        }
        migrate::migrate(&mut connection).map_err(failed)?;
        Ok(connection)
    }

    /// Opens a connection that only reads; none for [`Home::Memory`].
    ///
    /// # Errors
    ///
    /// As [`Self::open_writer`].
    pub fn open_reader(&self) -> Result<Option<Connection>, OpenError> {
        let Some(path) = self.file() else { return Ok(None) };
        let open = || -> Result<Connection, SchemaError> {
            let mut flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = if matches!(self, Self::ReadOnly(_)) {
                flags |= OpenFlags::SQLITE_OPEN_URI;
                Connection::open_with_flags(immutable_uri(&path), flags)?
            } else {
                Connection::open_with_flags(&path, flags)?
            };
            configure(&connection)?;
            connection.pragma_update(None, "query_only", true)?;
            migrate::check(&connection)?;
            Ok(connection)
        };
        open().map(Some).map_err(|source| OpenError::Schema { path, source })
    }
}

/// Returns the URI by which SQLite opens this very file without a lock and without files beside it:
/// every byte that has a meaning in a URI is escaped.
#[must_use]
pub fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write;
    use std::os::unix::ffi::OsStrExt;
    // What follows two slashes is a host, and it is none.
    let mut uri = if path.is_absolute() { "file://" } else { "file:" }.to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(byte as char);
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Makes the directory of a database, and the file with mode 0600 before SQLite does with another.
///
/// A file that is there is not opened: to close it would give up the locks that other connections of
/// this process hold on it, and then any other program that closes the database would remove the log.
fn prepare(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// Returns how many locks this process holds on a file.
    fn locks(path: &Path) -> usize {
        let (inode, pid) = (fs::metadata(path).unwrap().ino(), std::process::id());
        let ours = |line: &&str| {
            line.contains(&format!(" {pid} ")) && line.contains(&format!(":{inode} "))
        };
        fs::read_to_string("/proc/locks").unwrap_or_default().lines().filter(ours).count()
    }

    #[test]
    fn another_connection_does_not_give_up_the_locks_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let home = Home::File(path.clone());
        let first = home.open_writer(None).unwrap();
        first.execute_batch("INSERT INTO meta VALUES ('a', '1')").unwrap();
        let before = locks(&path);
        if before == 0 {
            eprintln!("SKIPPED: /proc/locks does not show the locks of this process");
            return;
        }
        let second = home.open_writer(None).unwrap();
        second.execute_batch("INSERT INTO meta VALUES ('b', '1')").unwrap();
        // A look at the table misses lines while others come and go.
        let is_held = (0..1_000).any(|_| locks(&path) == before);
        assert!(is_held, "any other program would take the log for its own");
    }
}
