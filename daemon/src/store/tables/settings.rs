//! Tables `settings` and `environment`: how the jobs of a workflow run.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde_json::Value;
use torc_protocol::id::WorkflowId;
use torc_protocol::spec::{Environment, JobSettings, StdioMode};
use torc_protocol::time::Span;

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
    let mut statement = connection.prepare_cached(
        "INSERT INTO settings (workflow_id, number, stdio, retries, retry_delay_us, timeout_us,
             cpus, grace_us, environment, working_dir)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for (number, one) in settings.iter().enumerate() {
        let environment =
            one.environment.iter().map(|(name, value)| Value::from(vec![&**name, &**value]));
        statement.execute(params![
            workflow.0,
            number,
            stdio_word(one.stdio),
            one.retries,
            one.retry_delay.0,
            one.timeout.map(|timeout| timeout.0),
            one.cpus,
            one.grace.0,
            Value::from_iter(environment).to_string(),
            one.working_dir,
        ])?;
    }
    Ok(())
}

/// Returns the settings of a workflow, in order.
///
/// # Errors
///
/// When SQLite fails, or a row is not what [`insert`] wrote.
pub fn list(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<Vec<JobSettings>> {
    connection
        .prepare_cached("SELECT * FROM settings WHERE workflow_id = ?1 ORDER BY number")?
        .query_map([workflow.0], from_row)?
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
        .prepare_cached("INSERT INTO environment (workflow_id, entries) VALUES (?1, ?2)")?
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

fn from_row(row: &Row<'_>) -> rusqlite::Result<JobSettings> {
    let environment: String = row.get("environment")?;
    let environment: Vec<(String, String)> =
        serde_json::from_str(&environment).map_err(|error| invalid(Box::new(error)))?;
    let word: String = row.get("stdio")?;
    let stdio = STDIO_WORDS
        .iter()
        .find(|(_, known)| *known == word)
        .map(|(mode, _)| *mode)
        .ok_or_else(|| invalid(format!("unknown stdio mode '{word}'").into()))?;
    Ok(JobSettings {
        stdio,
        retries: row.get("retries")?,
        retry_delay: Span(row.get("retry_delay_us")?),
        timeout: row.get::<_, Option<u64>>("timeout_us")?.map(Span),
        cpus: row.get("cpus")?,
        grace: Span(row.get("grace_us")?),
        environment,
        working_dir: row.get("working_dir")?,
    })
}

const STDIO_WORDS: &[(StdioMode, &str)] = &[
    (StdioMode::Capture, "capture"),
    (StdioMode::Separate, "separate"),
    (StdioMode::Combined, "combined"),
    (StdioMode::NoStdout, "no-stdout"),
    (StdioMode::NoStderr, "no-stderr"),
    (StdioMode::None, "none"),
];

fn stdio_word(mode: StdioMode) -> &'static str {
    STDIO_WORDS.iter().find(|(known, _)| *known == mode).map_or("capture", |(_, word)| word)
}

fn invalid(error: Box<dyn std::error::Error + Send + Sync>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
}
