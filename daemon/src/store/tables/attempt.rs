//! Table `attempt`.

use rusqlite::{Connection, params};
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::result::AttemptResult;
use torc_protocol::status::JobStatus;
use torc_protocol::time::Timestamp;

/// An attempt that has a process.
#[derive(Clone, Copy, Debug)]
pub struct Running<'a> {
    /// The host that it runs on.
    pub node: &'a str,
    /// Its process there, where it is known.
    pub pid: Option<u32>,
    /// Since when.
    pub started_at: Timestamp,
}

/// Stores that an attempt is running.
///
/// # Errors
///
/// When SQLite fails.
pub fn put_running(
    connection: &Connection,
    id: AttemptId,
    running: Running<'_>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempt (job_id, number, status, node, pid, started_at)
             VALUES (?1, ?2, 'running', ?3, ?4, ?5)",
        )?
        .execute(
            params![id.job.0, id.number.0, running.node, running.pid, running.started_at.0,],
        )?;
    Ok(())
}

/// Stores what an attempt gave.
///
/// # Errors
///
/// When SQLite fails.
pub fn put_result(
    connection: &Connection,
    id: AttemptId,
    node: &str,
    pid: Option<u32>,
    result: &AttemptResult,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempt (job_id, number, status, node, pid, started_at,
                 finished_at, return_code, reason, wall_us, user_us, system_us, peak_memory,
                 recovery_code)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            id.job.0,
            id.number.0,
            result.status().as_str(),
            node,
            pid,
            result.started_at.0,
            result.finished_at.0,
            result.return_code(),
            result.reason(),
            result.usage.wall.0,
            result.usage.user_cpu.0,
            result.usage.system_cpu.0,
            result.usage.peak_memory,
            result.recovery_code,
        ])?;
    Ok(())
}

/// Stores that nobody saw the end of the attempts of a workflow that are still marked running.
///
/// # Errors
///
/// When SQLite fails.
pub fn mark_lost(
    connection: &Connection,
    workflow: WorkflowId,
    reason: &str,
    at: Timestamp,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "UPDATE attempt SET status = ?2, return_code = -1, reason = ?3, finished_at = ?4
             WHERE status = 'running'
                 AND job_id IN (SELECT id FROM job WHERE workflow_id = ?1)",
        )?
        .execute(params![workflow.0, JobStatus::Failed.as_str(), format!("lost: {reason}"), at.0])
}

/// Returns the state of an attempt; none when it has not started.
///
/// # Errors
///
/// When SQLite fails.
pub fn status(connection: &Connection, id: AttemptId) -> rusqlite::Result<Option<JobStatus>> {
    use rusqlite::OptionalExtension;
    connection
        .prepare_cached("SELECT status FROM attempt WHERE job_id = ?1 AND number = ?2")?
        .query_row(params![id.job.0, id.number.0], |row| super::status(row, "status"))
        .optional()
}

/// Returns the last attempt of a job that is on record.
///
/// # Errors
///
/// When SQLite fails.
pub fn last(connection: &Connection, job: JobId) -> rusqlite::Result<Option<AttemptNumber>> {
    connection
        .prepare_cached("SELECT max(number) FROM attempt WHERE job_id = ?1")?
        .query_row([job.0], |row| Ok(row.get::<_, Option<u32>>(0)?.map(AttemptNumber)))
}
