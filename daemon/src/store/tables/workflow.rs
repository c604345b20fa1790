//! Table `workflow`.

use rusqlite::{Connection, OptionalExtension, Row, params};
use torc_protocol::id::WorkflowId;
use torc_protocol::request::WorkflowSelector;
use torc_protocol::spec::WorkflowSpec;
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobCounts, WorkflowView};

use crate::store::tables::{key, status};

/// The status of a workflow whose submission has not ended.
const SUBMITTING: &str = "submitting";

/// Stores a workflow that nobody sees before [`publish`].
///
/// # Errors
///
/// When SQLite fails.
pub fn insert_draft(
    connection: &Connection,
    spec: &WorkflowSpec,
    at: Timestamp,
) -> rusqlite::Result<WorkflowId> {
    connection
        .prepare_cached(
            "INSERT INTO workflow (name, description, status, working_dir, output_dir,
                 max_parallel_jobs, submitted_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            spec.name,
            spec.description,
            SUBMITTING,
            spec.context.working_dir,
            spec.context.output_dir,
            spec.max_parallel_jobs,
            at.0,
        ])?;
    Ok(WorkflowId(connection.last_insert_rowid() as u64))
}

/// Makes a workflow visible.
///
/// # Errors
///
/// When SQLite fails.
pub fn publish(connection: &Connection, id: WorkflowId, at: Timestamp) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE workflow SET status = ?2, submitted_at = ?3 WHERE id = ?1")?
        .execute(params![id.0, WorkflowStatus::Running.as_str(), at.0])?;
    Ok(())
}

/// Removes a workflow with its jobs.
///
/// # Errors
///
/// When SQLite fails.
pub fn delete(connection: &Connection, id: WorkflowId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM workflow WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// Removes the workflows whose submission never ended.
///
/// # Errors
///
/// When SQLite fails.
pub fn delete_drafts(connection: &Connection) -> rusqlite::Result<usize> {
    connection.prepare_cached("DELETE FROM workflow WHERE status = ?1")?.execute([SUBMITTING])
}

/// Stores how the jobs of a workflow stand.
///
/// # Errors
///
/// When SQLite fails.
pub fn set_counts(
    connection: &Connection,
    id: WorkflowId,
    counts: &JobCounts,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow SET total = ?2, blocked = ?3, ready = ?4, pending = ?5, running = ?6,
                 completed = ?7, failed = ?8, canceled = ?9, terminated = ?10, disabled = ?11
             WHERE id = ?1",
        )?
        .execute(params![
            id.0,
            counts.total,
            counts.blocked,
            counts.ready,
            counts.pending,
            counts.running,
            counts.completed,
            counts.failed,
            counts.canceled,
            counts.terminated,
            counts.disabled,
        ])?;
    Ok(())
}

/// Stores that a workflow has ended.
///
/// # Errors
///
/// When SQLite fails.
pub fn finish(
    connection: &Connection,
    id: WorkflowId,
    status: WorkflowStatus,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE workflow SET status = ?2, finished_at = ?3 WHERE id = ?1")?
        .execute(params![id.0, status.as_str(), at.0])?;
    Ok(())
}

/// Returns the workflow that `selector` names.
///
/// # Errors
///
/// When SQLite fails.
pub fn find(
    connection: &Connection,
    selector: &WorkflowSelector,
) -> rusqlite::Result<Option<WorkflowView>> {
    const LATEST: &str = "SELECT * FROM workflow WHERE status <> 'submitting'
         ORDER BY id DESC LIMIT 1";
    const BY_ID: &str = "SELECT * FROM workflow WHERE id = ?1 AND status <> 'submitting'";
    const BY_NAME: &str = "SELECT * FROM workflow WHERE name = ?1 AND status <> 'submitting'
         ORDER BY id DESC LIMIT 1";
    match selector {
        WorkflowSelector::Latest => {
            connection.prepare_cached(LATEST)?.query_row([], view).optional()
        }
        WorkflowSelector::Id(id) => {
            connection.prepare_cached(BY_ID)?.query_row([key(id.0)], view).optional()
        }
        WorkflowSelector::Name(name) => {
            connection.prepare_cached(BY_NAME)?.query_row([name], view).optional()
        }
    }
}

/// Returns the workflows that have not ended, oldest first, each with its limit.
///
/// # Errors
///
/// When SQLite fails.
pub fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<(WorkflowView, Option<u32>)>> {
    connection
        .prepare_cached("SELECT * FROM workflow WHERE status = ?1 ORDER BY id")?
        .query_map([WorkflowStatus::Running.as_str()], |row| {
            Ok((view(row)?, row.get("max_parallel_jobs")?))
        })?
        .collect()
}

/// Returns a row as a view.
pub(in crate::store) fn view(row: &Row<'_>) -> rusqlite::Result<WorkflowView> {
    Ok(WorkflowView {
        id: WorkflowId(row.get("id")?),
        name: row.get("name")?,
        description: row.get("description")?,
        status: status(row, "status")?,
        jobs: JobCounts {
            total: row.get("total")?,
            blocked: row.get("blocked")?,
            ready: row.get("ready")?,
            pending: row.get("pending")?,
            running: row.get("running")?,
            completed: row.get("completed")?,
            failed: row.get("failed")?,
            canceled: row.get("canceled")?,
            terminated: row.get("terminated")?,
            disabled: row.get("disabled")?,
        },
        submitted_at: Timestamp(row.get("submitted_at")?),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
        working_dir: row.get("working_dir")?,
        output_dir: row.get("output_dir")?,
    })
}
