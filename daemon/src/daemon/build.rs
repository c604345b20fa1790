//! Builds the parts from the bottom up, each with what it needs of those below.

use std::sync::Arc;
use std::sync::mpsc::channel;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use torc_protocol::time::Timestamp;

use crate::config::{Config, Database};
use crate::daemon::database::{JOURNAL_NAME, Opened};
use crate::daemon::start_error::StartError;
use crate::dispatcher::input::{DispatcherHandle, Input};
use crate::dispatcher::restore::Unfinished;
use crate::dispatcher::{Dispatcher, Parts};
use crate::handlers::shutdown::ShutdownSender;
use crate::handlers::{Handlers, Identity, Writing};
use crate::lines::Lines;
use crate::nodes::{LocalNode, NodeEvent, local};
use crate::server::Listening;
use crate::snapshot::snapshotter::{self, SnapshotHandle, Snapshotter};
use crate::snapshot::source::Source;
use crate::store::home::Home;
use crate::store::image::{Checkpointer, Copier};
use crate::store::reader::Reader;
use crate::store::tables::snapshot::Author;
use crate::store::writer::Writer;
use crate::sys;

/// A daemon that serves.
pub(super) struct Built {
    pub(super) core: Core,
    pub(super) front: Front,
    pub(super) opened: Opened,
    /// The jobs that have not started when it ends are canceled: nobody would go on with them.
    pub(super) private: bool,
}

/// What owns the truth; nothing in a daemon that only reads.
pub(super) struct Core {
    pub(super) writing: Option<CoreWriting>,
}

/// The parts of a daemon that writes.
pub(super) struct CoreWriting {
    pub(super) dispatcher: DispatcherHandle,
    /// Closed when its thread has ended, whatever ended it.
    pub(super) dispatcher_gone: oneshot::Receiver<()>,
    pub(super) node: LocalNode,
    pub(super) snapshots: SnapshotHandle,
    pub(super) snapshotter: JoinHandle<()>,
    pub(super) snapshot_timeout: std::time::Duration,
}

/// What clients see.
pub(super) struct Front {
    pub(super) stop: CancellationToken,
    pub(super) sessions: TaskTracker,
    pub(super) server: JoinHandle<()>,
}

impl Core {
    /// Takes a snapshot, and does not wait for it.
    pub(super) fn trigger_snapshot(&self) {
        if let Some(writing) = &self.writing {
            writing.snapshots.trigger();
        }
    }

    /// Waits until nobody owns the truth any more, which only a fault of ours brings about.
    pub(super) async fn lost(&mut self) {
        match &mut self.writing {
            Some(writing) => {
                // Nothing is ever sent there.
                let _ = (&mut writing.dispatcher_gone).await;
            }
            None => std::future::pending().await,
        }
    }
}

/// Builds a daemon.
///
/// # Errors
///
/// When a part cannot be had.
pub(super) fn build(
    config: Config,
    mut opened: Opened,
    listening: Listening,
    shutdown: ShutdownSender,
    stdout: &Lines,
) -> Result<Built, StartError> {
    let host = sys::host::host_name().map_err(StartError::system("name this host"))?;
    let identity = Identity {
        socket: config.socket.clone(),
        database: opened.home.describe(),
        in_memory: opened.home.is_memory(),
        host: host.clone(),
        started_at: Timestamp::now(),
    };
    let private = config.lifeline;
    let writing = match &config.database {
        Database::ReadOnly(_) => None,
        _ => Some(build_writing(config, &opened, host, stdout)?),
    };
    // What they hold is recorded now.
    std::mem::take(&mut opened.remains).clear();
    let handlers = Handlers {
        writing: writing.as_ref().map(|writing| Writing {
            dispatcher: writing.dispatcher.clone(),
            node: writing.node.clone(),
            snapshots: writing.snapshots.clone(),
        }),
        reader: Reader::open(&opened.home)?,
        shutdown,
        identity,
    };
    let front = build_front(listening, handlers);
    Ok(Built { core: Core { writing }, front, opened, private })
}

fn build_writing(
    config: Config,
    opened: &Opened,
    host: String,
    stdout: &Lines,
) -> Result<CoreWriting, StartError> {
    let store = Writer::open(&opened.home, opened.load.as_deref())?;
    let author = Author {
        instance: store.instance().to_owned(),
        host: host.clone(),
        boot_id: sys::host::boot_id().map_err(StartError::system("name this boot"))?,
        pid: std::process::id(),
    };
    let (inputs, receiver) = channel();
    let journal = opened.staging.join(JOURNAL_NAME);
    let dispatcher = DispatcherHandle::new(inputs);
    let start_worker = {
        let (dispatcher, runtime) = (dispatcher.clone(), tokio::runtime::Handle::current());
        let journal = journal.clone();
        Box::new(move || {
            let _within = runtime.enter();
            let dispatcher = dispatcher.clone();
            local::start(&journal, move |event: NodeEvent| dispatcher.send(Input::Node(event)))
        })
    };
    let node = LocalNode::new(start_worker().map_err(StartError::system("start a worker"))?);
    let unfinished = if config.lifeline { Unfinished::Settle } else { Unfinished::Resume };
    let mut owner = Dispatcher::new(Parts {
        store,
        node: node.clone(),
        start_worker,
        journal,
        host,
        socket: config.socket.display().to_string(),
    });
    owner.restore(unfinished, &opened.remains.begun).map_err(|error| {
        StartError::new(1, format!("cannot restore {}: {error}", opened.home.describe()))
    })?;
    let (alive, dispatcher_gone) = oneshot::channel();
    std::thread::Builder::new()
        .name("dispatcher".to_owned())
        .spawn(move || {
            let _alive = alive;
            owner.run(&receiver);
        })
        .map_err(StartError::system("start a thread"))?;
    let (snapshotter, snapshots) = Snapshotter::new(snapshotter::Parts {
        dispatcher: dispatcher.clone(),
        source: source(opened, &config)?,
        author,
        target: config.snapshot,
        database: opened.home.file(),
        keep: config.keep,
        interval: config.interval,
        stdout: stdout.clone(),
    });
    Ok(CoreWriting {
        dispatcher,
        dispatcher_gone,
        node,
        snapshots,
        snapshotter: tokio::spawn(snapshotter.run()),
        snapshot_timeout: config.snapshot_timeout,
    })
}

/// Chooses how the database is copied.
fn source(opened: &Opened, config: &Config) -> Result<Source, StartError> {
    use std::sync::Mutex;
    if let Home::File(path) = &opened.home
        && *path == config.snapshot
    {
        let checkpointer = Checkpointer::open(&opened.home, &opened.staging)?;
        return Ok(Source::InPlace(Arc::new(Mutex::new(checkpointer))));
    }
    Ok(match Copier::open(&opened.home, &opened.staging)? {
        Some(copier) => Source::Copier(Arc::new(Mutex::new(copier))),
        None => Source::Owner,
    })
}

fn build_front(mut listening: Listening, handlers: Handlers) -> Front {
    let (stop, sessions) = (CancellationToken::new(), TaskTracker::new());
    let (token, tracker) = (stop.clone(), sessions.clone());
    let server = tokio::spawn(async move {
        let served = listening.serve(Arc::new(handlers), tracker, token).await;
        if let Err(error) = served {
            tracing::error!("the socket cannot be served: {error}");
        }
    });
    Front { stop, sessions, server }
}
