//! `workflows list`.

use torc_protocol::request::ListWorkflows;

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
