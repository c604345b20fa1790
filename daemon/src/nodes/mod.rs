//! The workers, as torcd sees them. For now one, on this host.

pub mod local;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{mpsc, oneshot};
use torc_protocol::id::AttemptId;
use torc_protocol::resources::NodeResources;
use torc_protocol::result::LogPart;
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

use crate::sys;
use crate::sys::process::Held;

/// What a node tells the daemon.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "all but the last are the large one")]
pub enum NodeEvent {
    /// Its worker says something.
    Message(WorkerEvent),
    /// Its worker is gone; nothing more will come.
    Gone {
        /// Why, in words.
        reason: String,
    },
}

/// Stdout and stderr of a running attempt; none when it is not running there (any more).
pub type Tails = Option<(LogPart, LogPart)>;

/// A way to talk to a node's worker. What is sent after the worker has gone is dropped.
#[derive(Clone, Debug)]
pub struct Node {
    /// The process that was started; the worker is a child of it.
    guard: u32,
    /// The worker itself, once it has told its number.
    process: Arc<OnceLock<Held>>,
    requests: mpsc::UnboundedSender<WorkerRequest>,
    tails: Arc<TailRequests>,
}

/// The node of this host, whose worker may be replaced by another.
#[derive(Clone, Debug)]
pub struct LocalNode(Arc<Mutex<(Node, NodeResources)>>);

impl LocalNode {
    /// Returns the node with its first worker.
    #[must_use]
    pub fn new(worker: Node) -> Self {
        Self(Arc::new(Mutex::new((worker, NodeResources::default()))))
    }

    /// Returns a way to talk to the present worker.
    #[must_use]
    pub fn worker(&self) -> Node {
        self.lock().0.clone()
    }

    /// Returns what the node has, as far as its worker has told.
    #[must_use]
    pub fn resources(&self) -> NodeResources {
        self.lock().1.clone()
    }

    /// Takes note that there is another worker.
    pub fn replace(&self, worker: Node) {
        self.lock().0 = worker;
    }

    /// Takes note of what the node has.
    pub fn set_resources(&self, resources: NodeResources) {
        self.lock().1 = resources;
    }

    fn lock(&self) -> MutexGuard<'_, (Node, NodeResources)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests for output that wait for their answers.
#[derive(Debug, Default)]
struct TailRequests {
    last: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Tails>>>,
}

impl TailRequests {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Tails>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which part of the output of a running attempt is wanted.
#[derive(Clone, Copy, Debug)]
pub struct TailRequest {
    /// Whose.
    pub attempt: AttemptId,
    /// From which byte of stdout on.
    pub stdout_offset: u64,
    /// From which byte of stderr on.
    pub stderr_offset: u64,
    /// At most so many bytes of each.
    pub limit: u32,
    /// Whether to wait until there is something.
    pub wait: bool,
}

impl Node {
    /// Sends a request.
    pub fn send(&self, request: WorkerRequest) {
        // A worker that is gone has said so by an event of its own.
        let _ = self.requests.send(request);
    }

    /// Kills a worker that does not do as it is told. Its jobs die with it, and its guard ends what
    /// they have left.
    pub fn kill(&self) {
        match self.process.get() {
            Some(process) => process.kill(),
            // It has no jobs yet, and dies with its guard.
            None => sys::process::kill(self.guard),
        }
    }

    /// Returns the process group of the worker and its guard.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.guard
    }

    /// Asks for output. Whoever stops waiting for the answer is forgotten.
    pub async fn tail(&self, request: TailRequest) -> Tails {
        let id = self.tails.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.tails.waiting().insert(id, sender);
        let _waiting = Waiting { id, tails: &self.tails };
        let TailRequest { attempt, stdout_offset, stderr_offset, limit, wait } = request;
        self.send(WorkerRequest::Tail { id, attempt, stdout_offset, stderr_offset, limit, wait });
        if self.requests.is_closed() {
            return None;
        }
        receiver.await.unwrap_or(None)
    }

    /// Returns how many requests for output wait for their answers.
    #[cfg(test)]
    pub(crate) fn waiting_for_output(&self) -> usize {
        self.tails.waiting().len()
    }

    /// Returns a node without a worker, and the requests that it is sent.
    #[cfg(test)]
    pub(crate) fn fake() -> (Self, mpsc::UnboundedReceiver<WorkerRequest>) {
        let (requests, receiver) = mpsc::unbounded_channel();
        (Self { guard: 0, process: Arc::default(), requests, tails: Arc::default() }, receiver)
    }
}

/// A request that waits for its answer; forgotten when whoever asked has gone.
struct Waiting<'a> {
    id: u64,
    tails: &'a TailRequests,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.tails.waiting().remove(&self.id);
    }
}
