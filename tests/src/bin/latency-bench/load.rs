//! The clients, and what they ask.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use torc_protocol::id::JobId;
use torc_protocol::id::WorkflowId;
use torc_protocol::request::{
    Explain, GetJob, JobSelector, ListJobs, ListResults, ListWorkflows, Logs, Page, Status,
    WorkflowSelector,
};
use torc_protocol::status::JobStatus;
use torc_tests::client::Client;

use crate::fill;

/// How many ask at a time.
const CLIENTS: u32 = 20;
/// How long after one request of a client the next is due.
const PERIOD: Duration = Duration::from_millis(100);
/// How long a page is.
const PAGE: u64 = 50;

/// What a client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verb {
    Status,
    Jobs,
    JobsFiltered,
    Results,
    Job,
    Explain,
    Workflows,
    Submit,
    Logs,
}

/// What is asked, as often as it stands here.
const MIX: [Verb; 20] = [
    Verb::Status,
    Verb::Jobs,
    Verb::JobsFiltered,
    Verb::Results,
    Verb::Job,
    Verb::Status,
    Verb::Jobs,
    Verb::JobsFiltered,
    Verb::Results,
    Verb::Job,
    Verb::Explain,
    Verb::Jobs,
    Verb::Workflows,
    Verb::Results,
    Verb::Job,
    Verb::Status,
    Verb::Submit,
    Verb::Jobs,
    Verb::JobsFiltered,
    Verb::Logs,
];

/// A request that was answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) verb: Verb,
    /// From when it was due.
    pub(crate) took: Duration,
}

/// Has all clients ask for so long, and returns every answer. The first workflow has `jobs` jobs.
pub(crate) fn run(socket: &Path, length: Duration, jobs: u32) -> anyhow::Result<Vec<Answer>> {
    let begin = Instant::now() + Duration::from_millis(100);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::connect(socket)?;
            let first = begin + PERIOD * number / CLIENTS;
            Ok(thread::spawn(move || ask(client, number, first, begin + length, jobs)))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut answers = Vec::new();
    for client in clients {
        answers.extend(client.join().map_err(|_| anyhow!("a client has panicked"))??);
    }
    Ok(answers)
}

fn ask(
    mut client: Client,
    number: u32,
    first: Instant,
    end: Instant,
    jobs: u32,
) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    let mut turn = number;
    let mut due = first;
    while due < end {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let verb = MIX[turn as usize % MIX.len()];
        // Scattered, and the same on every machine.
        request(&mut client, verb, u64::from(turn.wrapping_mul(2_654_435_761) % jobs))?;
        answers.push(Answer { verb, took: due.elapsed() });
        turn += 7;
        due += PERIOD;
    }
    Ok(answers)
}

/// Asks something, about the job of that place where it is about one, and takes the whole answer.
fn request(client: &mut Client, verb: Verb, place: u64) -> anyhow::Result<()> {
    let workflow = WorkflowSelector::Id(WorkflowId(1));
    let job = JobSelector::Id(JobId(place + 1));
    let page = Page { offset: place % 100, limit: Some(PAGE), ..Page::default() };
    match verb {
        Verb::Status => drop(client.call(Status)?),
        Verb::Jobs => list(client, ListJobs { workflow, page, ..ListJobs::default() })?,
        Verb::JobsFiltered => {
            // Some ten jobs. One that finds many, or has to look at all, takes as long as it takes.
            let (status, name) = (vec![JobStatus::Completed], Some(format!("job{}*", place / 10)));
            let page = Page { limit: Some(PAGE), ..Page::default() };
            list(client, ListJobs { workflow, status, name, page, ..ListJobs::default() })?;
        }
        Verb::Results => list(client, ListResults { workflow, page, ..ListResults::default() })?,
        Verb::Job => drop(client.call(GetJob { job })?),
        Verb::Explain => drop(client.call(Explain { job })?),
        Verb::Workflows => list(client, ListWorkflows { page, ..ListWorkflows::default() })?,
        Verb::Submit => fill::submit(client, 3, "true", None, false)?,
        Verb::Logs => {
            let (stdout_offset, stderr_offset, limit) = (0, 0, 64 * 1024);
            let logs =
                Logs { job, attempt: None, stdout_offset, stderr_offset, limit, wait: false };
            drop(client.call(logs)?);
        }
    }
    Ok(())
}

fn list<C>(client: &mut Client, call: C) -> anyhow::Result<()>
where
    C: torc_protocol::call::Call<Count = torc_protocol::call::Many>,
{
    client.send(call)?;
    while client.part::<C>()?.is_some() {}
    Ok(())
}
