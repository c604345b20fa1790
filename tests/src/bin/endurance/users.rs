//! Those who submit workflows, watch them to their end, and delete the oldest.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{bail, ensure};
use torc_protocol::event::EventKind;
use torc_protocol::id::WorkflowId;
use torc_protocol::request::{DeleteWorkflow, Submit, SubmitCommit, SubmitJobs, WorkflowSelector};
use torc_protocol::response::{Response, WatchItem};
use torc_protocol::spec::{
    Command, Environment, JobContext, JobSettings, JobSpec, StdioMode, WorkflowSpec,
};
use torc_protocol::view::JobCounts;
use torc_tests::benchmark::service::Service;
use torc_tests::client::Client;

use crate::Options;

/// So many work at a time.
pub(crate) const SUBMITTERS: usize = 2;

/// So many jobs are sent in one frame.
const CHUNK: usize = 1_000;
/// So many jobs are in a layer of a workflow with dependencies.
const LAYER: u64 = 50;
/// Every job of this place fails in a workflow of which some do.
const FAILING: u64 = 10;

/// What the jobs of a workflow are like.
#[derive(Clone, Copy)]
enum Kind {
    Plain,
    SomeFail,
    Layers,
    Output,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Plain, Self::SomeFail, Self::Layers, Self::Output];

    fn job(self, place: u64) -> JobSpec {
        let (line, depends_on) = match self {
            Self::Plain => ("true".to_owned(), Vec::new()),
            Self::SomeFail if place.is_multiple_of(FAILING) => ("false".to_owned(), Vec::new()),
            Self::SomeFail => ("true".to_owned(), Vec::new()),
            // Of the layer before, not always the one at the same place.
            Self::Layers => {
                let above = (place / LAYER).checked_sub(1);
                let waits = above.map(|layer| layer * LAYER + (place * 7) % LAYER);
                ("true".to_owned(), waits.map(|other| other as u32).into_iter().collect())
            }
            Self::Output => {
                let length = 20 + place % 400;
                (format!("printf %{length}d {place}"), Vec::new())
            }
        };
        let command = Command::Line(line);
        JobSpec { name: format!("job{place}"), command, depends_on, ..JobSpec::default() }
    }

    fn failures(self, jobs: u64) -> u64 {
        if matches!(self, Self::SomeFail) { jobs.div_ceil(FAILING) } else { 0 }
    }
}

/// What all of them share.
pub(crate) struct Users {
    socket: PathBuf,
    work: PathBuf,
    workflows: u64,
    jobs: u64,
    keep: usize,
    /// The place of the next workflow.
    next: AtomicU64,
    /// Those that have ended and are not deleted, the oldest first.
    ended: Mutex<VecDeque<WorkflowId>>,
}

impl Users {
    pub(crate) fn new(stage: &Service, options: &Options) -> Self {
        Self {
            socket: stage.socket().to_owned(),
            work: stage.work(),
            workflows: options.workflows(),
            jobs: options.workflow,
            keep: options.keep,
            next: AtomicU64::new(0),
            ended: Mutex::default(),
        }
    }

    /// Submits one workflow after the other, and tells of the end of each when that was.
    pub(crate) fn work(&self, ended: &Sender<Instant>) -> anyhow::Result<()> {
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            if place >= self.workflows {
                return Ok(());
            }
            let kind = Kind::ALL[place as usize % Kind::ALL.len()];
            let id = self.play(kind)?;
            let too_many: Vec<WorkflowId> = {
                let mut all = self.ended();
                all.push_back(id);
                let excess = all.len().saturating_sub(self.keep);
                all.drain(..excess).collect()
            };
            self.delete(too_many)?;
            // When nobody takes samples any more, the work is done all the same.
            let _ = ended.send(Instant::now());
        }
    }

    /// Has one workflow run, as `torcctl submit` and `watch` do.
    fn play(&self, kind: Kind) -> anyhow::Result<WorkflowId> {
        let mut client = Client::connect(&self.socket)?;
        let id = submit(&mut client, &self.work, (0..self.jobs).map(|place| kind.job(place)))?;
        let counts = watch(&mut client)?;
        let failed = kind.failures(self.jobs);
        ensure!(
            counts.failed == failed && counts.completed == self.jobs - failed,
            "workflow {id} ended with {counts:?}"
        );
        Ok(id)
    }

    /// Deletes what is left.
    pub(crate) fn delete_all(&self) -> anyhow::Result<()> {
        let all = std::mem::take(&mut *self.ended());
        self.delete(all)
    }

    fn delete(&self, ids: impl IntoIterator<Item = WorkflowId>) -> anyhow::Result<()> {
        for id in ids {
            let workflow = WorkflowSelector::Id(id);
            Client::connect(&self.socket)?.call(DeleteWorkflow { workflow })?;
        }
        Ok(())
    }

    /// Returns the workflow that has ended last.
    pub(crate) fn last(&self) -> Option<WorkflowId> {
        self.ended().back().copied()
    }

    fn ended(&self) -> MutexGuard<'_, VecDeque<WorkflowId>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Submits a workflow that `client` watches from then on.
pub(crate) fn submit(
    client: &mut Client,
    work: &Path,
    jobs: impl Iterator<Item = JobSpec>,
) -> anyhow::Result<WorkflowId> {
    let path = std::env::var("PATH").unwrap_or_default();
    let dir = work.to_string_lossy().into_owned();
    let spec = WorkflowSpec {
        name: "endurance".to_owned(),
        context: JobContext {
            environment: Environment(format!("PATH={path}\0").into_bytes().into()),
            working_dir: dir.clone(),
            output_dir: dir,
        },
        settings: vec![JobSettings { stdio: StdioMode::Capture, ..JobSettings::default() }],
        ..WorkflowSpec::default()
    };
    client.call(Submit { spec, key: None })?;
    let mut jobs = jobs.peekable();
    while jobs.peek().is_some() {
        let jobs = jobs.by_ref().take(CHUNK).collect();
        client.call(SubmitJobs { jobs })?;
    }
    Ok(client.call(SubmitCommit { watch: true })?.workflow_id)
}

/// Takes in the events of a workflow until it has ended, and returns how its jobs have.
pub(crate) fn watch(client: &mut Client) -> anyhow::Result<JobCounts> {
    let mut last = None;
    loop {
        match client.receive()? {
            Response::Watch(WatchItem::Events(events)) => {
                last = events.into_iter().next_back().or(last);
            }
            Response::Watch(WatchItem::Cut { .. }) => bail!("too slow a reader"),
            Response::End => break,
            _ => {}
        }
    }
    match last.map(|event| event.kind) {
        Some(EventKind::WorkflowFinished { counts, .. }) => Ok(counts),
        other => bail!("the last event of a workflow is {other:?}"),
    }
}
