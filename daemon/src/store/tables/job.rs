//! Table `job`.

use std::fmt;

use rusqlite::{Connection, OptionalExtension, Row, params};
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::spec::{Command, JobSpec};
use torc_protocol::status::JobStatus;
use torc_protocol::view::JobView;

use crate::store::tables::{from_json, from_json_or_default, key, status, to_json};

/// What restarting needs to know of a job.
#[derive(Clone, Debug)]
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
    /// How many of them do not count in the present run.
    pub first: u32,
    /// The jobs that it waits for.
    pub depends_on: Vec<JobId>,
}

/// What a worker needs to know of a job. Its `Debug` hides the environment, which may be secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub command: Command,
    /// Its own environment.
    pub environment: Vec<(String, String)>,
    /// What runs its command.
    pub invocation_script: Option<String>,
    /// The code of the attempt before.
    pub return_code: Option<i32>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Stores a job that is ready, or that waits for these others.
///
/// # Errors
///
/// When SQLite fails; a constraint when the workflow has a job of that name.
pub fn insert(
    connection: &Connection,
    workflow: WorkflowId,
    job: &JobSpec,
    depends_on: &[JobId],
) -> rusqlite::Result<JobId> {
    let (command, argv) = columns(&job.command);
    let waits = !job.depends_on.is_empty();
    let environment = (!job.environment.is_empty()).then(|| to_json(&job.environment));
    connection
        .prepare_cached(
            "INSERT INTO job (workflow_id, name, command, argv, priority, settings, status,
                 depends_on, environment, invocation_script)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            workflow.0,
            job.name,
            command,
            argv,
            job.priority,
            job.settings,
            if waits { JobStatus::Blocked } else { JobStatus::Ready }.as_str(),
            waits.then(|| to_json(depends_on)).transpose()?,
            environment.transpose()?,
            job.invocation_script,
        ])?;
    Ok(JobId(connection.last_insert_rowid() as u64))
}

/// Stores the jobs that a job waits for.
///
/// # Errors
///
/// When SQLite fails.
pub fn set_depends_on(
    connection: &Connection,
    id: JobId,
    depends_on: &[JobId],
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE job SET depends_on = ?2 WHERE id = ?1")?
        .execute(params![id.0, to_json(depends_on)?])?;
    Ok(())
}

/// Stores what a job runs from now on.
///
/// # Errors
///
/// When SQLite fails.
pub fn set_command(connection: &Connection, id: JobId, command: &Command) -> rusqlite::Result<()> {
    let (command, argv) = columns(command);
    connection
        .prepare_cached("UPDATE job SET command = ?2, argv = ?3 WHERE id = ?1")?
        .execute(params![id.0, command, argv])?;
    Ok(())
}

/// Stores that a job begins anew: the attempts that it has had count no more.
///
/// # Errors
///
/// When SQLite fails.
pub fn reset(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE job SET status = ?2, first = attempts WHERE id = ?1")?
        .execute(params![id.0, JobStatus::Blocked.as_str()])?;
    Ok(())
}

/// Stores that one of the attempts of a job does not count among the tries of its present run.
///
/// # Errors
///
/// When SQLite fails.
pub fn discount_attempt(connection: &Connection, id: JobId) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE job SET first = first + 1 WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// Returns a command as it is shown, and as a JSON array when it is not a line.
fn columns(command: &Command) -> (String, Option<String>) {
    match command {
        Command::Line(line) => (line.clone(), None),
        Command::Argv(argv) => {
            (quoted(argv), Some(serde_json::Value::from(argv.clone()).to_string()))
        }
    }
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

/// Stores that every job of a workflow that was ready, blocked or disabled is canceled; actions aside.
///
/// # Errors
///
/// When SQLite fails.
pub fn cancel_waiting(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET status = 'canceled'
             WHERE workflow_id = ?1 AND status IN ('ready', 'blocked', 'disabled') AND is_action = 0",
        )?
        .execute([workflow.0])?;
    Ok(())
}

