//! A watch of one workflow, which goes on where torcd has cut it off.
//!
//! Nothing is asked for at intervals: torcd tells. Every event is given out once, in order, and the
//! workflow is kept as the events leave it.

use torc_protocol::event::{Event, EventKind};
use torc_protocol::request::{GetWorkflow, Watch, WorkflowSelector};
use torc_protocol::response::WatchItem;
use torc_protocol::status::WorkflowStatus;
use torc_protocol::view::{JobCounts, WorkflowView};

use crate::client::Client;
use crate::commands::workflows::counts;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::style::one_line;

/// What a watch tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    /// The workflow is in this state; what led to it is not told.
    State {
        /// The state.
        workflow: Box<WorkflowView>,
        /// The first event that is not in it.
        next_seq: u64,
    },
    /// This has happened.
    Events(Vec<Event>),
}

/// A watch.
#[derive(Debug)]
pub(crate) struct Watching {
    client: Client,
    workflow: WorkflowView,
    /// The first event that has not been given out.
    next_seq: u64,
    is_over: bool,
}

impl Watching {
    /// Begins to watch a workflow that `client` has told of: at the event `from_seq`, or with its
    /// present state.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub(crate) async fn begin(
        mut client: Client,
        workflow: WorkflowView,
        from_seq: Option<u64>,
    ) -> Result<Self, CliError> {
        client.stream(Watch { workflow: WorkflowSelector::Id(workflow.id), from_seq }).await?;
        let next_seq = from_seq.unwrap_or(0);
        Ok(Self { client, workflow, next_seq, is_over: false })
    }

    /// Returns what has come next; none when the workflow has ended.
    ///
    /// # Errors
    ///
    /// When torcd ends before the workflow does, or when nobody runs it.
    pub(crate) async fn next(&mut self) -> Result<Option<News>, CliError> {
        match self.try_next().await {
            Err(error) if error.kind == ErrorKind::NoDaemon => Err(self.abandoned(&error)),
            outcome => outcome,
        }
    }

    /// Waits for the end of the workflow, and returns how it is then.
    ///
    /// # Errors
    ///
    /// As [`Self::next`].
    pub(crate) async fn ended(mut self) -> Result<WorkflowView, CliError> {
        while self.next().await?.is_some() {}
        Ok(self.workflow)
    }

    /// Returns the workflow as far as is known.
    pub(crate) fn workflow(&self) -> &WorkflowView {
        &self.workflow
    }

    async fn try_next(&mut self) -> Result<Option<News>, CliError> {
        while !self.is_over {
            match self.client.next::<Watch>().await? {
                Some(WatchItem::State { workflow, next_seq }) => {
                    self.workflow.clone_from(&workflow);
                    self.next_seq = next_seq;
                    return Ok(Some(News::State { workflow, next_seq }));
                }
                Some(WatchItem::Events(mut events)) => {
                    events.retain(|event| event.seq >= self.next_seq);
                    events.iter().for_each(|event| self.take(event));
                    if !events.is_empty() {
                        return Ok(Some(News::Events(events)));
                    }
                }
                // Nothing comes after the end, whatever torcd may still have to say.
                Some(WatchItem::CaughtUp { .. }) => self.is_over = has_ended(&self.workflow),
                Some(WatchItem::Cut { next_seq }) => self.resume(next_seq).await?,
                None => self.settle().await?,
            }
        }
        Ok(None)
    }

    fn take(&mut self, event: &Event) {
        self.next_seq = event.seq + 1;
        match &event.kind {
            EventKind::WorkflowFinished { status, counts } => {
                self.workflow.status = *status;
                self.workflow.jobs = *counts;
                self.workflow.finished_at = Some(event.at);
            }
            EventKind::WorkflowSubmitted { .. } | EventKind::WorkflowRestarted { .. } => {
                self.workflow.status = WorkflowStatus::Running;
                self.workflow.finished_at = None;
            }
            EventKind::JobStarted { .. }
            | EventKind::JobFinished { .. }
            | EventKind::JobsCanceled { .. }
            | EventKind::ActionFinished { .. } => {}
        }
    }

    /// Goes on after a cut, on a new connection: a torcd that cuts us off may do so in earnest.
    async fn resume(&mut self, from_seq: u64) -> Result<(), CliError> {
        self.client = Client::connect(self.client.socket()).await?;
        let workflow = WorkflowSelector::Id(self.workflow.id);
        self.client.stream(Watch { workflow, from_seq: Some(from_seq) }).await
    }

    /// Finds out how the workflow is when there is no more to tell.
    async fn settle(&mut self) -> Result<(), CliError> {
        if !has_ended(&self.workflow) {
            let workflow = WorkflowSelector::Id(self.workflow.id);
            self.workflow = self.client.call(GetWorkflow { workflow }).await?;
        }
        if !has_ended(&self.workflow) {
            return Err(nobody_runs(&self.workflow));
        }
        self.is_over = true;
        Ok(())
    }

    fn abandoned(&self, error: &CliError) -> CliError {
        let name = name(&self.workflow);
        let message = format!("torcd has gone, and {name} had not ended: {}", error.message);
        let hint = format!(
            "`torcctl workflows get {}` tells what became of it, once a torcd has its database again",
            self.workflow.id
        );
        CliError::new(ErrorKind::NoDaemon, message).hint(hint)
    }
}

