//! Sending a workflow: its head, then its jobs in chunks, then the commit that makes it visible.
//!
//! Until the commit nobody sees it, and it is dropped when our connection ends: all or nothing.

use torc_protocol::request::{Submit, SubmitCommit, SubmitJobs};
use torc_protocol::response::Submitted;
use torc_protocol::spec::{Command, JobSpec};

use super::plan::Plan;
use crate::client::Client;
use crate::error::CliError;

/// A chunk has at most so many jobs.
const CHUNK_JOBS: usize = 1_000;
/// A chunk ends with the job that brings its commands to this size, in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Sends everything but the commit.
pub(super) async fn send(client: &mut Client, plan: &Plan) -> Result<(), CliError> {
    client.call(Submit { spec: plan.spec.clone() }).await?;
    for jobs in chunks(plan.jobs.jobs(plan.priority)) {
        client.call(SubmitJobs { jobs }).await?;
    }
    Ok(())
}

/// Makes it visible. With `watch` its events follow on this connection.
pub(super) async fn commit(client: &mut Client, watch: bool) -> Result<Submitted, CliError> {
    client.call(SubmitCommit { watch }).await
}

fn chunks(jobs: impl Iterator<Item = JobSpec>) -> impl Iterator<Item = Vec<JobSpec>> {
    let mut jobs = jobs.peekable();
    std::iter::from_fn(move || {
        jobs.peek()?;
        let mut chunk = Vec::with_capacity(jobs.size_hint().0.clamp(1, CHUNK_JOBS));
        let mut bytes = 0;
        while chunk.len() < CHUNK_JOBS
            && bytes < CHUNK_BYTES
            && let Some(job) = jobs.next()
        {
            bytes += size(&job.command);
            chunk.push(job);
        }
        Some(chunk)
    })
}

fn size(command: &Command) -> usize {
    match command {
        Command::Line(line) => line.len(),
        Command::Argv(argv) => argv.iter().map(|word| word.len() + 1).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(count: usize, bytes: usize) -> impl Iterator<Item = JobSpec> {
        (0..count).map(move |index| JobSpec {
            name: format!("job{index}"),
            command: Command::Line("x".repeat(bytes)),
            priority: 0,
            settings: 0,
        })
    }

    fn lengths(count: usize, bytes: usize) -> Vec<usize> {
        chunks(jobs(count, bytes)).map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn chunks_are_bounded_in_jobs_and_in_bytes() {
        assert_eq!(lengths(2_500, 10), [1_000, 1_000, 500]);
        assert_eq!(lengths(5, 600 * 1024), [2, 2, 1]);
        assert_eq!(lengths(2, 5 * 1024 * 1024), [1, 1]);
        assert_eq!(lengths(0, 1), [0; 0]);
    }

    #[test]
    fn chunks_keep_the_order() {
        let names: Vec<_> = chunks(jobs(1_500, 1)).flatten().map(|job| job.name).collect();
        assert_eq!(names.len(), 1_500);
        assert_eq!((names[0].as_str(), names[1_499].as_str()), ("job0", "job1499"));
    }
}
