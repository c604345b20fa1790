//! The list of results: what each attempt gave.

use rusqlite::{Connection, Row};
use torc_protocol::id::{AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::ListResults;
use torc_protocol::result::Usage;
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::ResultView;

use crate::store::query::{QueryError, Select, SortField};
use crate::store::tables::status;

pub(super) const SORT: &[SortField] = &[
    ("job_id", "attempt.job_id"),
    ("name", "job.name"),
    ("command", "job.command"),
    ("attempt", "attempt.number"),
    ("status", "attempt.status"),
    ("return_code", "attempt.return_code"),
    ("started_at", "attempt.started_at"),
    ("finished_at", "attempt.finished_at"),
    ("wall", "attempt.wall_us"),
    ("user_cpu", "attempt.user_us"),
    ("system_cpu", "attempt.system_us"),
    ("cpu", "attempt.user_us + attempt.system_us"),
    ("peak_memory", "attempt.peak_memory"),
    ("stdout_bytes", "stdout_bytes"),
    ("stderr_bytes", "stderr_bytes"),
];

const SELECT: &str = "
    SELECT attempt.*, job.workflow_id, job.name, job.command,
        ifnull(out.bytes, 0) AS stdout_bytes, out.path AS stdout_path,
        ifnull(err.bytes, 0) AS stderr_bytes, err.path AS stderr_path
    FROM job
    JOIN attempt ON attempt.job_id = job.id
    LEFT JOIN output AS out ON out.job_id = job.id AND out.attempt = attempt.number
        AND out.stream = 'stdout'
    LEFT JOIN output AS err ON err.job_id = job.id AND err.attempt = attempt.number
        AND err.stream = 'stderr'";

/// Gives each result of a workflow to `each` until that returns false.
///
/// # Errors
///
/// When it is to be sorted by what is not a field, or SQLite fails.
pub fn list(
    connection: &Connection,
    workflow: WorkflowId,
    request: &ListResults,
    each: &mut dyn FnMut(ResultView) -> bool,
) -> Result<(), QueryError> {
    let mut select = Select::new(SELECT);
    select.filter("job.workflow_id = ?", vec![Box::new(workflow.0)]);
    select.filter("job.is_action = ?", vec![Box::new(request.actions)]);
    select.filter_words("attempt.status", request.status.iter().map(|status| status.as_str()));
    select.filter_glob("job.name", request.name.as_ref());
    if let Some(code) = request.return_code {
        select.filter("attempt.return_code = ?", vec![Box::new(code)]);
    }
    if !request.all_attempts {
        select.filter("attempt.number = job.attempts", Vec::new());
    }
    select.page(&request.page, "job.id {}, attempt.number {}", SORT)?;
    select.run(connection, view, each)
}

/// Returns every attempt of a job, first to last.
///
/// # Errors
///
/// When SQLite fails.
pub fn of_job(connection: &Connection, job: JobId) -> Result<Vec<ResultView>, QueryError> {
    let mut select = Select::new(SELECT);
    select.filter("job.id = ?", vec![Box::new(job.0)]);
    select.sql.push_str(" ORDER BY attempt.number");
    let mut results = Vec::new();
    select.run(connection, view, &mut |result| {
        results.push(result);
        true
    })?;
    Ok(results)
}

fn view(row: &Row<'_>) -> rusqlite::Result<ResultView> {
    let span = |column: &str| row.get::<_, Option<u64>>(column);
    let usage = match span("wall_us")? {
        None => None,
        Some(wall) => Some(Usage {
            wall: Span(wall),
            user_cpu: Span(span("user_us")?.unwrap_or(0)),
            system_cpu: Span(span("system_us")?.unwrap_or(0)),
            peak_memory: span("peak_memory")?.unwrap_or(0),
        }),
    };
    Ok(ResultView {
        job_id: JobId(row.get("job_id")?),
        workflow_id: WorkflowId(row.get("workflow_id")?),
        name: row.get("name")?,
        command: row.get("command")?,
        attempt: AttemptNumber(row.get("number")?),
        status: status(row, "status")?,
        return_code: row.get("return_code")?,
        reason: row.get("reason")?,
        node: row.get("node")?,
        pid: row.get("pid")?,
        started_at: row.get::<_, Option<i64>>("started_at")?.map(Timestamp),
        finished_at: row.get::<_, Option<i64>>("finished_at")?.map(Timestamp),
        usage,
        stdout_bytes: row.get("stdout_bytes")?,
        stderr_bytes: row.get("stderr_bytes")?,
        stdout_path: row.get("stdout_path")?,
        stderr_path: row.get("stderr_path")?,
        recovery_code: row.get("recovery_code")?,
    })
}
