//! The wish to end once the jobs that run have ended by themselves.
//!
//! Until then nothing starts, and all else goes on: what is submitted is recorded, and left for the
//! next daemon. A client takes its wish back by closing its connection; when no wish is left, jobs
//! start again. That of a signal is for good.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use torc_protocol::response::SnapshotProgress;

use crate::dispatcher::input::{DispatcherHandle, Input, Left};
use crate::handlers::shutdown::ShutdownRequest;

/// Those who wait, if anybody does.
pub(super) struct Waiting {
    dispatcher: Option<DispatcherHandle>,
    left: Option<watch::Receiver<Left>>,
    clients: Vec<ShutdownRequest>,
    /// It is not only clients who wait.
    for_good: bool,
}

impl Waiting {
    /// Nobody waits yet. Without a dispatcher nothing runs.
    pub(super) fn new(dispatcher: Option<DispatcherHandle>) -> Self {
        Self { dispatcher, left: None, clients: Vec::new(), for_good: false }
    }

    /// Waits for good.
    pub(super) fn begin_for_good(&mut self) {
        self.for_good = true;
        self.hold();
    }

    /// Waits as long as this client does.
    pub(super) fn begin(&mut self, client: ShutdownRequest) {
        if let Some(left) = &self.left {
            tell(&client, *left.borrow());
        }
        self.clients.push(client);
        self.hold();
    }

    fn hold(&mut self) {
        if let (Some(dispatcher), None) = (&self.dispatcher, &self.left) {
            let (left, receiver) = watch::channel(Left::default());
            tracing::info!("nothing is started any more: torcd ends when what runs has ended");
            dispatcher.send(Input::Hold { left });
            self.left = Some(receiver);
        }
    }

    /// Waits until somebody waits and nothing runs any more. Safe to drop and call again.
    pub(super) async fn end(&mut self) {
        loop {
            let Some(left) = &mut self.left else {
                if self.clients.is_empty() && !self.for_good {
                    std::future::pending::<()>().await;
                }
                return;
            };
            let mut gone: FuturesUnordered<_> =
                self.clients.iter().map(|client| client.progress.closed()).collect();
            tokio::select! {
                changed = left.changed() => {
                    if changed.is_err() {
                        // The dispatcher is gone, which others see to.
                        std::future::pending::<()>().await;
                    }
                    let left = *left.borrow_and_update();
                    if left.ended {
                        return;
                    }
                    self.clients.iter().for_each(|client| tell(client, left));
                }
                Some(()) = gone.next() => {}
            }
            drop(gone);
            self.clients.retain(|client| !client.progress.is_closed());
            if self.clients.is_empty() && !self.for_good {
                self.take_back();
            }
        }
    }

    fn take_back(&mut self) {
        self.left = None;
        if let Some(dispatcher) = &self.dispatcher {
            tracing::info!("jobs are started again: nobody waits for their end any more");
            dispatcher.send(Input::GoOn);
        }
    }

    /// Returns the clients who wait.
    pub(super) fn into_clients(self) -> Vec<ShutdownRequest> {
        self.clients
    }
}

fn tell(client: &ShutdownRequest, left: Left) {
    if left.running > 0 {
        // It may have gone.
        let _ = client.progress.send(SnapshotProgress::Jobs(left.running));
    }
}
