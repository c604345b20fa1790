//! Brings what is committed from the log into the database, on a thread of its own.
//!
//! SQLite would let whoever commits do it. But after a copy, which keeps the log from being brought
//! in for as long as it takes, that is much at a time; and with a database on disk it waits for the
//! disk. Here nobody waits for it: it is done beside the writer, some times a second. When the writer
//! rests, a log in memory that has become long is cut: nothing in it is needed then. To cut one on a
//! disk could take as long as the disk likes, and whoever writes would have to wait for it.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use crate::store::home::{BUSY_TIMEOUT, Home, OpenError};
use crate::sys::files::with_suffix;

/// What is committed within this time is brought in together: pages that change often, only once.
const PACE: Duration = Duration::from_millis(100);
/// So often it is tried to get ahead of the writer, which then begins the log anew.
const TRIES: usize = 10;
/// A log of more than so many bytes is long.
const LONG: u64 = 4 * 1024 * 1024;
/// The writer rests when nothing was committed for so long.
const REST: Duration = Duration::from_secs(1);

/// The thread. It ends when this is dropped, which waits for it.
#[derive(Debug)]
pub(super) struct Checkpoints {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// Starts the thread; none for a database without a log.
    ///
    /// # Errors
    ///
    /// When the database cannot be opened once more, or there is no thread.
    pub(super) fn start(home: &Home) -> Result<Option<Self>, OpenError> {
        let Some(path) = home.file() else { return Ok(None) };
        let connection = home.open_writer(None)?;
        let log = home.is_memory().then(|| with_suffix(&path, "-wal"));
        let (wake, woken) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("checkpoints".to_owned())
            .spawn(move || run(&connection, log.as_deref(), &woken))
            .map_err(|source| OpenError::Io { path, source })?;
        Ok(Some(Self { wake: Some(wake), thread: Some(thread) }))
    }

