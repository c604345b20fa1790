//! Copies of a database on disk that another process may be writing to.
//!
//! The copy is one state of it, and nobody is kept from writing meanwhile. It is made as any reader
//! of SQLite would; where such a reader cannot be, because it may not make its files beside the
//! database, the files are copied, until one copy was made while nothing began anew.

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::home::OpenError;
use crate::store::image::{ImageError, merge_log};
use crate::store::migrate::{self, SchemaError};
use crate::store::verify;
use crate::sys::files::{open_regular, with_suffix};

/// How long whoever recovers the log is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often the files are copied again that have changed meanwhile.
const TRIES: u32 = 10;
/// How long the header of a log is, in bytes. It says which run of the log this is.
const LOG_HEADER: u64 = 32;
/// Where the count of its changes ends in the header of a database, in bytes.
const COUNTER_END: u64 = 28;

/// Copies the database at `path` to the new file `into`, with what is in the log beside it.
///
/// # Errors
///
/// When it is not one that we can use, it cannot be read, or the copy cannot be written.
pub fn copy(path: &Path, into: &Path) -> Result<(), ImageError> {
    match copy_as_reader(path, into) {
        Err(error) if is_barred(&error) => copy_files(path, into),
        copied => copied,
    }
}

fn copy_as_reader(path: &Path, into: &Path) -> Result<(), ImageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    verify::harden(&connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(PATIENCE)?;
    migrate::check(&connection)
        .map_err(|source| OpenError::Schema { path: path.to_owned(), source })?;
    // Not this connection's own: the copy is written through it.
    connection.pragma_update(None, "query_only", false)?;
    connection.execute("VACUUM INTO ?1", [into.to_string_lossy()])?;
    Ok(())
}

/// Returns whether SQLite could not be a reader there.
fn is_barred(error: &ImageError) -> bool {
    let (ImageError::Sqlite(cause)
    | ImageError::Open(OpenError::Schema { source: SchemaError::Sqlite(cause), .. })) = error
    else {
        return false;
    };
    matches!(
        cause.sqlite_error_code(),
        Some(
            ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::SystemIoFailure
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

/// Copies the file, and then the log. Pages that are brought from the log into the file meanwhile
/// are in the log still, unless that has begun anew.
fn copy_files(path: &Path, into: &Path) -> Result<(), ImageError> {
    let (log, log_into) = (with_suffix(path, "-wal"), with_suffix(into, "-wal"));
    for _ in 0..TRIES {
        let before = run(path, &log)?;
        fs::copy(path, into)?;
        match fs::copy(&log, &log_into) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        if run(path, &log)? == before {
            return merge_log(into);
        }
        fs::remove_file(into)?;
        match fs::remove_file(&log_into) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Err(io::Error::other("it changes faster than it can be copied").into())
}

/// Returns what changes when the log begins anew, or the file is written without one.
fn run(path: &Path, log: &Path) -> io::Result<[Vec<u8>; 2]> {
    Ok([beginning(path, COUNTER_END)?, beginning(log, LOG_HEADER)?])
}

/// Returns so many bytes of a file; fewer where there are fewer.
fn beginning(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match open_regular(path) {
        Ok(file) => file.take(length).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::home::Home;

    /// Writes the same to two rows that are far apart, again and again, and begins the log anew.
    fn write_until(connection: &Connection, end: &AtomicBool) {
        for number in 0_u32.. {
            let sql = "INSERT OR REPLACE INTO meta
                       SELECT value, ?1 || hex(zeroblob(20000)) FROM json_each('[\"a\", \"z\"]')";
            connection.execute(sql, [number]).unwrap();
            if number % 4 == 0 {
                connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
            }
            if end.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Lets the writer end even when what it is written for has failed.
    struct EndOnDrop<'a>(&'a AtomicBool);

    impl Drop for EndOnDrop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Reads the two rows of a copy, which is whole.
    fn rows(path: &Path) -> Vec<String> {
        verify::verify(path).unwrap();
        let connection = Home::ReadOnly(path.to_owned()).open_reader().unwrap().unwrap();
        let sql = "SELECT value FROM meta WHERE key IN ('a', 'z') ORDER BY key";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_copy_is_one_state_while_another_writes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let writer = Home::File(path.clone()).open_writer(None).unwrap();
        // So much that a lot is written while the file is read from one end to the other.
        let sql = "INSERT INTO meta SELECT 'm' || value, hex(zeroblob(20000)) FROM json_each(?1)";
        let numbers: Vec<_> = (0..200).map(|number| number.to_string()).collect();
        writer.execute(sql, [format!("[{}]", numbers.join(","))]).unwrap();
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let end = &end;
            scope.spawn(move || write_until(&writer, end));
            let _ends = EndOnDrop(end);
            for number in 0..20 {
                let into = dir.path().join(format!("copy-{number}"));
                copy(&path, &into).unwrap();
                let found = rows(&into);
                assert!(found.is_empty() || found[0] == found[1], "two states in one copy");
            }
        });
    }

    #[test]
    fn files_that_are_copied_are_one_state_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        let writer = Home::File(path.clone()).open_writer(None).unwrap();
        writer.execute("INSERT INTO meta VALUES ('a', 'in the log')", []).unwrap();
        let into = dir.path().join("copy");
        copy_files(&path, &into).unwrap();
        assert_eq!(rows(&into), ["in the log"]);
        assert!(!with_suffix(&into, "-wal").exists());
    }
}
