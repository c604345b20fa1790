//! Looks into a database that torc has left, without leaving a trace.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

/// A database file.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    connection: Connection,
}

impl Database {
    /// Opens one that nobody changes any more.
    #[track_caller]
    pub fn open(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let uri = format!("file:{}?immutable=1", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(uri, flags)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, connection }
    }

    /// Returns the rows of a query, the columns of each joined by `|`, as the shell of SQLite does.
    #[track_caller]
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let fail = |error| panic!("{}: {sql}: {error}", self.path.display());
        let mut statement = self.connection.prepare(sql).unwrap_or_else(fail);
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let columns: Vec<_> =
                (0..width).map(|column| row.get_ref(column).map(text)).collect::<Result<_, _>>()?;
            Ok(columns.join("|"))
        });
        rows.and_then(Iterator::collect)
            .unwrap_or_else(|error| panic!("{}: {sql}: {error}", self.path.display()))
    }

    /// Returns the single value of a query.
    #[track_caller]
    #[must_use]
    pub fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql} gives {rows:?}");
        rows.remove(0)
    }

    /// Returns what was captured of a stream of a job.
    #[track_caller]
    #[must_use]
    pub fn output(&self, job: &str, stream: &str) -> Vec<u8> {
        let sql =
            "SELECT data FROM output JOIN job ON job.id = job_id WHERE name = ?1 AND stream = ?2";
        self.connection
            .query_row(sql, [job, stream], |row| row.get(0))
            .unwrap_or_else(|error| panic!("{stream} of {job}: {error}"))
    }

    /// Checks that SQLite finds no fault with it, and that it is torc's.
    #[track_caller]
    pub fn expect_sound(&self) {
        assert_eq!(self.value("PRAGMA quick_check"), "ok", "{}", self.path.display());
        assert_ne!(self.value("PRAGMA application_id"), "0", "{}", self.path.display());
        assert_ne!(self.value("PRAGMA user_version"), "0", "{}", self.path.display());
    }

    /// Returns the highest generation in it.
    #[track_caller]
    #[must_use]
    pub fn generation(&self) -> u64 {
        let generation = self.value("SELECT max(generation) FROM snapshot");
        generation.parse().unwrap_or_else(|_| panic!("no generation in {}", self.path.display()))
    }
}

/// Returns the permissions of a file.
#[track_caller]
#[must_use]
pub fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o7777
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "-".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}
