//! The list of jobs.

use rusqlite::Connection;
use torc_protocol::id::WorkflowId;
use torc_protocol::request::ListJobs;
use torc_protocol::view::JobView;

use crate::store::query::{QueryError, Select, SortField};
use crate::store::tables::job;

pub(super) const SORT: &[SortField] = &[
    ("id", "id"),
    ("name", "name"),
    ("command", "command"),
    ("status", "status"),
    ("priority", "priority"),
    ("attempts", "attempts"),
    ("return_code", "return_code"),
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
    let mut select = Select::new("SELECT * FROM job");
    select.filter("workflow_id = ?", vec![Box::new(workflow.0)]);
    select.filter_words("status", request.status.iter().map(|status| status.as_str()));
    select.filter_glob("name", request.name.as_ref());
    select.page(&request.page, "id {}", SORT)?;
    select.run(connection, job::view, each)
}
