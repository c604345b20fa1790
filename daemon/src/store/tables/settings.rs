//! Tables `settings` and `environment`: how the jobs of a workflow run.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use torc_protocol::id::WorkflowId;
use torc_protocol::spec::{Environment, JobSettings};

use crate::store::tables::{from_json, to_json};

/// Stores the settings of a workflow.
///
/// # Errors
///
/// When SQLite fails.
pub fn insert(
    connection: &Connection,
    workflow: WorkflowId,
    settings: &[JobSettings],
) -> rusqlite::Result<()> {
    for (number, one) in settings.iter().enumerate() {
        insert_one(connection, workflow, number, one)?;
    }
    Ok(())
}

/// Stores settings of a workflow under a number of its own.
///
/// # Errors
///
/// When SQLite fails.
pub fn insert_one(
    connection: &Connection,
    workflow: WorkflowId,
    number: usize,
    settings: &JobSettings,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO settings (workflow_id, number, requirements, cpus, memory, gpus, labels,
                 details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            workflow.0,
            number,
            settings.requirements,
            settings.cpus,
            settings.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
            settings.gpus,
            to_json(&settings.labels)?,
            to_json(settings)?,
        ])?;
    Ok(())
}

/// Returns the settings of a workflow, in order.
///
/// # Errors
///
/// When SQLite fails, or a row is not what [`insert`] wrote.
pub fn list(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<Vec<JobSettings>> {
    connection
        .prepare_cached("SELECT details FROM settings WHERE workflow_id = ?1 ORDER BY number")?
        .query_map([workflow.0], |row| from_json(row, "details"))?
        .collect()
}

/// Stores the environment of a workflow.
///
/// # Errors
///
/// When SQLite fails.
pub fn insert_environment(
    connection: &Connection,
    workflow: WorkflowId,
    environment: &Environment,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO environment (workflow_id, entries) VALUES (?1, ?2)",
        )?
        .execute(params![workflow.0, &environment.0[..]])?;
    Ok(())
}

/// Returns the environment of a workflow; none when it has ended.
///
/// # Errors
///
/// When SQLite fails.
pub fn environment(
    connection: &Connection,
    workflow: WorkflowId,
) -> rusqlite::Result<Option<Environment>> {
    connection
        .prepare_cached("SELECT entries FROM environment WHERE workflow_id = ?1")?
        .query_row([workflow.0], |row| Ok(Environment(Bytes::from(row.get::<_, Vec<u8>>(0)?))))
        .optional()
}

/// Forgets the environment of a workflow that has ended.
///
/// # Errors
///
/// When SQLite fails.
pub fn delete_environment(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM environment WHERE workflow_id = ?1")?
        .execute([workflow.0])?;
    Ok(())
}
