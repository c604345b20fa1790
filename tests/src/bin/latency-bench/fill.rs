//! The workflow that is there before anything is measured.

use anyhow::{bail, ensure};
use torc_protocol::event::EventKind;
use torc_protocol::request::{Submit, SubmitCommit, SubmitJobs};
use torc_protocol::response::{Response, WatchItem};
use torc_protocol::spec::{Command, JobContext, JobSettings, JobSpec, RunOptions, WorkflowSpec};
use torc_tests::client::Client;

/// So many jobs are sent in one frame.
const CHUNK: u32 = 2_000;

/// Submits a workflow of independent jobs, and begins to watch it or not.
pub(crate) fn submit(
    client: &mut Client,
    jobs: u32,
    command: &str,
    parallel: Option<u32>,
    watch: bool,
) -> anyhow::Result<()> {
    let spec = WorkflowSpec {
        name: command.to_owned(),
        context: JobContext {
            working_dir: "/".to_owned(),
            output_dir: "/".to_owned(),
            ..JobContext::default()
        },
        settings: vec![JobSettings::default()],
        options: RunOptions { max_parallel_jobs: parallel, ..RunOptions::default() },
        ..WorkflowSpec::default()
    };
    client.call(Submit { spec, key: None })?;
    for first in (0..jobs).step_by(CHUNK as usize) {
        let chunk = first..jobs.min(first + CHUNK);
        let jobs = chunk.map(|number| JobSpec {
            name: format!("job{number}"),
            command: Command::Line(command.to_owned()),
            ..JobSpec::default()
        });
        client.call(SubmitJobs { jobs: jobs.collect() })?;
    }
    client.call(SubmitCommit { watch })?;
    Ok(())
}

/// Has torcd run so many jobs, and returns when all have completed.
pub(crate) fn workflow(client: &mut Client, jobs: u32) -> anyhow::Result<()> {
    submit(client, jobs, "true", None, true)?;
    loop {
        match client.receive()? {
            Response::Watch(WatchItem::Events(events)) => {
                let last = events.last().map(|event| &event.kind);
                if let Some(EventKind::WorkflowFinished { counts, .. }) = last {
                    ensure!(counts.completed == u64::from(jobs), "{counts:?}");
                }
            }
            Response::Watch(WatchItem::Cut { .. }) => bail!("too slow a reader"),
            Response::End => return Ok(()),
            _ => {}
        }
    }
}
