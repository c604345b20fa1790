//! What torc has acknowledged to its clients in a round, and must never take back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde_json::Value;
use torc_protocol::event::{Event, EventKind};
use torc_protocol::status::JobStatus;
use torc_protocol::view::ResultView;

/// One run of one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Attempt {
    /// The job; unique in a database.
    pub(crate) job: u64,
    /// Which of its runs.
    pub(crate) number: u32,
}

/// Returns the range of all attempts of a job.
pub(crate) fn of_job(job: u64) -> RangeInclusive<Attempt> {
    Attempt { job, number: 0 }..=Attempt { job, number: u32::MAX }
}

/// How an attempt was said to have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// How the attempt ended; none where only what became of the job was said.
    pub(crate) status: Option<JobStatus>,
    /// Its code.
    pub(crate) code: i32,
}

/// All acknowledgements of a round.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// Whether no two workflows may have the same name: it is the key of their submission.
    pub(crate) has_keys: bool,
    /// The workflows whose submission was acknowledged: names by number.
    pub(crate) workflows: BTreeMap<u64, String>,
    /// The workflows that were said to have ended.
    pub(crate) ended: BTreeSet<u64>,
    /// The results.
    pub(crate) results: BTreeMap<Attempt, Ended>,
    /// The newest snapshot that was said to be on disk.
    pub(crate) generation: u64,
    /// What was acknowledged once, and otherwise later.
    pub(crate) contradictions: Vec<String>,
}

impl Ledger {
    /// A workflow was submitted.
    pub(crate) fn submitted(&mut self, id: u64, name: &str) {
        let before = self.workflows.insert(id, name.to_owned());
        if before.is_some_and(|before| before != name) {
            self.contradictions.push(format!("workflow {id} is {name} now"));
        }
        let others = self.workflows.iter().filter(|(other, its)| *its == name && **other != id);
        let others: Vec<_> = others.map(|(other, _)| *other).collect();
        if self.has_keys && !others.is_empty() {
            let text = format!("{name} was workflow {others:?}, and is workflow {id} now");
            self.contradictions.push(text);
        }
    }

    /// An event was told. Returns whether it says that something is recorded for good.
    pub(crate) fn event(&mut self, event: &Event) -> bool {
        let workflow = event.workflow_id.0;
        match &event.kind {
            EventKind::WorkflowSubmitted { name, .. } => self.submitted(workflow, name),
            EventKind::JobFinished { job_id, attempt, status, return_code, .. } => {
                let status = status.is_final().then_some(*status);
                let attempt = Attempt { job: job_id.0, number: attempt.0 };
                self.result(attempt, Ended { status, code: *return_code });
            }
            EventKind::WorkflowFinished { .. } => {
                self.ended.insert(workflow);
            }
            EventKind::WorkflowRestarted { name, .. } => {
                self.submitted(workflow, name);
                self.ended.remove(&workflow);
            }
            EventKind::JobStarted { .. }
            | EventKind::JobsCanceled { .. }
            | EventKind::ActionFinished { .. } => return false,
        }
        true
    }

    /// A line of `--format ndjson` was written. Returns the event in it, if it is one.
    pub(crate) fn line(&mut self, line: &str) -> anyhow::Result<Option<Event>> {
        let value: Value = serde_json::from_str(line)?;
        if value.get("event").is_none() {
            return Ok(None);
        }
        let event: Event = serde_json::from_value(value)?;
        self.event(&event);
        Ok(Some(event))
    }

    /// A snapshot is on disk.
    pub(crate) fn on_disk(&mut self, generation: u64) {
        self.generation = self.generation.max(generation);
    }

    /// A list had this result.
    pub(crate) fn listed(&mut self, result: &ResultView) {
        if let (true, Some(code)) = (result.status.is_final(), result.return_code) {
            let attempt = Attempt { job: result.job_id.0, number: result.attempt.0 };
            self.result(attempt, Ended { status: Some(result.status), code });
        }
    }

    fn result(&mut self, attempt: Attempt, ended: Ended) {
        let before = *self.results.entry(attempt).or_insert(ended);
        if !before.agrees(ended) {
            let Attempt { job, number } = attempt;
            let text = format!("attempt {job}.{number} was {before:?}, and is {ended:?} now");
            self.contradictions.push(text);
        } else if before.status.is_none() {
            self.results.insert(attempt, ended);
        }
    }

    /// Returns the number of the workflow with this name, if its submission was acknowledged.
    pub(crate) fn number_of(&self, name: &str) -> Option<u64> {
        self.workflows.iter().find(|(_, its)| *its == name).map(|(id, _)| *id)
    }

    /// Returns how many writes were acknowledged.
    pub(crate) fn len(&self) -> u64 {
        (self.workflows.len() + self.results.len()) as u64
    }
}

impl Ended {
    /// Returns whether both can be of one attempt.
    pub(crate) fn agrees(self, other: Self) -> bool {
        let same = self.status == other.status || self.status.is_none() || other.status.is_none();
        same && self.code == other.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: JobStatus, code: i32) -> Ended {
        Ended { status: Some(status), code }
    }

    #[test]
    fn a_result_that_changes_is_a_contradiction() {
        let mut ledger = Ledger::default();
        let attempt = Attempt { job: 1, number: 1 };
        ledger.result(attempt, Ended { status: None, code: 3 });
        ledger.result(attempt, ended(JobStatus::Failed, 3));
        assert!(ledger.contradictions.is_empty());
        assert_eq!(ledger.results[&attempt], ended(JobStatus::Failed, 3));
        ledger.result(attempt, ended(JobStatus::Failed, -1));
        assert_eq!(ledger.contradictions.len(), 1);
        ledger.result(attempt, ended(JobStatus::Completed, 3));
        assert_eq!(ledger.contradictions.len(), 2);
    }

    #[test]
    fn a_submission_that_is_there_twice_is_a_contradiction() {
        let mut ledger = Ledger { has_keys: true, ..Ledger::default() };
        ledger.submitted(1, "w0");
        ledger.submitted(1, "w0");
        assert!(ledger.contradictions.is_empty());
        ledger.submitted(2, "w0");
        assert_eq!(ledger.contradictions.len(), 1);
    }
}
