//! Table `output`.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use torc_protocol::id::AttemptId;
use torc_protocol::result::{LogPart, Output, StreamKind};

/// Stores what a stream gave; nothing when it gave nothing.
///
/// # Errors
///
/// When SQLite fails.
pub fn put(
    connection: &Connection,
    id: AttemptId,
    stream: StreamKind,
    output: &Output,
) -> rusqlite::Result<()> {
    let (bytes, data, path, error) = match output {
        Output::None => return Ok(()),
        Output::Inline(data) => (data.len() as u64, Some(&data[..]), None, None),
        Output::File { path, bytes, error } => (*bytes, None, Some(path), error.as_deref()),
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO output (job_id, attempt, stream, bytes, data, path, error)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![id.job.0, id.number.0, stream.as_str(), bytes, data, path, error])?;
    Ok(())
}

/// Returns at most `limit` bytes of a stream from `offset` on, or its file, and how long it is.
///
/// # Errors
///
/// When SQLite fails.
pub fn part(
    connection: &Connection,
    id: AttemptId,
    stream: StreamKind,
    offset: u64,
    limit: u32,
) -> rusqlite::Result<(LogPart, u64)> {
    // Far beyond what is ever kept here, and SQLite can reckon with it.
    let offset = offset.min(u64::from(u32::MAX));
    let found = connection
        .prepare_cached(
            "SELECT bytes, path, substr(data, ?4 + 1, ?5) FROM output
             WHERE job_id = ?1 AND attempt = ?2 AND stream = ?3",
        )?
        .query_row(params![id.job.0, id.number.0, stream.as_str(), offset, limit], |row| {
            let bytes: u64 = row.get(0)?;
            let path: Option<String> = row.get(1)?;
            let data: Option<Vec<u8>> = row.get(2)?;
            Ok(match path {
                Some(path) => (LogPart::File { path, bytes }, bytes),
                None => (LogPart::Bytes(Bytes::from(data.unwrap_or_default())), bytes),
            })
        })
        .optional()?;
    Ok(found.unwrap_or((LogPart::Bytes(Bytes::new()), 0)))
}
