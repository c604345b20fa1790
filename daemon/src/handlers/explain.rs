//! `explain`: why a job is as it is.

use torc_protocol::request::Explain;

use crate::dispatcher::explain;
use crate::dispatcher::input::Input;
use crate::handlers::Handlers;
use crate::handlers::client::{Client, Failure};

pub(super) async fn handle(
    request: Explain,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let job = request.job;
    let explanation = match &handlers.writing {
        Some(writing) => writing.dispatcher.ask(|reply| Input::Explain { job, reply }).await?,
        // Nothing goes on in a file that is only read.
        None => {
            let job = handlers.job(job).await?;
            handlers.read(move |connection| explain::at_rest(connection, job)).await?
        }
    };
    Ok(client.send(explanation).await?)
}
