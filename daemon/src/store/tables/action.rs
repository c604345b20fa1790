//! Table `action`: what is done at certain points in the life of a workflow.
//!
//! An action is a row of table `job` as well, so that its attempts and its output are kept as those of
//! jobs are.

use rusqlite::{Connection, params};
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::spec::Trigger;
use torc_protocol::status::JobStatus;

use crate::store::tables::{from_json, to_json};

/// An action of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its number among the jobs.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// When it is done.
    pub trigger: Trigger,
    /// The jobs that the trigger is about, by their place.
    pub jobs: Vec<u32>,
    /// It is done again in each run.
    pub persistent: bool,
    /// It was done, or at least begun, in this run or an earlier one.
    pub fired: bool,
    /// How many attempts it has had.
    pub attempts: u32,
}

/// Stores an action that has not been done, with its command line and which of the settings it has.
/// Its number is filled in.
///
/// # Errors
///
/// When SQLite fails.
pub fn insert(
    connection: &Connection,
    workflow: WorkflowId,
    action: &mut Action,
    command: &str,
    settings: u32,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO job (workflow_id, name, command, priority, settings, status, is_action)
             VALUES (?1, ?2, ?3, 0, ?4, ?5, 1)",
        )?
        .execute(params![
            workflow.0,
            action.name,
            command,
            settings,
            JobStatus::Blocked.as_str()
        ])?;
    action.id = JobId(connection.last_insert_rowid() as u64);
    connection
        .prepare_cached(
            "INSERT INTO action (job_id, trigger, jobs, persistent) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            action.id.0,
            to_json(&action.trigger)?,
            to_json(&action.jobs)?,
            action.persistent
        ])?;
    Ok(())
}

/// Stores that an action is being done, or that it is still to be done.
///
/// # Errors
///
/// When SQLite fails.
pub fn set_fired(connection: &Connection, id: JobId, fired: bool) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE action SET fired = ?2 WHERE job_id = ?1")?
        .execute(params![id.0, fired])?;
    Ok(())
}

/// Stores that the actions of a workflow that were never done will not be.
///
/// # Errors
///
/// When SQLite fails.
pub fn cancel_waiting(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET status = 'canceled'
             WHERE workflow_id = ?1 AND is_action = 1 AND status IN ('blocked', 'ready')",
        )?
        .execute([workflow.0])?;
    Ok(())
}

/// Stores that nobody saw the end of the actions of a workflow that were being done. Those that were
/// only assigned are still to come.
///
/// # Errors
///
/// When SQLite fails.
pub fn lose(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE action SET fired = 0 WHERE job_id IN
                 (SELECT id FROM job
                  WHERE workflow_id = ?1 AND is_action = 1 AND status = 'pending')",
        )?
        .execute([workflow.0])?;
    connection
        .prepare_cached(
            "UPDATE job SET status = iif(status = 'running', 'failed', 'blocked')
             WHERE workflow_id = ?1 AND is_action = 1 AND status IN ('pending', 'running')",
        )?
        .execute([workflow.0])?;
    Ok(())
}

/// Stores that the workflow is run again: the actions that are done in each run have not been done.
///
/// # Errors
///
/// When SQLite fails.
pub fn rearm(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE action SET fired = 0
             WHERE persistent AND job_id IN
                 (SELECT id FROM job WHERE workflow_id = ?1 AND is_action = 1)",
        )?
        .execute([workflow.0])?;
    connection
        .prepare_cached(
            "UPDATE job SET status = 'blocked'
             WHERE workflow_id = ?1 AND is_action = 1
                 AND id IN (SELECT job_id FROM action WHERE NOT fired)",
        )?
        .execute([workflow.0])?;
    Ok(())
}

/// Returns the actions of a workflow in their order.
///
/// # Errors
///
/// When SQLite fails.
pub fn list(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<Vec<Action>> {
    connection
        .prepare_cached(
            "SELECT job.id, job.name, job.attempts, action.trigger, action.jobs,
                 action.persistent, action.fired
             FROM job JOIN action ON action.job_id = job.id
             WHERE job.workflow_id = ?1 AND job.is_action = 1 ORDER BY job.id",
        )?
        .query_map([workflow.0], |row| {
            Ok(Action {
                id: JobId(row.get("id")?),
                name: row.get("name")?,
                trigger: from_json(row, "trigger")?,
                jobs: from_json(row, "jobs")?,
                persistent: row.get("persistent")?,
                fired: row.get("fired")?,
                attempts: row.get("attempts")?,
            })
        })?
        .collect()
}
