//! The list of jobs, and of what they wait for.

use rusqlite::{Connection, Row};
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::request::ListJobs;
use torc_protocol::view::{EdgeView, JobView};

use crate::store::query::{QueryError, Select, SortField};
use crate::store::tables::job;

pub(super) const SORT: &[SortField] = &[
    ("id", "job.id"),
    ("name", "name"),
    ("command", "command"),
    ("status", "status"),
    ("priority", "priority"),
    ("attempts", "attempts"),
    ("return_code", "return_code"),
    ("cpus", "cpus"),
    ("memory", "memory"),
    ("gpus", "gpus"),
];

/// Gives each job of a workflow to `each` until that returns false.
///
/// # Errors
///
/// When it is to be sorted by what is not a field, or SQLite fails.
pub fn list(
    connection: &Connection,
    workflow: WorkflowId,
    request: &ListJobs,
    each: &mut dyn FnMut(JobView) -> bool,
) -> Result<(), QueryError> {
    let mut select = Select::new(job::VIEW);
    select.filter("job.workflow_id = ?", vec![Box::new(workflow.0)]);
    select.filter("job.is_action = ?", vec![Box::new(request.actions)]);
    select.filter_words("job.status", request.status.iter().map(|status| status.as_str()));
    select.filter_glob("job.name", request.name.as_ref());
    if let Some(label) = &request.label {
        let has_label = "EXISTS (SELECT 1 FROM json_each(settings.labels) AS l WHERE l.value = ?)";
        select.filter(has_label, vec![Box::new(label.clone())]);
    }
    select.page(&request.page, "job.id {}", SORT)?;
    select.run(connection, job::view, each)
}

/// Gives each dependency of the jobs of a workflow to `each` until that returns false.
///
/// # Errors
///
/// When SQLite fails.
pub fn edges(
    connection: &Connection,
    workflow: WorkflowId,
    each: &mut dyn FnMut(EdgeView) -> bool,
) -> Result<(), QueryError> {
    let mut select = Select::new("SELECT job_id, depends_on FROM dependency");
    select.filter("workflow_id = ?", vec![Box::new(workflow.0)]);
    let view = |row: &Row<'_>| {
        Ok(EdgeView {
            job_id: JobId(row.get("job_id")?),
            depends_on: JobId(row.get("depends_on")?),
        })
    };
    select.run(connection, view, each)
}
