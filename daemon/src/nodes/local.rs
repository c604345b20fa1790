//! The worker on this host, on a socketpair: a child of its guard, which is a child of ours.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, FramedWrite};
use torc_protocol::codec::Codec;
use torc_protocol::connection::HELLO_TIMEOUT;
use torc_protocol::hello;
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

use crate::nodes::{Node, NodeEvent, TailRequests};
use crate::sys;
use crate::sys::process::Held;

/// How long a worker that we no longer talk to has to end its jobs and itself.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The code with which a guard ends whose worker was ended by a signal is its number and this.
const SIGNALED: i32 = 128;

type WorkerCodec = Codec<WorkerEvent, WorkerRequest>;

/// Starts a worker with its guard, and returns how to talk to it. What it says goes to `events`, last of all that
/// it is gone.
///
/// It notes in `journal`, a file in memory, which attempts it begins; what an earlier worker has
/// noted there is removed.
///
/// Must be called within a tokio runtime.
///
/// # Errors
///
/// When no process can be made.
pub fn start(
    journal: &Path,
    events: impl Fn(NodeEvent) + Send + Sync + 'static,
) -> io::Result<Node> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    let stream = UnixStream::from_std(ours)?;
    match std::fs::remove_file(journal) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let child = spawn(theirs.into(), journal)?;
    let (requests, receiver) = mpsc::unbounded_channel();
    let tails = Arc::new(TailRequests::default());
    let guard = child.id().unwrap_or(0);
    let node = Node { guard, process: Arc::default(), requests, tails };
    let heard = Heard { process: node.process.clone(), tails: node.tails.clone() };
    tokio::spawn(async move {
        let reason = talk(stream, child, receiver, &heard, &events).await;
        // Dropping the senders answers whoever waits for output.
        heard.tails.waiting().clear();
        events(NodeEvent::Gone { reason });
    });
    Ok(node)
}

fn spawn(socket: OwnedFd, journal: &Path) -> io::Result<Child> {
    let mut command = Command::new(sys::process::own_executable());
    command
        .arg0("torcd")
        .arg("worker")
        .arg("--journal")
        .arg(journal)
        .stdin(Stdio::from(socket.try_clone()?))
        .stdout(Stdio::from(socket))
        .process_group(0);
    for variable in sys::inherited::OF_A_SUPERVISOR {
        command.env_remove(variable);
    }
    tokio::process::Command::from(command).spawn()
}

/// What is known from what the worker says.
struct Heard {
    process: Arc<OnceLock<Held>>,
    tails: Arc<TailRequests>,
}

/// Talks to a worker until it is gone, and returns why it went.
async fn talk(
    mut stream: UnixStream,
    mut child: Child,
    requests: mpsc::UnboundedReceiver<WorkerRequest>,
    heard: &Heard,
    events: &(impl Fn(NodeEvent) + Sync),
) -> String {
    let greeted = tokio::time::timeout(HELLO_TIMEOUT, hello::exchange(&mut stream)).await;
    if let Ok(Ok(_)) = greeted {
        let (read, write) = stream.into_split();
        let writer = tokio::spawn(write_requests(write, requests));
        read_events(read, heard, events).await;
        writer.abort();
        // Ended for sure, or a request for output that comes now would wait for ever.
        let _ = writer.await;
    } else {
        drop(stream);
    }
    // It ends its jobs and itself when we are gone, and its guard what they have left. A worker that
    // does not is killed, and then a guard that does not: what is left becomes ours.
    let mut ended = tokio::time::timeout(EXIT_TIMEOUT, child.wait()).await;
    if let (Err(_), Some(process)) = (&ended, heard.process.get()) {
        process.kill();
        ended = tokio::time::timeout(EXIT_TIMEOUT, child.wait()).await;
    }
    let ended = match ended {
        Ok(ended) => ended,
        Err(_) => child.kill().await.and(child.wait().await),
    };
    match ended.map(|status| (status, status.code())) {
        Ok((_, Some(code))) if code > SIGNALED => {
            format!("the worker ended: {}", ExitStatus::from_raw(code - SIGNALED))
        }
        Ok((status, _)) => format!("the worker ended: {status}"),
        Err(error) => format!("the worker ended: {error}"),
    }
}

impl Heard {
    /// Takes hold of the worker.
    fn hold(&self, pid: u32) {
        match Held::new(pid) {
            // It says so once.
            Ok(process) => drop(self.process.set(process)),
            Err(error) => tracing::warn!("a worker that hangs could not be killed: {error}"),
        }
    }
}

async fn read_events(read: OwnedReadHalf, heard: &Heard, events: &(impl Fn(NodeEvent) + Sync)) {
    let mut frames = FramedRead::with_capacity(read, WorkerCodec::default(), 64 * 1024);
    loop {
        match frames.next().await {
            Some(Ok(WorkerEvent::Tailed { id, parts })) => {
                if let Some(waiting) = heard.tails.waiting().remove(&id) {
                    // Whoever asked may have gone.
                    let _ = waiting.send(parts);
                }
            }
            Some(Ok(event)) => {
                if let WorkerEvent::Ready { pid, .. } = event {
                    heard.hold(pid);
                }
                events(NodeEvent::Message(event));
            }
            Some(Err(error)) => {
                tracing::error!("the worker says what we do not understand: {error}");
                return;
            }
            None => return,
        }
    }
}

async fn write_requests(
    write: OwnedWriteHalf,
    mut requests: mpsc::UnboundedReceiver<WorkerRequest>,
) {
    let mut frames = FramedWrite::new(write, WorkerCodec::default());
    let mut waiting = Vec::new();
    while requests.recv_many(&mut waiting, 64).await > 0 {
        for request in waiting.drain(..) {
            if let Err(error) = frames.feed(request).await {
                tracing::warn!("cannot write to the worker: {error}");
                return;
            }
        }
        if let Err(error) = frames.flush().await {
            tracing::warn!("cannot write to the worker: {error}");
            return;
        }
    }
}
