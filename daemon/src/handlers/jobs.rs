//! `jobs list` and `jobs get`.

use torc_protocol::request::{GetJob, ListJobs};
use torc_protocol::response::JobDetail;

use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, list};
use crate::store::query::{jobs, results};

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
    let read = handlers.read(move |connection| Ok(results::of_job(connection, id))).await?;
    let attempts = read.map_err(list::refusal)?;
    Ok(client.send(JobDetail { job, attempts }).await?)
}
