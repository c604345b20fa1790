//! The warning that comes before a reply while snapshots fail: once a connection, each time they
//! begin to.

use torc_protocol::connection::ConnectionError;
use torc_protocol::response::{RequestError, Response};
use torc_protocol::view::SnapshotStatusView;

use crate::dispatcher::input::{Input, Totals};
use crate::handlers::client::Client;
use crate::handlers::{Handlers, Writing};

impl Handlers {
    /// Tells a client that snapshots fail, if they do and it does not know.
    ///
    /// # Errors
    ///
    /// When the client has gone.
    pub async fn warn(&self, client: &mut Client) -> Result<(), ConnectionError> {
        let Some(writing) = &self.writing else { return Ok(()) };
        let failing = writing.snapshots.failing();
        if failing.is_none() || client.knows_of == failing {
            client.knows_of = failing;
            return Ok(());
        }
        // Without an answer the daemon is ending, and how much is not saved is told at its end.
        let status = writing.snapshots.status();
        if status.failing_since.is_none() {
            // They are good again this moment.
            return Ok(());
        }
        let Ok((_, status)) = with_changes(writing, status).await else { return Ok(()) };
        client.knows_of = failing;
        client.send(Response::Degraded(Box::new(status))).await
    }
}

/// Fills in how much was recorded since the last snapshot, and returns what else is known with it.
pub(super) async fn with_changes(
    writing: &Writing,
    mut status: SnapshotStatusView,
) -> Result<(Totals, SnapshotStatusView), RequestError> {
    let totals = writing.dispatcher.ask(|reply| Input::Totals { reply }).await?;
    let known = status.last.as_ref().map_or(0, |last| last.changes);
    status.changes_since = totals.changes.saturating_sub(known);
    Ok((totals, status))
}
