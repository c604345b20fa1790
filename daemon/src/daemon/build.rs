//! Builds the parts from the bottom up, each with what it needs of those below.

use std::sync::Arc;
use std::sync::mpsc::channel;

use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use torc_protocol::time::Timestamp;

use crate::config::{Config, Database, Pace};
use crate::daemon::begun::JOURNAL_NAME;
use crate::daemon::database::{Opened, purpose};
use crate::daemon::start_error::{FAILED, StartError};
use crate::daemon::surroundings::Voice;
use crate::dispatcher::input::{DispatcherHandle, Input, StopRequest, Stopping};
use crate::dispatcher::restore::Unfinished;
use crate::dispatcher::{Parts, thread};
use crate::handlers::shutdown::ShutdownSender;
use crate::handlers::{Handlers, Identity, Writing};
use crate::lines::Lines;
use crate::nodes::{LocalNode, NodeEvent, local};
use crate::notify::Notifier;
use crate::notify::pulse::Pulse;
use crate::server::socket::Listening;
use crate::snapshot::snapshotter::{self, SnapshotHandle, Snapshotter};
use crate::snapshot::source::Source;
use crate::snapshot::spill::Spill;
use crate::store::home::Home;
use crate::store::image::Checkpointer;
use crate::store::moving::Mover;
use crate::store::residence::Residence;
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
    /// It lives only to bring home what was left.
    pub(super) recover: bool,
    /// Where the database is, in words.
    pub(super) database: String,
    /// How a supervisor is told how it is.
    pub(super) notifier: Notifier,
    /// What tells that as long as it serves, if there is somebody to tell.
    pub(super) pulse: Option<JoinHandle<()>>,
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
    pub(super) residence: Residence,
    pub(super) snapshots: SnapshotHandle,
    pub(super) snapshotter: JoinHandle<()>,
    /// How many of them are kept and how often one is taken, from now on.
    pub(super) pace: watch::Sender<Pace>,
    /// How to save elsewhere what would be gone; none for a database on disk.
    pub(super) spill: Option<Spill>,
    pub(super) stdout: Lines,
    /// Notified when something was recorded.
    pub(super) changed: Arc<Notify>,
    pub(super) snapshot_timeout: std::time::Duration,
}

/// What clients see.
pub(super) struct Front {
    pub(super) stop: CancellationToken,
    pub(super) sessions: TaskTracker,
    pub(super) server: JoinHandle<()>,
}

impl CoreWriting {
    /// Tells a supervisor from now on how we are, if there is one.
    fn pulse(&self, notifier: &Notifier, in_memory: bool) -> Option<JoinHandle<()>> {
        let pulse = Pulse {
            dispatcher: self.dispatcher.clone(),
            snapshots: self.snapshots.clone(),
            changed: self.changed.clone(),
            in_memory,
        };
        notifier.is_heard().then(|| tokio::spawn(pulse.run(notifier.clone())))
    }
}

impl Core {
    /// Returns the way to the dispatcher, if there is one.
    pub(super) fn dispatcher(&self) -> Option<DispatcherHandle> {
        self.writing.as_ref().map(|writing| writing.dispatcher.clone())
    }

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
    voice: &Voice,
) -> Result<Built, StartError> {
    let host = sys::host::host_name().map_err(StartError::system("name this host"))?;
    let identity = Identity {
        socket: config.socket.clone(),
        in_memory: opened.home.is_memory(),
        host: host.clone(),
        started_at: Timestamp::now(),
        log: voice.log.place.to_string(),
        unit: voice.unit.clone(),
    };
    let (private, recover) = (config.lifeline, config.recover);
    let writing = match &config.database {
        Database::ReadOnly(_) => None,
        _ => Some(build_writing(config, &opened, host, &voice.stdout)?),
    };
    let residence = match &writing {
        Some(writing) => writing.residence.clone(),
        None => Residence::open(&opened.home, &opened.staging)?,
    };
    opened.hold();
    if let Some(loaded) = opened.load.take() {
        // It is in SQLite's own memory now.
        let _ = std::fs::remove_file(loaded);
    }
    if opened.home.file().is_some() {
        // What they hold is recorded now, and outlives us, or is at the place of our snapshots.
        opened.forget_the_dead();
    }
    let handlers = Handlers {
        writing: writing.as_ref().map(|writing| Writing {
            dispatcher: writing.dispatcher.clone(),
            node: writing.node.clone(),
            snapshots: writing.snapshots.clone(),
        }),
        residence,
        shutdown,
        identity,
    };
    let database = handlers.residence.describe();
    let front = build_front(listening, handlers);
    let notifier = voice.notifier.clone();
    let pulse = match &writing {
        Some(writing) => writing.pulse(&notifier, opened.home.is_memory()),
        None => {
            notifier.ready(&format!("{database} is served for reading only"));
            None
        }
    };
    let core = Core { writing };
    Ok(Built { core, front, opened, private, recover, database, notifier, pulse })
}

