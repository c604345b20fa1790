//! `torcctl workflows`: what was submitted.

mod delete;
mod get;
mod graph;
mod list;

use torc_protocol::status::JobStatus;
use torc_protocol::view::JobCounts;

use crate::context::Context;
use crate::error::CliError;

/// Show workflows, draw them, delete them
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    List(list::List),
    Get(get::Get),
    Graph(graph::Graph),
    Delete(delete::Delete),
}

/// Runs it.
///
/// # Errors
///
/// When the workflow does not exist, or nobody can be asked.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    match args.verb {
        Verb::List(args) => list::run(ctx, args).await,
        Verb::Get(args) => get::run(ctx, args).await,
        Verb::Graph(args) => graph::run(ctx, args).await,
        Verb::Delete(args) => delete::run(ctx, args).await,
    }
}

/// Returns `12: 10 completed, 2 failed`, without the states in which no job is.
pub(crate) fn counts(mut jobs: JobCounts) -> String {
    let states: Vec<String> = JobStatus::ALL
        .iter()
        .map(|status| (*jobs.of(*status), status))
        .filter(|(number, _)| *number > 0)
        .map(|(number, status)| format!("{number} {status}"))
        .collect();
    if states.is_empty() {
        "none".to_owned()
    } else {
        format!("{}: {}", jobs.total, states.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_leave_out_what_is_not_there() {
        let jobs = JobCounts { total: 12, completed: 10, failed: 2, ..JobCounts::default() };
        assert_eq!(counts(jobs), "12: 10 completed, 2 failed");
        assert_eq!(counts(JobCounts::default()), "none");
    }
}