    /// Takes note that something was committed.
    pub(super) fn note(&self) {
        if let Some(wake) = &self.wake {
            // When it is full, the thread knows already.
            let _ = wake.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // One that has panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Brings the log in whenever it is woken, and cuts `log`, if that is to be cut.
fn run(connection: &Connection, log: Option<&Path>, woken: &Receiver<()>) {
    let mut is_long = false;
    loop {
        let next = match is_long {
            true => woken.recv_timeout(REST),
            false => woken.recv().map_err(RecvTimeoutError::from),
        };
        let done = match next {
            Ok(()) if !gather(woken) => return,
            Ok(()) => bring_in(connection),
            Err(RecvTimeoutError::Timeout) => cut(connection),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let Err(error) = done {
            // Nothing is lost: it stays in the log. The writer learns by itself of a disk that fails.
            tracing::debug!("the log is not brought into the database: {error}");
        }
        // What could not be cut is tried again after the next commit.
        is_long = next.is_ok()
            && log.and_then(|log| fs::metadata(log).ok()).is_some_and(|file| file.len() > LONG);
    }
}

/// Waits for what is to be brought in together; returns whether the writer is still there.
fn gather(woken: &Receiver<()>) -> bool {
    let due = Instant::now() + PACE;
    loop {
        match woken.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Cuts the log to nothing, unless somebody reads or writes: nobody is waited for, and nobody has to
/// wait longer than it takes to shorten a file.
fn cut(connection: &Connection) -> rusqlite::Result<()> {
    bring_in(connection)?;
    connection.busy_timeout(Duration::ZERO)?;
    let cut = connection
        .prepare_cached("PRAGMA wal_checkpoint(TRUNCATE)")
        .and_then(|mut statement| statement.query_row([], |_| Ok(())));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    cut
}

/// Brings in what no reader needs in the log, until there is no more or readers hold the rest.
fn bring_in(connection: &Connection) -> rusqlite::Result<()> {
    let mut before = -1;
    for _ in 0..TRIES {
        let (log, done): (i64, i64) = connection
            .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
            .query_row([], |row| Ok((row.get(1)?, row.get(2)?)))?;
        if done >= log || done == before {
            return Ok(());
        }
        before = done;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::store::private_dir::{PrivateDir, Purpose};

    fn put(connection: &Connection, key: &str) {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, hex(zeroblob(100000)))";
        connection.execute(sql, [key]).unwrap();
    }

    fn count(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap()
    }

    /// A database in a directory, and those who have it open.
    struct Opened {
        dir: TempDir,
        writer: Connection,
        other: Connection,
        reader: Connection,
    }

    fn open() -> Opened {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::File(dir.path().join("t.db"));
        let (writer, other) = (home.open_writer(None).unwrap(), home.open_writer(None).unwrap());
        let reader = home.open_reader().unwrap().unwrap();
        Opened { dir, writer, other, reader }
    }

    fn log_of(dir: &TempDir) -> u64 {
        fs::metadata(dir.path().join("t.db-wal")).unwrap().len()
    }

    #[test]
    fn what_a_reader_has_kept_in_the_log_is_brought_in_once_it_is_gone() {
        let Opened { dir, writer, other, reader } = open();
        let log = || log_of(&dir);
        let reading = reader.unchecked_transaction().unwrap();
        assert_eq!(count(&reading), 0);
        for number in 0..20 {
            put(&writer, &number.to_string());
            bring_in(&other).unwrap();
        }
        let long = log();
        assert!(long > 4_000_000, "{long}");
        assert_eq!(count(&reading), 0);
        drop(reading);
        bring_in(&other).unwrap();
        for number in 0..20 {
            put(&writer, &number.to_string());
            bring_in(&other).unwrap();
        }
        assert_eq!(log(), long, "it is used again");
        assert_eq!(count(&reader), 20);
    }

    #[test]
    fn a_long_log_is_cut_once_nobody_needs_it() {
        let Opened { dir, writer, other, reader } = open();
        let log = || log_of(&dir);
        put(&writer, "a");
        let reading = reader.unchecked_transaction().unwrap();
        assert_eq!(count(&reading), 1);
        put(&writer, "b");
        let long = log();
        cut(&other).unwrap();
        assert_eq!(log(), long, "somebody reads");
        drop(reading);
        writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        cut(&other).unwrap();
        assert_eq!(log(), long, "somebody writes");
        writer.execute_batch("COMMIT").unwrap();
        cut(&other).unwrap();
        assert_eq!(log(), 0);
        put(&writer, "c");
        assert_eq!(count(&reader), 3);
    }

    #[test]
    fn the_thread_cuts_it_when_the_writer_rests() {
        let dir = tempfile::tempdir().unwrap();
        let purpose = Purpose { target: dir.path().join("target.db"), private: false };
        let home = Home::Tmpfs(PrivateDir::create(dir.path(), &purpose).unwrap());
        let writer = home.open_writer(None).unwrap();
        let checkpoints = Checkpoints::start(&home).unwrap().unwrap();
        for number in 0..30 {
            put(&writer, &number.to_string());
        }
        let name = with_suffix(&home.file().unwrap(), "-wal");
        let log = || fs::metadata(&name).unwrap().len();
        assert!(log() > LONG);
        checkpoints.note();
        let end = Instant::now() + Duration::from_secs(60);
        while log() > 0 {
            assert!(Instant::now() < end, "it has {} bytes still", log());
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_thread_does_not_hold_up_whoever_ends() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::File(dir.path().join("t.db"));
        let writer = home.open_writer(None).unwrap();
        let checkpoints = Checkpoints::start(&home).unwrap().unwrap();
        put(&writer, "a");
        checkpoints.note();
        drop(checkpoints);
        drop(writer);
        assert!(!dir.path().join("t.db-wal").exists(), "nobody else has it open");
        assert!(Checkpoints::start(&Home::Memory).unwrap().is_none());
    }
}