fn build_writing(
    config: Config,
    opened: &Opened,
    host: String,
    stdout: &Lines,
) -> Result<CoreWriting, StartError> {
    let store = Writer::open(&opened.home, opened.load.as_deref())?;
    let author = author(&store, &host)?;
    let residence = Residence::open(&opened.home, &opened.staging)?;
    let wish = Arc::new(Notify::new());
    let changed = Arc::new(Notify::new());
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
    if config.recover {
        // Before there is a worker that could be given a job.
        let stop = StopRequest { jobs: Stopping::Terminate, grace: None, ended: None };
        dispatcher.send(Input::Stop(stop));
    }
    let node = LocalNode::new(start_worker().map_err(StartError::system("start a worker"))?);
    let settles = config.lifeline || (config.recover && opened.taken.private);
    let unfinished = if settles { Unfinished::Settle } else { Unfinished::Resume };
    let parts = Parts {
        store,
        node: node.clone(),
        start_worker,
        journal,
        host,
        socket: config.socket.display().to_string(),
        mover: Mover::new(&opened.home, residence.clone(), purpose(&config)),
        save: {
            let wish = wish.clone();
            Box::new(move || wish.notify_one())
        },
        changed: changed.clone(),
    };
    let begun = opened.begun.attempts.clone();
    let dispatcher_gone = thread::start(parts, receiver, unfinished, begun).map_err(|error| {
        StartError::new(FAILED, format!("cannot restore {}: {error}", opened.home.describe()))
    })?;
    let source = source(opened, &residence, &config)?;
    let spill = opened.home.is_memory().then(|| Spill {
        dispatcher: dispatcher.clone(),
        source: source.clone(),
        author: author.clone(),
        target: config.snapshot.clone(),
        places: config.spill,
        home: opened.home.file(),
    });
    let (pace, paces) = watch::channel(config.pace);
    let (snapshotter, snapshots) = Snapshotter::new(snapshotter::Parts {
        dispatcher: dispatcher.clone(),
        source,
        author,
        target: config.snapshot,
        last: opened.there.clone(),
        database: residence.clone(),
        pace: paces,
        stdout: stdout.clone(),
    });
    tokio::spawn(save_on(wish, snapshots.clone()));
    Ok(CoreWriting {
        dispatcher,
        dispatcher_gone,
        node,
        residence,
        snapshots,
        snapshotter: tokio::spawn(snapshotter.run()),
        pace,
        spill,
        stdout: stdout.clone(),
        changed,
        snapshot_timeout: config.snapshot_timeout,
    })
}

/// Returns who we are in the record.
fn author(store: &Writer, host: &str) -> Result<Author, StartError> {
    Ok(Author {
        instance: store.instance().to_owned(),
        host: host.to_owned(),
        boot_id: sys::host::boot_id().map_err(StartError::system("name this boot"))?,
        pid: std::process::id(),
    })
}

/// Chooses how the database is copied.
fn source(opened: &Opened, residence: &Residence, config: &Config) -> Result<Source, StartError> {
    use std::sync::Mutex;
    if let Home::File(path) = &opened.home
        && *path == config.snapshot
    {
        let checkpointer = Checkpointer::open(&opened.home, &opened.staging)?;
        return Ok(Source::InPlace(Arc::new(Mutex::new(checkpointer))));
    }
    Ok(Source::resident(residence.clone()))
}

/// Takes a snapshot whenever `wish` is notified.
async fn save_on(wish: Arc<Notify>, snapshots: SnapshotHandle) {
    loop {
        wish.notified().await;
        snapshots.trigger();
    }
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
