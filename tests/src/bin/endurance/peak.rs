//! A workflow much larger than all others that comes, is canceled, and is deleted at once.

use std::time::{Duration, Instant};

use anyhow::ensure;
use torc_protocol::request::{Cancel, DeleteWorkflow, WorkflowSelector};
use torc_protocol::spec::{Command, JobSpec};
use torc_tests::client::Client;

use crate::looks::Looks;
use crate::sample::{Database, Sampler};
use crate::users;

/// What makes the database large: each job has so many bytes of it in its command.
const COMMENT: usize = 400;

/// How it went.
pub(crate) struct Peak {
    pub(crate) jobs: u64,
    /// How large the database was.
    pub(crate) database: Database,
    /// Memory of torcd, in bytes.
    pub(crate) memory: u64,
    /// How long the reply to the deletion took.
    pub(crate) reply: Duration,
    /// How long it took from there until nothing of it was left.
    pub(crate) gone: Duration,
    /// How long requests took in that time, the shortest first.
    pub(crate) waits: Vec<Duration>,
}

/// Plays it.
pub(crate) fn play(sampler: &Sampler<'_>, looks: &Looks, jobs: u64) -> anyhow::Result<Peak> {
    let stage = sampler.stage();
    let mut client = Client::connect(stage.socket())?;
    // Most never start: the two that do keep the others waiting.
    let command = format!("sleep 60 # {}", "x".repeat(COMMENT));
    let spec = (0..jobs).map(|place| JobSpec {
        name: format!("job{place}"),
        command: Command::Line(command.clone()),
        ..JobSpec::default()
    });
    let id = users::submit(&mut client, &stage.work(), spec)?;
    let workflow = WorkflowSelector::Id(id);
    let mut other = Client::connect(stage.socket())?;
    other.call(Cancel { workflow: workflow.clone(), jobs: Vec::new(), grace: None })?;
    let counts = users::watch(&mut client)?;
    ensure!(counts.canceled + counts.terminated == jobs, "the large workflow: {counts:?}");
    let (database, memory) = (sampler.database()?, sampler.memory_of_torcd()?);
    looks.forget();
    let begun = Instant::now();
    other.call(DeleteWorkflow { workflow })?;
    let reply = begun.elapsed();
    sampler.wait_until_gone(id)?;
    Ok(Peak { jobs, database, memory, reply, gone: begun.elapsed(), waits: looks.take() })
}
