//! `watch`: what is remembered, a mark, then live, until the workflow has ended.

use torc_protocol::event::{Event, EventKind};
use torc_protocol::request::Watch;
use torc_protocol::response::WatchItem;

use crate::dispatcher::input::{Input, Watching};
use crate::event_bus::Subscription;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, end};

/// So many bytes of events go into one frame, about.
const PART_BYTES: usize = 4 * 1024 * 1024;

/// So much memory the events take that are remembered, about.
const HISTORY_BYTES: usize = 4 * 1024 * 1024;

pub(super) async fn handle(
    request: Watch,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let Watch { workflow, from_seq } = request;
    let Some(writing) = &handlers.writing else {
        // Nothing happens to a file that is only read.
        let workflow = Box::new(handlers.workflow(workflow).await?);
        client.send(WatchItem::State { workflow, next_seq: 0 }).await?;
        client.send(WatchItem::CaughtUp { next_seq: 0 }).await?;
        return end(client).await;
    };
    // Taken before there is a history, because a thousand may ask for one and not read it.
    let room = if from_seq.is_some() { HISTORY_BYTES } else { 0 };
    client.account().hold(room).await?;
    let watching = writing.dispatcher.ask(|reply| Input::Watch { workflow, from_seq, reply }).await;
    let Watching { state, history, next_seq, live } =
        watching.inspect_err(|_| client.account().release(room))?;
    if let Some(workflow) = state {
        client.send(WatchItem::State { workflow: Box::new(workflow), next_seq }).await?;
    }
    send_events(&history, client).await?;
    drop(history);
    client.account().release(room);
    client.send(WatchItem::CaughtUp { next_seq }).await?;
    match live {
        Some(live) => stream(live, next_seq, handlers, client).await,
        None => end(client).await,
    }
}

/// Sends events in as many frames as they need.
async fn send_events(mut events: &[Event], client: &mut Client) -> Result<(), Failure> {
    while !events.is_empty() {
        let mut bytes = 0;
        let fits = |event: &&Event| {
            bytes += text_bytes(&event.kind);
            bytes <= PART_BYTES
        };
        let count = events.iter().take_while(fits).count().max(1);
        let (part, rest) = events.split_at(count);
        client.send(WatchItem::Events(part.to_vec())).await?;
        events = rest;
    }
    Ok(())
}

/// Returns how much room an event takes in a frame, about.
fn text_bytes(kind: &EventKind) -> usize {
    const NUMBERS: usize = 200;
    NUMBERS
        + match kind {
            EventKind::WorkflowSubmitted { name, .. }
            | EventKind::WorkflowRestarted { name, .. }
            | EventKind::JobStarted { name, .. } => name.len(),
            EventKind::JobFinished { name, reason, .. }
            | EventKind::ActionFinished { name, reason, .. } => name.len() + reason.len(),
            EventKind::JobsCanceled { .. } | EventKind::WorkflowFinished { .. } => 0,
        }
}

/// Sends events until the workflow has ended, the client has gone, or it is too slow.
pub(super) async fn stream(
    mut live: Subscription,
    mut next_seq: u64,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    loop {
        let Some(batch) = client.unless_gone(live.recv()).await? else {
            client.send(WatchItem::Cut { next_seq }).await?;
            return end(client).await;
        };
        let ended = batch.iter().any(|e| matches!(e.kind, EventKind::WorkflowFinished { .. }));
        next_seq = batch.last().map_or(next_seq, |event| event.seq + 1);
        handlers.warn(client).await?;
        send_events(&batch, client).await?;
        if ended {
            return end(client).await;
        }
    }
}
