//! `--resume`: which commands completed before, and are left out.
//!
//! For each command the last workflow of the name that has it decides. So a run that has been
//! resumed can be resumed again, although its workflow holds only what was left then.

use std::collections::HashMap;

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{ListJobs, ListWorkflows, Page, WorkflowSelector};
use torc_protocol::spec::Command;
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::{JobView, WorkflowView};

use super::plan::Plan;
use crate::client::Client;
use crate::commands::running::submission::Submission;
use crate::error::{CliError, ErrorKind};
use crate::spec::quote::shell_line;
use crate::style::one_line;

/// What a resumed run finds.
#[derive(Debug)]
pub(super) struct Found {
    /// The last workflow of the name.
    pub(super) workflow: WorkflowView,
    /// How many commands of the plan completed before.
    pub(super) skipped: u64,
}

/// Leaves out of `plan` what completed before; none when there is no workflow of its name.
///
/// # Errors
///
/// When the last workflow of the name is running: what it still has to do would run twice.
pub(super) async fn resume(
    client: &mut Client,
    plan: &mut Plan,
) -> Result<Option<Found>, CliError> {
    let mut workflows = workflows(client, &plan.spec.name).await?;
    let Some(workflow) = workflows.pop() else { return Ok(None) };
    refuse_running(&workflow)?;
    let mut past = Past::new(plan.jobs().map(|job| text(&job.command)));
    past.workflow(client, workflow.id).await?;
    while past.undecided > 0
        && let Some(earlier) = workflows.pop()
    {
        past.workflow(client, earlier.id).await?;
    }
    plan.skipped = plan.jobs().map(|job| past.take(&text(&job.command))).collect();
    let skipped = plan.skipped.iter().filter(|skipped| **skipped).count() as u64;
    Ok(Some(Found { workflow, skipped }))
}

fn refuse_running(workflow: &WorkflowView) -> Result<(), CliError> {
    if workflow.status != WorkflowStatus::Running {
        return Ok(());
    }
    let (id, name) = (workflow.id, one_line(&workflow.name));
    let message = format!("'{name}' (workflow {id}) is running, and cannot be resumed");
    Err(CliError::new(ErrorKind::Refused, message).hint(format!(
        "wait for its end with `torcctl wait {id}`; or stop it first: `torcctl cancel {id}`"
    )))
}

/// Returns the workflows of this name, the first first.
async fn workflows(client: &mut Client, name: &str) -> Result<Vec<WorkflowView>, CliError> {
    let list = ListWorkflows { page: Page::default(), ..ListWorkflows::default() };
    client.stream(list).await?;
    let mut found = Vec::new();
    while let Some(workflows) = client.next::<ListWorkflows>().await? {
        found.extend(workflows.into_iter().filter(|workflow| workflow.name == name));
    }
    Ok(found)
}

/// Returns a command as torcd shows it.
fn text(command: &Command) -> String {
    match command {
        Command::Line(line) => line.clone(),
        Command::Argv(argv) => shell_line(argv),
    }
}

/// What became of commands before.
#[derive(Debug)]
struct Past {
    commands: HashMap<String, Fate>,
    /// How many of them no workflow had yet.
    undecided: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fate {
    decided_by: Option<WorkflowId>,
    /// How often it completed there; the same command may be given several times.
    completed: u64,
}

impl Past {
    fn new(commands: impl Iterator<Item = String>) -> Self {
        let commands: HashMap<_, _> = commands.map(|text| (text, Fate::default())).collect();
        let undecided = commands.len();
        Self { commands, undecided }
    }

    async fn workflow(&mut self, client: &mut Client, id: WorkflowId) -> Result<(), CliError> {
        client
            .stream(ListJobs { workflow: WorkflowSelector::Id(id), ..ListJobs::default() })
            .await?;
        while let Some(jobs) = client.next::<ListJobs>().await? {
            jobs.iter().for_each(|job| self.job(job));
        }
        Ok(())
    }

    /// Takes note of a job; those of later workflows come first.
    fn job(&mut self, job: &JobView) {
        let Some(fate) = self.commands.get_mut(&job.command) else { return };
        if fate.decided_by.is_none() {
            fate.decided_by = Some(job.workflow_id);
            self.undecided -= 1;
        }
        if fate.decided_by == Some(job.workflow_id) && job.status == JobStatus::Completed {
            fate.completed += 1;
        }
    }

    /// Returns whether one more job of this command need not run.
    fn take(&mut self, command: &str) -> bool {
        let Some(fate) = self.commands.get_mut(command) else { return false };
        let is_done = fate.completed > 0;
        fate.completed = fate.completed.saturating_sub(1);
        is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::running::fixtures::job_view;

    fn past(wanted: &[&str], jobs: &[(u64, &str, JobStatus)]) -> Vec<bool> {
        let mut past = Past::new(wanted.iter().map(|command| (*command).to_owned()));
        for (workflow, command, status) in jobs {
            past.job(&JobView {
                workflow_id: WorkflowId(*workflow),
                command: (*command).to_owned(),
                status: *status,
                ..job_view("job1")
            });
        }
        wanted.iter().map(|command| past.take(command)).collect()
    }

    #[test]
    fn only_what_completed_is_left_out() {
        let jobs = [
            (1, "a", JobStatus::Completed),
            (1, "b", JobStatus::Failed),
            (1, "c", JobStatus::Canceled),
            (1, "other", JobStatus::Completed),
        ];
        assert_eq!(past(&["a", "b", "c", "new"], &jobs), [true, false, false, false]);
    }

    #[test]
    fn the_last_workflow_that_has_a_command_decides() {
        let jobs = [
            (2, "a", JobStatus::Failed),
            (1, "a", JobStatus::Completed),
            (1, "b", JobStatus::Completed),
        ];
        assert_eq!(past(&["a", "b"], &jobs), [false, true]);
    }

    #[test]
    fn a_command_that_is_given_twice_must_have_completed_twice() {
        let jobs = [(1, "a", JobStatus::Completed), (1, "a", JobStatus::Failed)];
        assert_eq!(past(&["a", "a"], &jobs), [true, false]);
    }

    #[test]
    fn words_are_compared_as_they_are_shown() {
        assert_eq!(text(&Command::Argv(vec!["echo".to_owned(), "a b".to_owned()])), "echo 'a b'");
    }
}
