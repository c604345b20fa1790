//! `run ID` and `retry`: a workflow that has ended is run again.

use torc_protocol::request::Restart;

use crate::dispatcher::input::Input;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, watch};

pub(super) async fn handle(
    request: Restart,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let dispatcher = &handlers.writing()?.dispatcher;
    let request = Box::new(request);
    let (submitted, live) = dispatcher.ask(|reply| Input::Restart { request, reply }).await?;
    client.send(submitted).await?;
    match live {
        Some(live) => watch::stream(live, 0, client).await,
        None => Ok(()),
    }
}
