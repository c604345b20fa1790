//! The clients of a torcd, who note in the ledger what it acknowledges to them, and hold it to that.

use std::path::Path;

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{
    ListResults, ListWorkflows, Snapshot, SnapshotWait, Submit, SubmitCommit, SubmitJobs, Watch,
    WorkflowSelector,
};
use torc_protocol::response::{ErrorCode, RequestError, SnapshotProgress, WatchItem};
use torc_protocol::spec::JobContext;
use torc_protocol::status::WorkflowStatus;
use torc_tests::client::Client;

use crate::bell::Bell;
use crate::figures::Kind;
use crate::ledger::Ledger;
use crate::plan::{Home, Moment};
use crate::record::Record;
use crate::round::Round;
use crate::work::{Workflow, environment};

/// A snapshot is asked for whenever so many more acknowledgements have come.
const BETWEEN_SNAPSHOTS: u32 = 7;

/// A torcd, and who wants something of it.
pub(crate) struct Clients<'a> {
    pub(crate) round: &'a Round<'a>,
    pub(crate) bell: &'a Bell,
    pub(crate) socket: &'a Path,
}

impl Clients<'_> {
    /// Submits workflows that were not, and watches all of them to their ends, one after the other.
    pub(crate) fn submit(&self, workflows: &[&Workflow]) {
        for workflow in workflows {
            let done = self.submit_one(workflow);
            if done.is_err() {
                return self.note(&format!("submitting {}", workflow.name), done);
            }
        }
    }

    fn submit_one(&self, workflow: &Workflow) -> anyhow::Result<()> {
        let (known, has_ended) = {
            let ledger = self.round.ledger();
            let known = ledger.number_of(&workflow.name);
            (known, known.is_some_and(|id| ledger.ended.contains(&id)))
        };
        if has_ended {
            return Ok(());
        }
        let mut client = Client::connect(self.socket)?;
        let known = match known {
            Some(id) => Some(id),
            None => self.commit(&mut client, workflow)?,
        };
        if let Some(id) = known {
            let workflow = WorkflowSelector::Id(WorkflowId(id));
            client.send(Watch { workflow, from_seq: None })?;
        }
        self.watch(&mut client)
    }

    /// Submits a workflow, watched. Returns its number if it was submitted before.
    fn commit(&self, client: &mut Client, workflow: &Workflow) -> anyhow::Result<Option<u64>> {
        let round = self.round;
        let dir = |name: &str| round.stage.path(name).to_string_lossy().into_owned();
        let context = JobContext {
            environment: environment(round.stage.environment()),
            working_dir: dir("work"),
            output_dir: dir("out"),
        };
        let spec = workflow.spec(context, round.plan.parallel);
        let accepted = client.call(Submit { spec, key: Some(workflow.name.clone()) })?;
        if let Some(id) = accepted.existing {
            self.acknowledge(|ledger| ledger.submitted(id.0, &workflow.name));
            return Ok(Some(id.0));
        }
        client.call(SubmitJobs { jobs: workflow.job_specs() })?;
        let submitted = client.call(SubmitCommit { watch: true })?;
        self.acknowledge(|ledger| ledger.submitted(submitted.workflow_id.0, &workflow.name));
        Ok(None)
    }

    fn watch(&self, client: &mut Client) -> anyhow::Result<()> {
        while let Some(item) = client.part::<Watch>()? {
            match item {
                WatchItem::Events(events) => {
                    for event in &events {
                        self.acknowledge(|ledger| ledger.event(event));
                    }
                }
                WatchItem::State { workflow, .. } => {
                    if workflow.status != WorkflowStatus::Running {
                        self.round.ledger().ended.insert(workflow.id.0);
                    }
                }
                WatchItem::CaughtUp { .. } => {}
                WatchItem::Cut { .. } => anyhow::bail!("cut off for reading too slowly"),
            }
        }
        Ok(())
    }

    fn acknowledge<T>(&self, change: impl FnOnce(&mut Ledger) -> T) {
        change(&mut self.round.ledger());
        self.bell.acknowledged();
    }

    /// Asks again and again for all that there is, each time that more was acknowledged; all that was
    /// acknowledged before must be in it.
    pub(crate) fn list(&self) {
        let mut count = 1;
        while self.bell.wait(Moment::Acknowledged(count)) && !self.bell.is_ending() {
            let listed = self.list_all();
            if listed.is_err() {
                return self.note("listing", listed);
            }
            count = self.bell.acknowledgements() + 1;
        }
    }

    fn list_all(&self) -> anyhow::Result<()> {
        let before = self.round.ledger().clone();
        let mut client = Client::connect(self.socket)?;
        let mut found = Record::default();
        client.send(ListWorkflows::default())?;
        while let Some(page) = client.part::<ListWorkflows>()? {
            let entries =
                page.into_iter().map(|one| (one.id.0, (one.name, one.status.to_string())));
            found.workflows.extend(entries);
        }
        for id in before.workflows.keys() {
            let workflow = WorkflowSelector::Id(WorkflowId(*id));
            client.send(ListResults { workflow, all_attempts: true, ..ListResults::default() })?;
            while let Some(page) = client.part::<ListResults>()? {
                let mut ledger = self.round.ledger();
                page.iter().for_each(|result| {
                    found.add(result);
                    ledger.listed(result);
                });
            }
        }
        self.round.figures.lists.add(1);
        self.round.expect_all(&before, &found, "a list of the running torcd");
        Ok(())
    }

    /// Asks for snapshots, waits for them, and reads what is at the target then. `may_fail` is when
    /// those who write them are killed.
    pub(crate) fn snapshot(&self, may_fail: bool) {
        let mut count = 1;
        while self.bell.wait(Moment::Acknowledged(count)) && !self.bell.is_ending() {
            let taken = self.snapshot_one(may_fail);
            if taken.is_err() {
                return self.note("taking a snapshot", taken);
            }
            count = self.bell.acknowledgements() + BETWEEN_SNAPSHOTS;
        }
    }

    fn snapshot_one(&self, may_fail: bool) -> anyhow::Result<()> {
        let before = self.round.ledger().clone();
        let mut client = Client::connect(self.socket)?;
        client.send(Snapshot { wait: SnapshotWait::Forever, path: None })?;
        while let Some(progress) = client.part::<Snapshot>()? {
            match progress {
                SnapshotProgress::Done(view) => {
                    let generation = view.generation.0;
                    self.round.ledger().on_disk(generation);
                    self.read_snapshot(generation, &before);
                }
                SnapshotProgress::Failed(failure) if !may_fail => {
                    let text = format!("nobody was hit, but a snapshot failed: {failure:?}");
                    self.round.fault(Kind::Conduct, text);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_snapshot(&self, generation: u64, before: &Ledger) {
        self.round.figures.snapshots.add(1);
        // That is the database itself, which goes on.
        if self.round.plan.home == Home::InPlace {
            return;
        }
        if let Some(record) = self.round.read(&self.round.stage.target()) {
            if record.generation < generation {
                let text = format!(
                    "generation {generation} is said to be on disk, there is {}",
                    record.generation
                );
                self.round.fault(Kind::Lost, text);
            }
            self.round.expect_all(before, &record, "a snapshot that is said to be on disk");
        }
    }

    /// A torcd that goes away is nothing to note; one that refuses without a reason is.
    fn note(&self, doing: &str, outcome: anyhow::Result<()>) {
        let Err(error) = outcome else { return };
        self.round.stage.log(&format!("{doing}: {error:#}"));
        if let Some(refusal) = error.downcast_ref::<RequestError>()
            && refusal.code != ErrorCode::Unavailable
        {
            self.round.fault(Kind::Conduct, format!("{doing} was refused: {refusal:?}"));
        }
    }
}
