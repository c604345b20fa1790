//! `run ID` and `retry`: a workflow that has ended is run again.

use torc_protocol::request::{Restart, Watch, WorkflowSelector};

use crate::dispatcher::input::Input;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, watch};

pub(super) async fn handle(
    request: Restart,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let dispatcher = &handlers.writing()?.dispatcher;
    let wants_events = request.watch;
    let request = Box::new(request);
    let (submitted, live) = dispatcher.ask(|reply| Input::Restart { request, reply }).await?;
    let id = submitted.workflow_id;
    client.send(submitted).await?;
    match live {
        Some(live) => watch::stream(live, 0, handlers, client).await,
        // Nobody else can watch now, which the client is told.
        None if wants_events => {
            let request = Watch { workflow: WorkflowSelector::Id(id), from_seq: None };
            watch::handle(request, handlers, client).await
        }
        None => Ok(()),
    }
}
