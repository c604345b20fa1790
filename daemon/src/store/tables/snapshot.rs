//! Table `snapshot`.

use rusqlite::{Connection, OptionalExtension, params};
use torc_protocol::id::Generation;
use torc_protocol::time::Timestamp;
use torc_protocol::view::{SnapshotFailure, SnapshotView};

/// So many snapshots stay on record: more than a week of one every quarter of an hour, and 16 hours of
/// one a minute. What goes on from an older one is taken for a database that has gone its own way, which
/// is never replaced.
const KEPT: u64 = 1_000;

/// Who takes a snapshot.
#[derive(Clone, Debug)]
pub struct Author {
    /// Names the database for life.
    pub instance: String,
    /// The host.
    pub host: String,
    /// Which boot of it.
    pub boot_id: String,
    /// The daemon's process there.
    pub pid: u32,
}

/// Stores that a snapshot begins, and returns its number. The oldest on record are forgotten.
///
/// # Errors
///
/// When SQLite fails.
pub fn begin(
    connection: &Connection,
    author: &Author,
    changes: u64,
    path: &str,
    at: Timestamp,
) -> rusqlite::Result<Generation> {
    connection
        .prepare_cached(
            "INSERT INTO snapshot (instance, host, boot_id, pid, changes, started_at, path)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            author.instance,
            author.host,
            author.boot_id,
            author.pid,
            changes,
            at.0,
            path,
        ])?;
    let generation = connection.last_insert_rowid() as u64;
    connection
        .prepare_cached("DELETE FROM snapshot WHERE generation <= ?1")?
        .execute([generation.saturating_sub(KEPT)])?;
    Ok(Generation(generation))
}

/// Stores what became of a snapshot.
///
/// # Errors
///
/// When SQLite fails.
pub fn finish(
    connection: &Connection,
    generation: Generation,
    outcome: &Result<SnapshotView, SnapshotFailure>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let (bytes, sha256, error) = match outcome {
        Ok(view) => (Some(view.bytes), Some(&view.sha256), None),
        Err(failure) => (None, None, Some(&failure.reason)),
    };
    connection
        .prepare_cached(
            "UPDATE snapshot SET finished_at = ?2, bytes = ?3, sha256 = ?4, error = ?5
             WHERE generation = ?1",
        )?
        .execute(params![generation.0, at.0, bytes, sha256, error])?;
    Ok(())
}

/// Returns the number of the last snapshot that was begun; 0 when none was.
///
/// # Errors
///
/// When SQLite fails.
pub fn last_generation(connection: &Connection) -> rusqlite::Result<Generation> {
    let last = connection
        .prepare_cached("SELECT max(generation) FROM snapshot")?
        .query_row([], |row| row.get::<_, Option<u64>>(0))
        .optional()?
        .flatten();
    Ok(Generation(last.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use torc_protocol::view::SnapshotPhase;

    use super::*;
    use crate::store::home::Home;

    #[test]
    fn snapshots_are_numbered_for_life() {
        let connection = Home::Memory.open_writer(None).unwrap();
        let word = || "x".to_owned();
        let author = Author { instance: word(), host: word(), boot_id: word(), pid: 1 };
        assert_eq!(last_generation(&connection).unwrap(), Generation(0));
        let begin = || super::begin(&connection, &author, 3, "/s", Timestamp(1)).unwrap();
        assert_eq!((begin(), begin()), (Generation(1), Generation(2)));
        let failure = SnapshotFailure {
            path: word(),
            phase: SnapshotPhase::Write,
            errno: Some(28),
            reason: "no room".to_owned(),
            kept: None,
        };
        finish(&connection, Generation(2), &Err(failure), Timestamp(2)).unwrap();
        let error: String = connection
            .query_row("SELECT error FROM snapshot WHERE generation = 2", [], |row| row.get(0))
            .unwrap();
        assert_eq!(error, "no room");
        connection.execute_batch("DELETE FROM snapshot").unwrap();
        assert_eq!(begin(), Generation(3));
    }

    #[test]
    fn the_last_snapshots_stay_on_record_and_no_others() {
        let connection = Home::Memory.open_writer(None).unwrap();
        let word = || "x".to_owned();
        let author = Author { instance: word(), host: word(), boot_id: word(), pid: 1 };
        for number in 1..=KEPT + 5 {
            let begun = begin(&connection, &author, number, "/s", Timestamp(1)).unwrap();
            assert_eq!(begun, Generation(number));
        }
        let sql = "SELECT count(*), min(generation), max(generation) FROM snapshot";
        let found: (u64, u64, u64) = connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap();
        assert_eq!(found, (KEPT, 6, KEPT + 5));
    }
}
