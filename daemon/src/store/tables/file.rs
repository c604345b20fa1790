//! Tables `file` and `job_file`: files, who reads and writes them, and how they were.

use rusqlite::{Connection, Row, params};
use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::result::{FileStamp, FileStamps};
use torc_protocol::spec::FileSpec;
use torc_protocol::view::FileUseView;

/// The number of a file in the database.
pub type FileKey = i64;

/// The files of a job, each in the order of their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Those that it reads.
    pub inputs: Vec<String>,
    /// Those that it writes.
    pub outputs: Vec<String>,
}

/// Stores a file of a workflow.
///
/// # Errors
///
/// When SQLite fails; a constraint when the workflow has a file of that name.
pub fn insert(
    connection: &Connection,
    workflow: WorkflowId,
    file: &FileSpec,
) -> rusqlite::Result<FileKey> {
    connection
        .prepare_cached("INSERT INTO file (workflow_id, name, path) VALUES (?1, ?2, ?3)")?
        .execute(params![workflow.0, file.name, file.path])?;
    Ok(connection.last_insert_rowid())
}

/// Stores that a job reads or writes a file.
///
/// # Errors
///
/// When SQLite fails.
pub fn add_use(
    connection: &Connection,
    job: JobId,
    file: FileKey,
    is_output: bool,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO job_file (job_id, file_id, is_output) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![job.0, file, is_output])?;
    Ok(())
}

/// Returns whether a workflow has files.
///
/// # Errors
///
/// When SQLite fails.
pub fn any(connection: &Connection, workflow: WorkflowId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM file WHERE workflow_id = ?1)")?
        .query_row([workflow.0], |row| row.get(0))
}

/// Returns the files of a job.
///
/// # Errors
///
/// When SQLite fails.
pub fn paths(connection: &Connection, job: JobId) -> rusqlite::Result<Paths> {
    let mut paths = Paths::default();
    let mut statement = connection.prepare_cached(
        "SELECT file.path, job_file.is_output FROM job_file
         JOIN file ON file.id = job_file.file_id
         WHERE job_file.job_id = ?1 ORDER BY job_file.is_output, job_file.file_id",
    )?;
    let mut rows = statement.query([job.0])?;
    while let Some(row) = rows.next()? {
        let list = if row.get(1)? { &mut paths.outputs } else { &mut paths.inputs };
        list.push(row.get(0)?);
    }
    Ok(paths)
}

/// Stores how the files of a job were, in the order of [`paths`].
///
/// # Errors
///
/// When SQLite fails.
pub fn put_stamps(
    connection: &Connection,
    job: JobId,
    stamps: &FileStamps,
) -> rusqlite::Result<()> {
    for (is_output, stamps) in [(false, &stamps.inputs), (true, &stamps.outputs)] {
        let mut files = connection.prepare_cached(
            "SELECT file_id FROM job_file WHERE job_id = ?1 AND is_output = ?2 ORDER BY file_id",
        )?;
        let files: Vec<FileKey> = files
            .query_map(params![job.0, is_output], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for (file, stamp) in files.into_iter().zip(stamps) {
            connection
                .prepare_cached(
                    "UPDATE job_file SET modified_ns = ?4, bytes = ?5
                     WHERE job_id = ?1 AND is_output = ?2 AND file_id = ?3",
                )?
                .execute(params![
                    job.0,
                    is_output,
                    file,
                    stamp.map(|stamp| stamp.modified),
                    stamp.map(|stamp| i64::try_from(stamp.bytes).unwrap_or(i64::MAX)),
                ])?;
        }
    }
    Ok(())
}

/// Returns the uses that a job has for files.
///
/// # Errors
///
/// When SQLite fails.
pub fn uses(connection: &Connection, job: JobId) -> rusqlite::Result<Vec<FileUseView>> {
    connection
        .prepare_cached(&format!("{USES} WHERE job_file.job_id = ?1 ORDER BY is_output, file.id"))?
        .query_map([job.0], view_of_use)?
        .collect()
}

/// What is read for a [`FileUseView`], before any condition.
pub(in crate::store) const USES: &str = "
    SELECT job_file.job_id, file.path, job_file.is_output, job_file.modified_ns, job_file.bytes
    FROM file JOIN job_file ON job_file.file_id = file.id";

/// Returns a row of [`USES`] as a view.
pub(in crate::store) fn view_of_use(row: &Row<'_>) -> rusqlite::Result<FileUseView> {
    Ok(FileUseView {
        job_id: JobId(row.get("job_id")?),
        path: row.get("path")?,
        is_output: row.get("is_output")?,
        stamp: stamp(row)?,
    })
}

/// Returns the stamp in a row; none when there was no file.
pub(in crate::store) fn stamp(row: &Row<'_>) -> rusqlite::Result<Option<FileStamp>> {
    let modified: Option<i64> = row.get("modified_ns")?;
    let bytes: Option<u64> = row.get("bytes")?;
    Ok(modified.zip(bytes).map(|(modified, bytes)| FileStamp { modified, bytes }))
}
