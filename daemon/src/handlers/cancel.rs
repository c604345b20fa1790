//! `cancel`.

use torc_protocol::request::Cancel;

use crate::dispatcher::input::Input;
use crate::handlers::Handlers;
use crate::handlers::client::{Client, Failure};

pub(super) async fn handle(
    request: Cancel,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let dispatcher = &handlers.writing()?.dispatcher;
    let canceled = dispatcher.ask(|reply| Input::Cancel { request, reply }).await?;
    Ok(client.send(canceled).await?)
}
