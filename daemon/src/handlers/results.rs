//! `results list`.

use torc_protocol::request::ListResults;

use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, list};
use crate::store::query::results;

pub(super) async fn list(
    request: ListResults,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = handlers.workflow(request.workflow.clone()).await?.id;
    list::send(handlers, client, move |connection, each| {
        results::list(connection, workflow, &request, each)
    })
    .await
}
