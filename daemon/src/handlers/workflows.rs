//! `workflows list`, `get` and `delete`.

use torc_protocol::request::{DeleteWorkflow, GetWorkflow, ListWorkflows};

use crate::dispatcher::input::Input;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, list};
use crate::store::query::workflows;

pub(super) async fn list(
    request: ListWorkflows,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    list::send(handlers, client, move |connection, each| {
        workflows::list(connection, &request, each)
    })
    .await
}

pub(super) async fn get(
    request: GetWorkflow,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = handlers.workflow(request.workflow).await?;
    Ok(client.send(workflow).await?)
}

pub(super) async fn delete(
    request: DeleteWorkflow,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = request.workflow;
    let dispatcher = &handlers.writing()?.dispatcher;
    let deleted = dispatcher.ask(|reply| Input::Delete { workflow, reply }).await?;
    Ok(client.send(deleted).await?)
}
