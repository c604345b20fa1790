//! Tables `user_data` and `job_user_data`: values that jobs read and write.

use rusqlite::{Connection, params};
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::spec::UserDataSpec;

/// The number of a value in the database.
pub type UserDataKey = i64;

/// Stores a value of a workflow.
///
/// # Errors
///
/// When SQLite fails; a constraint when the workflow has a value of that name.
pub fn insert(
    connection: &Connection,
    workflow: WorkflowId,
    value: &UserDataSpec,
) -> rusqlite::Result<UserDataKey> {
    connection
        .prepare_cached(
            "INSERT INTO user_data (workflow_id, name, data, is_ephemeral)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![workflow.0, value.name, value.data, value.is_ephemeral])?;
    Ok(connection.last_insert_rowid())
}

/// Forgets the values of a workflow that belong to one run only, which has ended.
///
/// # Errors
///
/// When SQLite fails.
pub fn forget_ephemeral(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE user_data SET data = NULL WHERE workflow_id = ?1 AND is_ephemeral")?
        .execute([workflow.0])?;
    Ok(())
}

/// Stores that a job reads or writes a value.
///
/// # Errors
///
/// When SQLite fails.
pub fn add_use(
    connection: &Connection,
    job: JobId,
    value: UserDataKey,
    is_output: bool,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO job_user_data (job_id, user_data_id, is_output)
             VALUES (?1, ?2, ?3)",
        )?
        .execute(params![job.0, value, is_output])?;
    Ok(())
}
