//! `jobs list`, `get`, `disable` and `enable`, and which job waits for which.

use torc_protocol::request::{GetJob, ListEdges, ListJobs, SetDisabled};
use torc_protocol::response::JobDetail;

use crate::dispatcher::input::Input;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, list};
use crate::store::query::{jobs, results};
use crate::store::tables::{file, job};

pub(super) async fn list(
    request: ListJobs,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = handlers.workflow(request.workflow.clone()).await?.id;
    list::send(handlers, client, move |connection, each| {
        jobs::list(connection, workflow, &request, each)
    })
    .await
}

pub(super) async fn get(
    request: GetJob,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let job = handlers.job(request.job).await?;
    let id = job.id;
    let read = handlers.read(move |connection| {
        let (depends_on, files) = (job::depends_on(connection, id)?, file::uses(connection, id)?);
        Ok((results::of_job(connection, id), depends_on, files))
    });
    let (attempts, mut depends_on, mut files) = read.await?;
    let mut attempts = attempts.map_err(list::refusal)?;
    // Its command is that of the job, and the first ones say less than the last.
    attempts.iter_mut().for_each(|attempt| attempt.command.clear());
    attempts.drain(..attempts.len().saturating_sub(JobDetail::MOST));
    depends_on.truncate(JobDetail::MOST);
    files.truncate(JobDetail::MOST);
    Ok(client.send(JobDetail { job, attempts, depends_on, files }).await?)
}

pub(super) async fn edges(
    request: ListEdges,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = handlers.workflow(request.workflow).await?.id;
    list::send(handlers, client, move |connection, each| jobs::edges(connection, workflow, each))
        .await
}

pub(super) async fn set_disabled(
    request: SetDisabled,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let dispatcher = &handlers.writing()?.dispatcher;
    let disabled = dispatcher.ask(|reply| Input::SetDisabled { request, reply }).await?;
    Ok(client.send(disabled).await?)
}
