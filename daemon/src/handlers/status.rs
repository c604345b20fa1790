//! `status`.

use torc_protocol::hello::PACKAGE_VERSION;
use torc_protocol::resources::NodeResources;
use torc_protocol::view::{SnapshotStatusView, StatusView};

use crate::dispatcher::input::Totals;
use crate::handlers::Handlers;
use crate::handlers::client::{Client, Failure};
use crate::handlers::degraded::with_changes;

pub(super) async fn handle(handlers: &Handlers, client: &mut Client) -> Result<(), Failure> {
    let identity = &handlers.identity;
    let (totals, node, snapshot) = match &handlers.writing {
        Some(writing) => {
            let (totals, snapshot) = with_changes(writing, writing.snapshots.status()).await?;
            (totals, writing.node.resources(), snapshot)
        }
        None => {
            let node = NodeResources { host: identity.host.clone(), ..NodeResources::default() };
            (Totals::default(), node, SnapshotStatusView::default())
        }
    };
    let view = StatusView {
        version: PACKAGE_VERSION.to_owned(),
        pid: std::process::id(),
        socket: identity.socket.display().to_string(),
        started_at: identity.started_at,
        database: handlers.residence.describe(),
        in_memory: identity.in_memory,
        read_only: handlers.writing.is_none(),
        log: identity.log.clone(),
        unit: identity.unit.clone(),
        node,
        running_workflows: totals.workflows,
        jobs: totals.jobs,
        snapshot,
    };
    Ok(client.send(view).await?)
}
