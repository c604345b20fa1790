//! The list of files, and of who uses them.

use rusqlite::{Connection, Row};
use torc_protocol::id::WorkflowId;
use torc_protocol::request::ListFiles;
use torc_protocol::view::{FileUseView, FileView};

use crate::store::query::{QueryError, Select, SortField};
use crate::store::tables::file;

pub(super) const SORT: &[SortField] = &[
    ("id", "id"),
    ("name", "name"),
    ("path", "path"),
    ("written_by", "written_by"),
    ("read_by", "read_by"),
];

const SELECT: &str = "
    SELECT file.id, file.name, file.path, writer.name AS written_by,
        out.modified_ns, out.bytes,
        (SELECT count(*) FROM job_file AS use WHERE use.file_id = file.id AND NOT use.is_output)
            AS read_by
    FROM file
    LEFT JOIN job_file AS out ON out.file_id = file.id AND out.is_output
    LEFT JOIN job AS writer ON writer.id = out.job_id";

/// Gives each file of a workflow to `each` until that returns false.
///
/// # Errors
///
/// When it is to be sorted by what is not a field, or SQLite fails.
pub fn list(
    connection: &Connection,
    workflow: WorkflowId,
    request: &ListFiles,
    each: &mut dyn FnMut(FileView) -> bool,
) -> Result<(), QueryError> {
    let mut select = Select::new(SELECT);
    select.filter("file.workflow_id = ?", vec![Box::new(workflow.0)]);
    select.filter_glob("file.name", request.name.as_ref());
    select.page(&request.page, "file.id {}", SORT)?;
    select.run(connection, view, each)
}

/// Gives each use that a job of a workflow has for a file to `each` until that returns false.
///
/// # Errors
///
/// When SQLite fails.
pub fn uses(
    connection: &Connection,
    workflow: WorkflowId,
    each: &mut dyn FnMut(FileUseView) -> bool,
) -> Result<(), QueryError> {
    let mut select = Select::new(file::USES);
    select.filter("file.workflow_id = ?", vec![Box::new(workflow.0)]);
    select.run(connection, file::view_of_use, each)
}

fn view(row: &Row<'_>) -> rusqlite::Result<FileView> {
    Ok(FileView {
        id: row.get("id")?,
        name: row.get("name")?,
        path: row.get("path")?,
        written_by: row.get("written_by")?,
        read_by: row.get("read_by")?,
        stamp: file::stamp(row)?,
    })
}
