//! What signals do to a workflow that runs: the first stops it, the second kills.
//!
//! A task of its own listens, so that a stdout that nobody reads cannot keep a Ctrl-C from the jobs.
//! Nothing is stopped but what this run has begun: after its end the workflow may be another's.

use std::path::PathBuf;

use tokio::sync::{mpsc, watch};
use torc_protocol::id::WorkflowId;
use torc_protocol::request::{Cancel, WorkflowSelector};
use torc_protocol::time::Span;

use crate::client::Client;
use crate::signals::{EndSignal, Signals};

/// The signals that came, for those who tell the user.
#[derive(Debug)]
pub(crate) struct Stop {
    received: mpsc::UnboundedReceiver<EndSignal>,
    running: watch::Sender<Option<Running>>,
    first: Option<EndSignal>,
    count: u32,
}

/// A workflow that is ours to stop.
#[derive(Clone, Debug)]
struct Running {
    socket: PathBuf,
    workflow: WorkflowId,
}

impl Stop {
    /// Begins to act upon `signals`: they stop `workflow`, until [`Self::workflow_ended`].
    pub(crate) fn listen(signals: Signals, socket: PathBuf, workflow: WorkflowId) -> Self {
        Self::start(signals, Some(Running { socket, workflow }))
    }

    /// Begins to listen to `signals` where nothing of ours runs.
    pub(crate) fn idle(signals: Signals) -> Self {
        Self::start(signals, None)
    }

    fn start(signals: Signals, running: Option<Running>) -> Self {
        let (sender, received) = mpsc::unbounded_channel();
        let (running, ours) = watch::channel(running);
        tokio::spawn(act(signals, sender, ours));
        Self { received, running, first: None, count: 0 }
    }

    /// Leaves the workflow alone from now on: it has ended, and somebody else may run it again.
    pub(crate) fn workflow_ended(&self) {
        self.running.send_replace(None);
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
        tokio::spawn(deliver(self.running.subscribe(), None));
    }
}

async fn act(
    mut signals: Signals,
    sender: mpsc::UnboundedSender<EndSignal>,
    running: watch::Receiver<Option<Running>>,
) {
    let mut grace = None;
    loop {
        let signal = signals.next().await;
        tokio::spawn(deliver(running.clone(), grace));
        grace = Some(Span(0));
        if sender.send(signal).is_err() {
            return;
        }
    }
}

/// Cancels on a connection of its own, because the first one is streaming. That the workflow has
/// ended meanwhile is no failure, and of a lost daemon the watch tells.
async fn deliver(running: watch::Receiver<Option<Running>>, grace: Option<Span>) {
    let Some(Running { socket, workflow }) = running.borrow().clone() else { return };
    let Ok(mut client) = Client::connect(&socket).await else { return };
    // Looked at again: it may have ended while we connected.
    if running.borrow().is_some() {
        let workflow = WorkflowSelector::Id(workflow);
        drop(client.call(Cancel { workflow, jobs: Vec::new(), grace }).await);
    }
}
