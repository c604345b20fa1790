//! What is left of a workflow that is paused: jobs that are disabled, jobs that belong to a run with
//! other labels, and those that wait for such jobs.

use std::collections::BTreeSet;

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{ListJobs, WorkflowSelector};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::JobView;

use super::following::Following;
use crate::client::Client;
use crate::error::CliError;
use crate::style::count;

/// So many labels are named.
const NAMED: usize = 8;

/// What is left.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    /// The labels of the run.
    labels: Vec<String>,
    /// How many jobs are disabled.
    disabled: u64,
    /// The first of these.
    first_disabled: Option<String>,
    /// How many have labels which the run has not.
    labeled: u64,
    /// Those labels.
    missing: BTreeSet<String>,
    /// How many have no labels, which a run with labels leaves out.
    unlabeled: u64,
    /// How many wait for others.
    waiting: u64,
}

/// Asks what is left, if it is that which ended the workflow. `labels` are those of the run.
pub(crate) async fn of(
    client: &mut Client,
    following: &Following,
    labels: &[String],
) -> Result<Option<Left>, CliError> {
    if following.model.finished != Some(WorkflowStatus::Paused) {
        return Ok(None);
    }
    let list = ListJobs {
        workflow: WorkflowSelector::Id(following.workflow),
        status: vec![JobStatus::Blocked, JobStatus::Ready, JobStatus::Disabled],
        ..ListJobs::default()
    };
    client.stream(list).await?;
    let mut left = Left { labels: labels.to_vec(), ..Left::default() };
    while let Some(jobs) = client.next::<ListJobs>().await? {
        jobs.iter().for_each(|job| left.add(job));
    }
    Ok(Some(left))
}

impl Left {
    fn add(&mut self, job: &JobView) {
        let labels = &self.labels;
        let mut missing = job.labels.iter().filter(|label| !labels.contains(label)).peekable();
        if job.status == JobStatus::Disabled {
            self.disabled += 1;
            self.first_disabled.get_or_insert_with(|| job.name.clone());
        } else if missing.peek().is_some() {
            self.labeled += 1;
            self.missing.extend(missing.cloned());
        } else if job.labels.is_empty() && !labels.is_empty() {
            self.unlabeled += 1;
        } else {
            self.waiting += 1;
        }
    }

    /// Returns the first of the labels that the run has not.
    fn named(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().take(NAMED).map(String::as_str)
    }

    /// Returns how many more there are.
    fn unnamed(&self) -> usize {
        self.missing.len().saturating_sub(NAMED)
    }

    /// Returns what is left, in words.
    pub(crate) fn sentence(&self) -> String {
        let mut parts = Vec::new();
        if self.labeled > 0 {
            let verb = if self.labeled == 1 { "has" } else { "have" };
            let labels: Vec<_> = self.named().collect();
            let (jobs, labels) = (count(self.labeled, "job"), labels.join(", "));
            let more = match self.unnamed() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!("{jobs} {verb} labels that this run has not: {labels}{more}"));
        }
        if self.unlabeled > 0 {
            let verb = if self.unlabeled == 1 { "has" } else { "have" };
            let jobs = count(self.unlabeled, "job");
            parts.push(format!("{jobs} {verb} no labels, which this run has"));
        }
        if let Some(first) = &self.first_disabled {
            let verb = if self.disabled == 1 { "is" } else { "are" };
            let others = if self.disabled == 1 { "" } else { " and others" };
            parts.push(format!("{} {verb} disabled: {first}{others}", count(self.disabled, "job")));
        }
        if self.waiting > 0 {
            let verb = if self.waiting == 1 { "waits" } else { "wait" };
            parts.push(format!("{} {verb} for these", count(self.waiting, "job")));
        }
        parts.join("; ")
    }

    /// Returns the commands that run what is left of `workflow`; `options` lead to its database.
    pub(crate) fn remedy(&self, workflow: WorkflowId, options: &str) -> String {
        let mut commands = Vec::new();
        if let Some(first) = &self.first_disabled {
            commands.push(format!("`torcctl jobs enable {first} -w {workflow}{options}`"));
        }
        let run = |labels: &[&str], more: usize| {
            let labels = if labels.is_empty() {
                String::new()
            } else {
                format!(" --label {}", labels.join(","))
            };
            let more = match more {
                0 => String::new(),
                1 => " with 1 more label".to_owned(),
                more => format!(" with {more} more labels"),
            };
            format!("`torcctl run {workflow}{labels}{options}`{more}")
        };
        let labels: BTreeSet<_> =
            self.named().chain(self.labels.iter().map(String::as_str)).collect();
        if self.labeled > 0 || self.unlabeled == 0 {
            commands.push(run(&labels.into_iter().collect::<Vec<_>>(), self.unnamed()));
        }
        if self.unlabeled > 0 {
            commands.push(run(&[], 0));
        }
        commands.join(", then ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::running::fixtures::job_view;

    fn left(jobs: &[(&str, JobStatus, &[&str])]) -> Left {
        let owned = |labels: &[&str]| labels.iter().map(|label| (*label).to_owned()).collect();
        let mut left = Left { labels: owned(&["cpu"]), ..Left::default() };
        for (name, status, labels) in jobs {
            left.add(&JobView { labels: owned(labels), status: *status, ..job_view(name) });
        }
        left
    }

    #[test]
    fn labels_that_are_missing_are_named_with_the_command_that_has_them() {
        let left = left(&[
            ("train", JobStatus::Ready, &["cpu", "gpu"]),
            ("test", JobStatus::Blocked, &["big", "gpu"]),
            ("plot", JobStatus::Blocked, &["cpu"]),
        ]);
        let sentence = "2 jobs have labels that this run has not: big, gpu; 1 job waits for these";
        assert_eq!(left.sentence(), sentence);
        assert_eq!(left.remedy(WorkflowId(4), ""), "`torcctl run 4 --label big,cpu,gpu`");
    }

    #[test]
    fn of_many_labels_only_the_first_are_named() {
        let labels: Vec<_> = (10..30).map(|number| format!("l{number}")).collect();
        let labels: Vec<_> = labels.iter().map(String::as_str).collect();
        let left = left(&[("a", JobStatus::Ready, &labels)]);
        let sentence = "1 job has labels that this run has not: \
                        l10, l11, l12, l13, l14, l15, l16, l17 and 12 more";
        assert_eq!(left.sentence(), sentence);
        let remedy =
            "`torcctl run 4 --label cpu,l10,l11,l12,l13,l14,l15,l16,l17` with 12 more labels";
        assert_eq!(left.remedy(WorkflowId(4), ""), remedy);
    }

    #[test]
    fn jobs_without_labels_are_for_a_run_without() {
        let left = left(&[("a", JobStatus::Ready, &[]), ("b", JobStatus::Ready, &["gpu"])]);
        let sentence = "1 job has labels that this run has not: gpu; 1 job has no labels, which \
                        this run has";
        assert_eq!(left.sentence(), sentence);
        let remedy = "`torcctl run 4 --label cpu,gpu`, then `torcctl run 4`";
        assert_eq!(left.remedy(WorkflowId(4), ""), remedy);
    }

    #[test]
    fn disabled_jobs_are_enabled_first() {
        let disabled = JobStatus::Disabled;
        let left = left(&[("a", disabled, &[]), ("b", disabled, &["x"])]);
        assert_eq!(left.sentence(), "2 jobs are disabled: a and others");
        let expected =
            "`torcctl jobs enable a -w 4 --db x.db`, then `torcctl run 4 --label cpu --db x.db`";
        assert_eq!(left.remedy(WorkflowId(4), " --db x.db"), expected);
    }
}
