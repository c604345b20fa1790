//! Table `workflow`.

use rusqlite::{Connection, OptionalExtension, Row, params};
use torc_protocol::id::WorkflowId;
use torc_protocol::request::WorkflowSelector;
use torc_protocol::spec::{RunOptions, WorkflowSpec};
use torc_protocol::status::WorkflowStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobCounts, WorkflowView};

use crate::store::tables::{from_json, key, status, to_json};

/// The status of a workflow that nobody sees: its submission, or its removal, has not ended.
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
            "INSERT INTO workflow (name, description, status, working_dir, output_dir, metadata,
                 options, submitted_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            spec.name,
            spec.description,
            SUBMITTING,
            spec.context.working_dir,
            spec.context.output_dir,
            spec.metadata,
            to_json(&spec.options)?,
            at.0,
        ])?;
    Ok(WorkflowId(connection.last_insert_rowid() as u64))
}

/// Makes a workflow visible, under the key that its submission was given.
///
/// # Errors
///
/// When SQLite fails, or another workflow has the key.
pub fn publish(
    connection: &Connection,
    id: WorkflowId,
    key: Option<&str>,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow SET status = ?2, key = ?3, submitted_at = ?4 WHERE id = ?1",
        )?
        .execute(params![id.0, WorkflowStatus::Running.as_str(), key, at.0])?;
    Ok(())
}

/// Returns the workflow that was submitted with this key.
///
/// # Errors
///
/// When SQLite fails.
pub fn by_key(connection: &Connection, key: &str) -> rusqlite::Result<Option<WorkflowView>> {
    connection
        .prepare_cached("SELECT * FROM workflow WHERE key = ?1")?
        .query_row([key], view)
        .optional()
}

/// Stores that a workflow that had ended is run again, and how.
///
/// # Errors
///
/// When SQLite fails.
pub fn reopen(
    connection: &Connection,
    id: WorkflowId,
    options: &RunOptions,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE workflow SET status = ?2, options = ?3, finished_at = NULL WHERE id = ?1",
        )?
        .execute(params![id.0, WorkflowStatus::Running.as_str(), to_json(options)?])?;
    Ok(())
}

/// Hides a workflow that is to be removed; its key can be used again.
///
/// # Errors
///
/// When SQLite fails.
pub fn hide(connection: &Connection, id: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE workflow SET status = ?2, key = NULL WHERE id = ?1")?
        .execute(params![id.0, SUBMITTING])?;
    Ok(())
}

/// Removes some of what belongs to a workflow, at most `limit` rows of a table and what goes with
/// them, and at last the workflow. Returns whether it is gone.
///
/// # Errors
///
/// When SQLite fails.
pub fn delete_some(
    connection: &Connection,
    id: WorkflowId,
    limit: usize,
) -> rusqlite::Result<bool> {
    for table in ["job", "file", "user_data"] {
        let sql = format!(
            "DELETE FROM {table} WHERE id IN
                 (SELECT id FROM {table} WHERE workflow_id = ?1 LIMIT ?2)"
        );
        if connection.prepare_cached(&sql)?.execute(params![id.0, limit])? == limit {
            return Ok(false);
        }
    }
    connection.prepare_cached("DELETE FROM workflow WHERE id = ?1")?.execute([id.0])?;
    Ok(true)
}

/// Returns the workflows that nobody sees: whose submission, or whose removal, never ended.
///
/// # Errors
///
/// When SQLite fails.
pub fn hidden(connection: &Connection) -> rusqlite::Result<Vec<WorkflowId>> {
    connection
        .prepare_cached("SELECT id FROM workflow WHERE status = ?1")?
        .query_map([SUBMITTING], |row| Ok(WorkflowId(row.get(0)?)))?
        .collect()
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

/// Stores how the jobs of a workflow stand by counting them.
///
/// # Errors
///
/// When SQLite fails.
pub fn count_again(connection: &Connection, id: WorkflowId) -> rusqlite::Result<()> {
    let mut counts = JobCounts::default();
    let mut statement = connection.prepare_cached(
        "SELECT status, count(*) AS jobs FROM job
         WHERE workflow_id = ?1 AND is_action = 0 GROUP BY status",
    )?;
    let mut rows = statement.query([id.0])?;
    while let Some(row) = rows.next()? {
        let jobs: u64 = row.get("jobs")?;
        *counts.of(status(row, "status")?) = jobs;
        counts.total += jobs;
    }
    set_counts(connection, id, &counts)
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

/// Returns the workflows that have not ended, oldest first, each with how it is run.
///
/// # Errors
///
/// When SQLite fails.
pub fn unfinished(connection: &Connection) -> rusqlite::Result<Vec<(WorkflowView, RunOptions)>> {
    connection
        .prepare_cached("SELECT * FROM workflow WHERE status = ?1 ORDER BY id")?
        .query_map([WorkflowStatus::Running.as_str()], |row| {
            Ok((view(row)?, from_json(row, "options")?))
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
        metadata: row.get("metadata")?,
    })
}