/// Returns what a worker needs to know of a job.
///
/// # Errors
///
/// When SQLite fails, or there is no such job.
pub fn task(connection: &Connection, id: JobId) -> rusqlite::Result<Task> {
    connection
        .prepare_cached(
            "SELECT name, command, argv, environment, invocation_script, return_code
             FROM job WHERE id = ?1",
        )?
        .query_row([id.0], |row| {
            let argv = row.get_ref("argv")?.as_str_or_null()?.is_some();
            Ok(Task {
                name: row.get("name")?,
                command: if argv {
                    Command::Argv(from_json(row, "argv")?)
                } else {
                    Command::Line(row.get("command")?)
                },
                environment: from_json_or_default(row, "environment")?,
                invocation_script: row.get("invocation_script")?,
                return_code: row.get("return_code")?,
            })
        })
}

/// What is read for a view, before any condition.
pub(in crate::store) const VIEW: &str = "
    SELECT job.*, settings.cpus, settings.memory, settings.gpus, settings.labels
    FROM job LEFT JOIN settings ON settings.workflow_id = job.workflow_id
        AND settings.number = job.settings";

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
        .prepare_cached(&format!("{VIEW} WHERE job.workflow_id = ?1 AND job.name = ?2"))?
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
        .prepare_cached(&format!(
            "{VIEW} JOIN workflow ON workflow.id = job.workflow_id
             WHERE job.id = ?1 AND workflow.status <> 'submitting'"
        ))?
        .query_row([key(id.0)], view)
        .optional()
}

/// Returns the names of the jobs that a job waits for.
///
/// # Errors
///
/// When SQLite fails.
pub fn depends_on(connection: &Connection, id: JobId) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare_cached(
            "SELECT other.name FROM job, json_each(job.depends_on) AS edge
             JOIN job AS other ON other.id = edge.value
             WHERE job.id = ?1 ORDER BY other.id",
        )?
        .query_map([key(id.0)], |row| row.get(0))?
        .collect()
}

/// Returns the name and state of the first job that a job waited for and that did not complete.
///
/// # Errors
///
/// When SQLite fails.
pub fn first_failed_dependency(
    connection: &Connection,
    id: JobId,
) -> rusqlite::Result<Option<(String, JobStatus)>> {
    connection
        .prepare_cached(
            "SELECT other.name, other.status FROM job, json_each(job.depends_on) AS edge
             JOIN job AS other ON other.id = edge.value
             WHERE job.id = ?1 AND other.status IN ('failed', 'canceled', 'terminated')
             ORDER BY other.id LIMIT 1",
        )?
        .query_row([key(id.0)], |row| Ok((row.get("name")?, status(row, "status")?)))
        .optional()
}

/// Returns all jobs of a workflow, actions aside, in the order of submission.
///
/// # Errors
///
/// When SQLite fails.
pub fn states(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<Vec<JobState>> {
    connection
        .prepare_cached(
            "SELECT id, priority, settings, status, attempts, first, depends_on FROM job
             WHERE workflow_id = ?1 AND is_action = 0 ORDER BY id",
        )?
        .query_map([workflow.0], |row| {
            Ok(JobState {
                id: JobId(row.get("id")?),
                priority: row.get("priority")?,
                settings: row.get("settings")?,
                status: status(row, "status")?,
                attempts: row.get("attempts")?,
                first: row.get("first")?,
                depends_on: from_json_or_default(row, "depends_on")?,
            })
        })?
        .collect()
}

/// Returns a row of [`VIEW`] as a view.
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
        cpus: row.get::<_, Option<u32>>("cpus")?.unwrap_or(1),
        memory: row.get("memory")?,
        gpus: row.get::<_, Option<u32>>("gpus")?.unwrap_or(0),
        labels: from_json_or_default(row, "labels")?,
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
