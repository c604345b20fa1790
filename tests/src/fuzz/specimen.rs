//! A small database of torc's, to be mutilated: one workflow with all that there can be of it.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use rusqlite::Connection;
use tempfile::TempDir;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::result::{AttemptResult, Ending, Output, StreamKind};
use torc_protocol::spec::{
    Command, Environment, FileSpec, JobSettings, JobSpec, Trigger, UserDataSpec, WorkflowSpec,
};
use torc_protocol::time::Timestamp;
use torcd::store::home::Home;
use torcd::store::tables::{action, attempt, file, job, output, settings, user_data, workflow};
use torcd::store::writer::Writer;

/// The size of its pages: small, so that a mutilation hits something.
pub const PAGE: usize = 512;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// Returns a directory in memory, where there is one.
#[must_use]
pub fn scratch() -> TempDir {
    let shared = Path::new("/dev/shm");
    let made = if shared.is_dir() { tempfile::tempdir_in(shared) } else { tempfile::tempdir() };
    made.expect("a directory can be made")
}

/// Returns the bytes of the database; it is made once.
#[must_use]
pub fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| make().expect("a database can be made"))
}

fn make() -> anyhow::Result<Vec<u8>> {
    let dir = scratch();
    let path = dir.path().join("specimen.db");
    let mut writer = Writer::open(&Home::File(path.clone()), None)?;
    fill(writer.writing()?)?;
    writer.commit()?;
    drop(writer);
    let connection = Connection::open(&path)?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = DELETE;
         PRAGMA page_size = {PAGE};
         INSERT INTO snapshot (instance, host, boot_id, pid, changes, started_at, path)
            SELECT value, 'here', 'boot', 7, 3, 0, '/tmp/x' FROM meta WHERE key = 'instance';
         VACUUM;"
    ))?;
    drop(connection);
    Ok(fs::read(path)?)
}

fn fill(connection: &Connection) -> anyhow::Result<()> {
    let spec = WorkflowSpec {
        name: "specimen".to_owned(),
        metadata: Some("{\"a\": [1, 2]}".to_owned()),
        settings: vec![JobSettings::default()],
        ..WorkflowSpec::default()
    };
    let id = workflow::insert_draft(connection, &spec, NOW)?;
    settings::insert(connection, id, &spec.settings)?;
    let environment = Environment(Bytes::from_static(b"HOME=/home/x\0"));
    settings::insert_environment(connection, id, &environment)?;
    let file = file::insert(connection, id, &FileSpec { name: "f".into(), path: "f".into() })?;
    let value = UserDataSpec { name: "u".into(), data: Some("[1]".into()), is_ephemeral: false };
    let data = user_data::insert(connection, id, &value)?;
    let mut before = None;
    for number in 0..3 {
        let job = add_job(connection, id, number, before)?;
        file::add_use(connection, job, file, number == 0)?;
        user_data::add_use(connection, job, data, number == 0)?;
        before = Some(job);
    }
    let mut last = action::Action {
        id: JobId(0),
        name: "action1".to_owned(),
        trigger: Trigger::OnWorkflowComplete,
        jobs: Vec::new(),
        persistent: true,
        fired: false,
        attempts: 0,
    };
    action::insert(connection, id, &mut last, "true", 0)?;
    connection.execute_batch("UPDATE workflow SET status = 'running', total = 3")?;
    Ok(())
}

fn add_job(
    connection: &Connection,
    workflow: WorkflowId,
    number: u32,
    before: Option<JobId>,
) -> anyhow::Result<JobId> {
    let spec = JobSpec {
        name: format!("job{number}"),
        command: Command::Argv(vec!["echo".to_owned(), number.to_string()]),
        depends_on: before.iter().map(|_| number - 1).collect(),
        environment: vec![("A".to_owned(), "b".to_owned())],
        ..JobSpec::default()
    };
    let before: Vec<JobId> = before.into_iter().collect();
    let job = job::insert(connection, workflow, &spec, &before)?;
    let attempt = AttemptId { job, number: AttemptNumber(1) };
    let result = AttemptResult::bare(Ending::Exited(0), NOW);
    attempt::put_result(connection, attempt, "here", Some(7), &result)?;
    let written = Output::Inline(Bytes::from(vec![b'x'; 700]));
    output::put(connection, attempt, StreamKind::Stdout, &written)?;
    connection.execute_batch("UPDATE job SET attempts = 1, status = 'running'")?;
    Ok(job)
}
