//! `shutdown`: asks the daemon to end, and tells the client how its final snapshot comes along.

use tokio::sync::{mpsc, oneshot};
use torc_protocol::request::{RunningJobs, Shutdown};
use torc_protocol::response::{ErrorCode, RequestError, SnapshotProgress};
use torc_protocol::time::Span;

use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, end};

/// Somebody asks the daemon to end.
#[derive(Debug)]
pub struct ShutdownRequest {
    /// How long jobs have from SIGTERM to SIGKILL, instead of what their settings say.
    pub grace: Option<Span>,
    /// What becomes of those that run.
    pub running: RunningJobs,
    /// Where to say how the end comes along; closed when the client has gone.
    pub progress: mpsc::UnboundedSender<SnapshotProgress>,
    /// Closed when the client has been told the last of it.
    pub told: oneshot::Sender<()>,
}

/// Where the end of the daemon is asked for.
pub type ShutdownSender = mpsc::UnboundedSender<ShutdownRequest>;

pub(super) async fn handle(
    request: Shutdown,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let (progress, mut receiver) = mpsc::unbounded_channel();
    let (told, _told) = oneshot::channel();
    let order = ShutdownRequest { grace: request.grace, running: request.running, progress, told };
    if handlers.shutdown.send(order).is_err() {
        return Err(RequestError::new(ErrorCode::Unavailable, "torcd is ending").into());
    }
    // A client that goes takes back its wish to wait for jobs.
    while let Some(progress) = client.unless_gone(receiver.recv()).await? {
        client.send(progress).await?;
    }
    end(client).await
}
