//! `user-data list`.

use torc_protocol::request::ListUserData;

use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, list};
use crate::store::query::user_data;

pub(super) async fn list(
    request: ListUserData,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let workflow = handlers.workflow(request.workflow.clone()).await?.id;
    list::send(handlers, client, move |connection, each| {
        user_data::list(connection, workflow, &request, each)
    })
    .await
}
