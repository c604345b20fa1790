//! The list of workflows.

use rusqlite::Connection;
use torc_protocol::request::ListWorkflows;
use torc_protocol::view::WorkflowView;

use crate::store::query::{QueryError, Select, SortField};
use crate::store::tables::workflow;

pub(super) const SORT: &[SortField] = &[
    ("id", "id"),
    ("name", "name"),
    ("status", "status"),
    ("total", "total"),
    ("failed", "failed"),
    ("submitted_at", "submitted_at"),
    ("finished_at", "finished_at"),
];

/// Gives each workflow to `each` until that returns false.
///
/// # Errors
///
/// When it is to be sorted by what is not a field, or SQLite fails.
pub fn list(
    connection: &Connection,
    request: &ListWorkflows,
    each: &mut dyn FnMut(WorkflowView) -> bool,
) -> Result<(), QueryError> {
    let mut select = Select::new("SELECT * FROM workflow");
    select.filter("status <> 'submitting'", Vec::new());
    select.filter_words("status", request.status.iter().map(|status| status.as_str()));
    select.filter_glob("name", request.name.as_ref());
    select.page(&request.page, "id {}", SORT)?;
    select.run(connection, workflow::view, each)
}
