//! `torcctl workflows delete`.

use std::io::{self, BufRead, IsTerminal, Write};

use torc_protocol::request::{DeleteWorkflow, GetWorkflow, WorkflowSelector};
use torc_protocol::response::Deleted;
use torc_protocol::status::WorkflowStatus;
use torc_protocol::view::WorkflowView;

use crate::client::Client;
use crate::commands::{value, watching};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;
use crate::style::count;

const EXAMPLES: &str = "\
Examples:
  torcctl workflows delete 3               asks first
  torcctl workflows delete 3 4 night --yes

Exit codes: 1 the answer was not yes, 2 --yes is missing and nobody can be asked, 3 no torcd is
running, 6 there is no such workflow, 7 it is running; nothing is deleted in any of these cases";

/// What the output describes.
const NOUN: &str = "a deletion";

/// Delete workflows with all that is on record of them
///
/// Files that jobs have written stay, those of their output as well.
#[derive(clap::Args, Debug)]
#[command(visible_alias = "rm", after_help = EXAMPLES)]
pub(super) struct Delete {
    /// The workflows: their ids, names, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, required = true)]
    workflows: Vec<WorkflowSelector>,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(super) async fn run(ctx: &Context, args: Delete) -> Result<u8, CliError> {
    check_format(ctx.globals.format, NOUN)?;
    let mut client = ctx.writer().await?;
    let workflows = find(&mut client, args.workflows).await?;
    if !args.yes && !is_confirmed(&workflows)? {
        return Err(CliError::new(ErrorKind::Failed, "nothing was deleted"));
    }
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let mut deleted = Vec::new();
    let mut outcome = Ok(exit_code::DONE);
    for workflow in &workflows {
        match delete(&mut client, workflow).await {
            Ok(done) => deleted.push(done),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
        if !stdout.format.is_for_programs() && !ctx.globals.quiet {
            stdout.line(&format!("{} is deleted", in_words(workflow)))?;
        }
    }
    if stdout.format.is_for_programs() {
        write_json(stdout.format, NOUN, &deleted, stdout.open())?;
    }
    outcome
}

async fn delete(client: &mut Client, workflow: &WorkflowView) -> Result<Deleted, CliError> {
    client.call(DeleteWorkflow { workflow: WorkflowSelector::Id(workflow.id) }).await
}

/// Returns the workflows that are named, each once.
///
/// # Errors
///
/// When one does not exist or is running: then none is to be deleted.
async fn find(
    client: &mut Client,
    selectors: Vec<WorkflowSelector>,
) -> Result<Vec<WorkflowView>, CliError> {
    let mut workflows: Vec<WorkflowView> = Vec::new();
    for workflow in selectors {
        let workflow = client.call(GetWorkflow { workflow }).await?;
        if workflow.status == WorkflowStatus::Running {
            let message =
                format!("{} is running, and nothing was deleted", watching::name(&workflow));
            let id = workflow.id;
            return Err(CliError::new(ErrorKind::Refused, message).hint(format!(
                "`torcctl wait {id}` waits for its end, `torcctl cancel {id}` ends it"
            )));
        }
        if workflows.iter().all(|other| other.id != workflow.id) {
            workflows.push(workflow);
        }
    }
    Ok(workflows)
}

/// Asks whoever is at the terminal.
fn is_confirmed(workflows: &[WorkflowView]) -> Result<bool, CliError> {
    let stdin = io::stdin();
    if !(stdin.is_terminal() && io::stderr().is_terminal()) {
        let message = "there is no terminal to ask whether the workflows are to be deleted";
        return Err(CliError::usage(message).hint("add `--yes` when they are"));
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "{}", question(workflows))?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn question(workflows: &[WorkflowView]) -> String {
    match workflows {
        [workflow] => format!("delete {}? [y/N] ", in_words(workflow)),
        _ => {
            let names = workflows.iter().map(|workflow| format!("  {}\n", in_words(workflow)));
            format!(
                "{}delete these {}? [y/N] ",
                names.collect::<String>(),
                count(workflows.len() as u64, "workflow")
            )
        }
    }
}

/// Returns `workflow 3 'night' with 12 jobs`.
fn in_words(workflow: &WorkflowView) -> String {
    format!("{} with {}", watching::name(workflow), count(workflow.jobs.total, "job"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::fixtures::workflow;

    #[test]
    fn the_question_names_what_would_go() {
        let one = [workflow()];
        assert_eq!(question(&one), "delete workflow 3 'night' with 12 jobs? [y/N] ");
        let two = [workflow(), workflow()];
        let name = "  workflow 3 'night' with 12 jobs\n";
        assert_eq!(question(&two), format!("{name}{name}delete these 2 workflows? [y/N] "));
    }
}
