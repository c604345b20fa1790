//! `snapshot`.

use std::path::PathBuf;
use std::time::Duration;

use torc_protocol::request::{Snapshot, SnapshotWait};
use torc_protocol::response::{ErrorCode, RequestError, SnapshotProgress};
use torc_protocol::view::SnapshotPhase;

use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, end};

pub(super) async fn handle(
    request: Snapshot,
    handlers: &Handlers,
    client: &mut Client,
) -> Result<(), Failure> {
    let path = request.path.map(PathBuf::from);
    if let Some(path) = path.as_ref().filter(|path| !path.is_absolute()) {
        let message = format!("'{}' is not an absolute path", path.display());
        return Err(RequestError::new(ErrorCode::InvalidRequest, message).into());
    }
    let snapshots = &handlers.writing()?.snapshots;
    let mut progress = snapshots.request(path);
    let limit = match request.wait {
        SnapshotWait::No => {
            client.send(SnapshotProgress::Queued).await?;
            return end(client).await;
        }
        SnapshotWait::Forever => None,
        SnapshotWait::AtMost(span) => Some(tokio::time::Instant::now() + Duration::from(span)),
    };
    let mut phase = SnapshotPhase::Waiting;
    loop {
        let next = async {
            tokio::select! {
                next = progress.recv() => next,
                () = until(limit) => Some(SnapshotProgress::TimedOut(phase)),
            }
        };
        let Some(next) = client.unless_gone(next).await? else {
            return Err(RequestError::new(ErrorCode::Unavailable, "torcd is ending").into());
        };
        let last = !matches!(next, SnapshotProgress::Phase(_));
        if let SnapshotProgress::Phase(now) = &next {
            phase = *now;
        }
        client.send(next).await?;
        if last {
            return end(client).await;
        }
    }
}

async fn until(limit: Option<tokio::time::Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}
