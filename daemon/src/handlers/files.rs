//! `files list`, and who uses which file.

use torc_protocol::request::{ListFileUses, ListFiles};

use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, list};
use crate::store::query::files;

pub(super) async fn list(
    request: ListFiles,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = handlers.workflow(request.workflow.clone()).await?.id;
    list::send(handlers, client, move |connection, each| {
        files::list(connection, workflow, &request, each)
    })
    .await
}

pub(super) async fn uses(
    request: ListFileUses,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = handlers.workflow(request.workflow).await?.id;
    list::send(handlers, client, move |connection, each| files::uses(connection, workflow, each))
        .await
}