/// Returns whether nothing of the workflow will run any more by itself.
pub(crate) fn has_ended(workflow: &WorkflowView) -> bool {
    workflow.status != WorkflowStatus::Running
}

/// Returns the exit code for a workflow that has ended.
pub(crate) fn exit_code(workflow: &WorkflowView) -> u8 {
    match workflow.status {
        WorkflowStatus::Completed => exit_code::DONE,
        WorkflowStatus::Running
        | WorkflowStatus::Failed
        | WorkflowStatus::Canceled
        | WorkflowStatus::Paused => exit_code::FAILED,
    }
}

/// Returns how to call the workflow: `workflow 3 'night'`.
pub(crate) fn name(workflow: &WorkflowView) -> String {
    format!("workflow {} '{}'", workflow.id, one_line(&workflow.name))
}

/// Returns what has become of jobs: `12 jobs: 10 completed, 2 failed`.
pub(crate) fn jobs(jobs: JobCounts) -> String {
    let noun = if jobs.total == 1 { "job" } else { "jobs" };
    match counts(jobs).split_once(':') {
        Some((total, states)) => format!("{total} {noun}:{states}"),
        None => "no jobs".to_owned(),
    }
}

/// Returns the error for a workflow that is recorded as running where nothing runs.
fn nobody_runs(workflow: &WorkflowView) -> CliError {
    let message = format!("{} is recorded as running, but nobody runs it", name(workflow));
    CliError::new(ErrorKind::Refused, message)
        .hint(format!("`torcctl run {}` runs what is left of it", workflow.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::fixtures::workflow;

    #[test]
    fn a_workflow_and_its_jobs_are_told_in_words() {
        let mut workflow = workflow();
        workflow.name = "a\nb".to_owned();
        assert_eq!(name(&workflow), "workflow 3 'a\\nb'");
        assert_eq!(jobs(workflow.jobs), "12 jobs: 10 completed, 2 failed");
        workflow.jobs = JobCounts { total: 1, completed: 1, ..JobCounts::default() };
        assert_eq!(jobs(workflow.jobs), "1 job: 1 completed");
        workflow.jobs = JobCounts::default();
        assert_eq!(jobs(workflow.jobs), "no jobs");
    }

    #[test]
    fn only_a_workflow_that_completed_is_a_success() {
        let mut workflow = workflow();
        for (status, code) in [
            (WorkflowStatus::Completed, 0),
            (WorkflowStatus::Failed, 1),
            (WorkflowStatus::Canceled, 1),
            (WorkflowStatus::Paused, 1),
        ] {
            workflow.status = status;
            assert!(has_ended(&workflow));
            assert_eq!(exit_code(&workflow), code, "{status}");
        }
        workflow.status = WorkflowStatus::Running;
        assert!(!has_ended(&workflow));
    }
}
