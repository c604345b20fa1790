//! What a database file holds, as far as it is checked.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use rusqlite::{Connection, OpenFlags, Row};
use torc_protocol::status::JobStatus;
use torc_protocol::view::ResultView;

use crate::ledger::{Attempt, Ended};

/// Stands for the code of an attempt that has not ended.
const UNENDED: i32 = 999_999;

/// A database that nobody changes any more.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Names and states by number.
    pub(crate) workflows: BTreeMap<u64, (String, String)>,
    /// By number.
    pub(crate) jobs: BTreeMap<u64, Job>,
    /// All attempts.
    pub(crate) attempts: BTreeMap<Attempt, Ended>,
    /// The newest snapshot that was begun of it.
    pub(crate) generation: u64,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// Its workflow.
    pub(crate) workflow: u64,
    /// Its name.
    pub(crate) name: String,
    /// Its state.
    pub(crate) status: JobStatus,
    /// How many attempts it has had.
    pub(crate) attempts: u32,
}

impl Record {
    /// Reads a whole file, without a trace. It may be replaced meanwhile, but not change.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || path.display().to_string();
        torcd::store::verify::verify(path).with_context(named)?;
        let uri = format!("file:{}?immutable=1", path.display());
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let connection = Connection::open_with_flags(uri, flags).with_context(named)?;
        Self::read_from(&connection).with_context(named)
    }

    /// Adds an attempt from a list.
    pub(crate) fn add(&mut self, result: &ResultView) {
        let attempt = Attempt { job: result.job_id.0, number: result.attempt.0 };
        let code = result.return_code.unwrap_or(UNENDED);
        self.attempts.insert(attempt, Ended { status: Some(result.status), code });
    }

    fn read_from(connection: &Connection) -> anyhow::Result<Self> {
        let broken = rows(connection, "PRAGMA foreign_key_check", |_| Ok(()))?;
        ensure!(broken.is_empty(), "{} rows refer to others that are not there", broken.len());
        let workflows = rows(connection, "SELECT id, name, status FROM workflow", |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?)))
        })?;
        let jobs = rows(
            connection,
            "SELECT id, workflow_id, name, status, attempts FROM job WHERE is_action = 0",
            |row| {
                let (workflow, name) = (row.get(1)?, row.get(2)?);
                let job = Job { workflow, name, status: status(row, 3)?, attempts: row.get(4)? };
                Ok((row.get(0)?, job))
            },
        )?;
        let attempts = rows(
            connection,
            "SELECT job_id, number, status, coalesce(return_code, 999999) FROM attempt",
            |row| {
                let attempt = Attempt { job: row.get(0)?, number: row.get(1)? };
                Ok((attempt, Ended { status: Some(status(row, 2)?), code: row.get(3)? }))
            },
        )?;
        let newest = "SELECT coalesce(max(generation), 0) FROM snapshot";
        let generation = connection.query_row(newest, [], |row| row.get(0))?;
        check_counts(connection)?;
        Ok(Self {
            workflows: workflows.into_iter().collect(),
            jobs: jobs.into_iter().collect(),
            attempts: attempts.into_iter().collect(),
            generation,
        })
    }
}

/// Checks that the counts that are kept of each workflow are those of its jobs.
fn check_counts(connection: &Connection) -> anyhow::Result<()> {
    let wrong = rows(
        connection,
        "SELECT workflow.id FROM workflow
         LEFT JOIN job ON job.workflow_id = workflow.id AND job.is_action = 0
         WHERE workflow.status != 'submitting'
         GROUP BY workflow.id
         HAVING workflow.total != count(job.id)
            OR workflow.completed != total(job.status = 'completed')
            OR workflow.failed != total(job.status = 'failed')
            OR workflow.canceled != total(job.status = 'canceled')
            OR workflow.terminated != total(job.status = 'terminated')",
        |row| row.get::<_, u64>(0),
    )?;
    ensure!(wrong.is_empty(), "the counts of the workflows {wrong:?} are not those of their jobs");
    Ok(())
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], read)?.collect()
}

fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<JobStatus> {
    let word: String = row.get(column)?;
    word.parse().map_err(|error| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
    })
}
