//! What signals do to a workflow that runs: the first stops it, the second kills.
//!
//! A task of its own listens, so that a stdout that nobody reads cannot keep a Ctrl-C from the jobs.

use std::path::PathBuf;

use tokio::sync::mpsc;
use torc_protocol::id::WorkflowId;
use torc_protocol::request::{Cancel, WorkflowSelector};
use torc_protocol::time::Span;

use crate::client::Client;
use crate::signals::{EndSignal, Signals};

/// The signals that came, for those who tell the user.
#[derive(Debug)]
pub(crate) struct Stop {
    received: mpsc::UnboundedReceiver<EndSignal>,
    socket: PathBuf,
    workflow: WorkflowId,
    first: Option<EndSignal>,
    count: u32,
}

impl Stop {
    /// Begins to act upon `signals`.
    pub(crate) fn listen(signals: Signals, socket: PathBuf, workflow: WorkflowId) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        tokio::spawn(act(signals, sender, socket.clone(), workflow));
        Self { received, socket, workflow, first: None, count: 0 }
    }

    /// Waits for the next signal. Safe to drop and call again.
    pub(crate) async fn next(&mut self) -> EndSignal {
        match self.received.recv().await {
            Some(signal) => {
                self.first.get_or_insert(signal);
                self.count += 1;
                signal
            }
            None => std::future::pending().await,
        }
    }

    /// Returns the signal that came first.
    pub(crate) fn first(&self) -> Option<EndSignal> {
        self.first
    }

    /// Returns how many have been told.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// Stops the workflow for another reason than a signal.
    pub(crate) fn cancel(&self) {
        tokio::spawn(deliver(self.socket.clone(), self.workflow, None));
    }
}

async fn act(
    mut signals: Signals,
    sender: mpsc::UnboundedSender<EndSignal>,
    socket: PathBuf,
    workflow: WorkflowId,
) {
    let mut grace = None;
    loop {
        let signal = signals.next().await;
        tokio::spawn(deliver(socket.clone(), workflow, grace));
        grace = Some(Span(0));
        if sender.send(signal).is_err() {
            return;
        }
    }
}

/// Cancels on a connection of its own, because the first one is streaming. That the workflow has
/// ended meanwhile is no failure, and of a lost daemon the watch tells.
async fn deliver(socket: PathBuf, workflow: WorkflowId, grace: Option<Span>) {
    if let Ok(mut client) = Client::connect(&socket).await {
        let workflow = WorkflowSelector::Id(workflow);
        drop(client.call(Cancel { workflow, jobs: Vec::new(), grace }).await);
    }
}
