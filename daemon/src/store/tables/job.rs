//! Table `job`.

use rusqlite::{Connection, OptionalExtension, Row, params};
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::spec::{Command, JobSpec};
use torc_protocol::status::JobStatus;
use torc_protocol::view::JobView;

use crate::store::tables::{key, status};

/// What restarting needs to know of a job.
#[derive(Clone, Copy, Debug)]
pub struct JobState {
    /// Which.
    pub id: JobId,
    /// Its priority.
    pub priority: i32,
    /// Which of the settings of its workflow.
    pub settings: u32,
    /// Its state.
    pub status: JobStatus,
    /// How many attempts it has had.
    pub attempts: u32,
}

/// Stores a job that is ready.
///
/// # Errors
///
/// When SQLite fails; a constraint when the workflow has a job of that name.
pub fn insert(
    connection: &Connection,
    workflow: WorkflowId,
    job: &JobSpec,
) -> rusqlite::Result<JobId> {
    let (command, argv) = match &job.command {
        Command::Line(line) => (line.clone(), None),
        Command::Argv(argv) => {
            (quoted(argv), Some(serde_json::Value::from(argv.clone()).to_string()))
        }
    };
    connection
        .prepare_cached(
            "INSERT INTO job (workflow_id, name, command, argv, priority, settings, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            workflow.0,
            job.name,
            command,
            argv,
            job.priority,
            job.settings,
            JobStatus::Ready.as_str(),
        ])?;
    Ok(JobId(connection.last_insert_rowid() as u64))
}

/// Stores the state of a job; `return_code` none leaves the one there is.
///
/// # Errors
///
/// When SQLite fails.
pub fn set(
    connection: &Connection,
    id: JobId,
    status: JobStatus,
    attempts: u32,
    return_code: Option<i32>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET status = ?2, attempts = ?3, return_code = ifnull(?4, return_code)
             WHERE id = ?1",
        )?
        .execute(params![id.0, status.as_str(), attempts, return_code])?;
    Ok(())
}

/// Stores that every job of a workflow that was ready or blocked is canceled.
///
/// # Errors
///
/// When SQLite fails.
pub fn cancel_waiting(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET status = 'canceled'
             WHERE workflow_id = ?1 AND status IN ('ready', 'blocked')",
        )?
        .execute([workflow.0])?;
    Ok(())
}

/// Removes some of the jobs of a workflow, at most `limit`, and returns how many.
///
/// # Errors
///
/// When SQLite fails.
pub fn delete_some(
    connection: &Connection,
    workflow: WorkflowId,
    limit: usize,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "DELETE FROM job WHERE id IN
                 (SELECT id FROM job WHERE workflow_id = ?1 LIMIT ?2)",
        )?
        .execute(params![workflow.0, limit])
}

/// Returns the name of a job and what it runs.
///
/// # Errors
///
/// When SQLite fails, or there is no such job.
pub fn command(connection: &Connection, id: JobId) -> rusqlite::Result<(String, Command)> {
    connection.prepare_cached("SELECT name, command, argv FROM job WHERE id = ?1")?.query_row(
        [id.0],
        |row| {
            let command = match row.get_ref(2)?.as_str_or_null()? {
                None => Command::Line(row.get(1)?),
                Some(argv) => Command::Argv(serde_json::from_str(argv).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(
                        2,
                        rusqlite::types::Type::Text,
                        Box::new(error),
                    )
                })?),
            };
            Ok((row.get(0)?, command))
        },
    )
}

/// Returns the job of this name in a workflow.
///
/// # Errors
///
/// When SQLite fails.
pub fn by_name(
    connection: &Connection,
    workflow: WorkflowId,
    name: &str,
) -> rusqlite::Result<Option<JobView>> {
    connection
        .prepare_cached("SELECT * FROM job WHERE workflow_id = ?1 AND name = ?2")?
        .query_row(params![workflow.0, name], view)
        .optional()
}

/// Returns the job of this number.
///
/// # Errors
///
/// When SQLite fails.
pub fn by_id(connection: &Connection, id: JobId) -> rusqlite::Result<Option<JobView>> {
    connection
        .prepare_cached(
            "SELECT job.* FROM job JOIN workflow ON workflow.id = job.workflow_id
             WHERE job.id = ?1 AND workflow.status <> 'submitting'",
        )?
        .query_row([key(id.0)], view)
        .optional()
}

/// Returns all jobs of a workflow in the order of submission.
///
/// # Errors
///
/// When SQLite fails.
pub fn states(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<Vec<JobState>> {
    connection
        .prepare_cached(
            "SELECT id, priority, settings, status, attempts FROM job
             WHERE workflow_id = ?1 ORDER BY id",
        )?
        .query_map([workflow.0], |row| {
            Ok(JobState {
                id: JobId(row.get("id")?),
                priority: row.get("priority")?,
                settings: row.get("settings")?,
                status: status(row, "status")?,
                attempts: row.get("attempts")?,
            })
        })?
        .collect()
}

/// Returns a row as a view.
pub(in crate::store) fn view(row: &Row<'_>) -> rusqlite::Result<JobView> {
    Ok(JobView {
        id: JobId(row.get("id")?),
        workflow_id: WorkflowId(row.get("workflow_id")?),
        name: row.get("name")?,
        command: row.get("command")?,
        status: status(row, "status")?,
        priority: row.get("priority")?,
        attempts: row.get("attempts")?,
        return_code: row.get("return_code")?,
    })
}

/// Returns an argument vector as one would type it to a shell.
fn quoted(argv: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&byte))
    };
    let words = argv.iter().map(|word| {
        if plain(word) { word.clone() } else { format!("'{}'", word.replace('\'', r"'\''")) }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn an_argument_vector_is_quoted_where_a_shell_would_need_it() {
        let argv = ["echo", "a b", "", "it's", "x=1"].map(str::to_owned);
        assert_eq!(quoted(&argv), r"echo 'a b' '' 'it'\''s' x=1");
    }
}
