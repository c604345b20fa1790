//! The list of user data.

use rusqlite::{Connection, Row};
use torc_protocol::id::WorkflowId;
use torc_protocol::request::ListUserData;
use torc_protocol::view::UserDataView;

use crate::store::query::{QueryError, Select, SortField};

pub(super) const SORT: &[SortField] = &[
    ("id", "id"),
    ("name", "name"),
    ("data", "data"),
    ("is_ephemeral", "is_ephemeral"),
    ("written_by", "written_by"),
    ("read_by", "read_by"),
];

const SELECT: &str = "
    SELECT user_data.*,
        (SELECT job.name FROM job_user_data AS use JOIN job ON job.id = use.job_id
         WHERE use.user_data_id = user_data.id AND use.is_output LIMIT 1) AS written_by,
        (SELECT count(*) FROM job_user_data AS use
         WHERE use.user_data_id = user_data.id AND NOT use.is_output) AS read_by
    FROM user_data";

/// Gives each value of a workflow to `each` until that returns false.
///
/// # Errors
///
/// When it is to be sorted by what is not a field, or SQLite fails.
pub fn list(
    connection: &Connection,
    workflow: WorkflowId,
    request: &ListUserData,
    each: &mut dyn FnMut(UserDataView) -> bool,
) -> Result<(), QueryError> {
    let mut select = Select::new(SELECT);
    select.filter("user_data.workflow_id = ?", vec![Box::new(workflow.0)]);
    select.filter_glob("user_data.name", request.name.as_ref());
    select.page(&request.page, "user_data.id {}", SORT)?;
    select.run(connection, view, each)
}

fn view(row: &Row<'_>) -> rusqlite::Result<UserDataView> {
    Ok(UserDataView {
        id: row.get("id")?,
        name: row.get("name")?,
        data: row.get("data")?,
        is_ephemeral: row.get("is_ephemeral")?,
        written_by: row.get("written_by")?,
        read_by: row.get("read_by")?,
    })
}
