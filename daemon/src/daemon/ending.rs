//! The end: stop the jobs, save, say goodbye, close.
//!
//! Every wait in here has an end. A second wish to end makes the waits shorter.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use torc_protocol::response::SnapshotProgress;
use torc_protocol::time::Span;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase};
use torc_protocol::worker::WorkerRequest;

use crate::daemon::build::{Built, CoreWriting, Front};
use crate::dispatcher::input::{Input, StopRequest};
use crate::handlers::shutdown::ShutdownRequest;
use crate::signals::{Signals, Wish};
use crate::snapshot::lease::Lease;
use crate::store::home::Home;

/// What had to be saved is on disk.
const DONE: u8 = 0;
/// The last snapshot is not durable.
const NOT_DURABLE: u8 = 5;

/// The grace of jobs where nobody says; each one's own settings may say less.
const DEFAULT_GRACE: Duration = Duration::from_secs(5);
/// How long attempts may take to end beyond their grace before the worker is killed.
const SLACK: Duration = Duration::from_secs(10);
/// How long clients have to hear the last of it, and the parts to close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Why and how to end.
pub(super) struct End {
    /// How long jobs have from SIGTERM to SIGKILL, instead of what their settings say.
    pub(super) grace: Option<Span>,
    /// Who asked for it, if it was a client.
    pub(super) client: Option<ShutdownRequest>,
}

/// Ends the daemon and returns its exit code.
pub(super) async fn end(
    built: Built,
    end: End,
    signals: &mut Signals,
    shutdowns: &mut mpsc::UnboundedReceiver<ShutdownRequest>,
) -> u8 {
    let Built { core, front, mut opened, private } = built;
    let mut hurry = Hurry { signals, shutdowns, clients: end.client.into_iter().collect() };
    let Some(writing) = core.writing else {
        hurry.tell(&SnapshotProgress::Nothing);
        goodbye(front, hurry.clients).await;
        return DONE;
    };
    stop_jobs(&writing, private, end.grace, &mut hurry).await;
    let (mut outcome, hung) = match save(&writing, &mut hurry).await {
        Ok(last) => (Ok(last), false),
        Err(Unsaved { failure, hung }) => (Err(failure), hung),
    };
    if outcome.is_ok() && writing.dispatcher.ask(|reply| Input::Recorded { reply }).await.is_err() {
        outcome = Err(unsaved(&writing, "the database took no more changes".to_owned()));
    }
    if let Err(failure) = &mut outcome {
        keep(&mut opened.home, failure);
        if hurry.clients.is_empty() {
            tracing::error!("{}", failure.reason);
        }
    }
    hurry.tell(&match &outcome {
        Ok(last) => last.clone(),
        Err(failure) => SnapshotProgress::Failed(failure.clone()),
    });
    goodbye(front, hurry.clients).await;
    close(writing).await;
    release(std::mem::take(&mut opened.leases), hung).await;
    if outcome.is_ok() { DONE } else { NOT_DURABLE }
}

/// Whoever may want the end to come sooner.
struct Hurry<'a> {
    signals: &'a mut Signals,
    shutdowns: &'a mut mpsc::UnboundedReceiver<ShutdownRequest>,
    /// The clients who want to know how it ends.
    clients: Vec<ShutdownRequest>,
}

impl Hurry<'_> {
    /// Waits until somebody wants the end sooner, and returns the grace that is left to jobs.
    async fn wanted(&mut self) -> Span {
        loop {
            tokio::select! {
                wish = self.signals.next() => if wish == Wish::End {
                    return Span(0);
                },
                Some(request) = self.shutdowns.recv() => {
                    let grace = request.grace;
                    self.clients.push(request);
                    if let Some(grace) = grace {
                        return grace;
                    }
                }
            }
        }
    }

    fn tell(&self, progress: &SnapshotProgress) {
        for client in &self.clients {
            // It may have gone.
            let _ = client.progress.send(progress.clone());
        }
    }
}

/// Stops the jobs, and returns when none is left.
async fn stop_jobs(
    writing: &CoreWriting,
    cancel_waiting: bool,
    grace: Option<Span>,
    hurry: &mut Hurry<'_>,
) {
    let (sender, mut ended) = oneshot::channel();
    let stop = StopRequest { cancel_waiting, grace, ended: Some(sender) };
    writing.dispatcher.send(Input::Stop(stop));
    let mut limit = Instant::now() + grace.map_or(DEFAULT_GRACE, Duration::from) + SLACK;
    let mut killed = false;
    loop {
        tokio::select! {
            _ = &mut ended => break,
            grace = hurry.wanted() => {
                limit = limit.min(Instant::now() + Duration::from(grace) + SLACK);
                let stop = StopRequest { cancel_waiting, grace: Some(grace), ended: None };
                writing.dispatcher.send(Input::Stop(stop));
            }
            () = sleep_until(limit) => {
                if killed {
                    tracing::error!("the jobs' end is not reported; their results are not recorded");
                    break;
                }
                tracing::error!("the worker does not end its jobs and is killed");
                writing.node.worker().kill();
                killed = true;
                limit = Instant::now() + SLACK;
            }
        }
    }
    writing.node.worker().send(WorkerRequest::Drain { grace: Span(0) });
}

/// Why the final snapshot is not on disk.
struct Unsaved {
    failure: SnapshotFailure,
    /// It may still be on its way: the file system does not answer.
    hung: bool,
}

/// Takes the final snapshot, and returns what the clients are to be told last.
async fn save(writing: &CoreWriting, hurry: &mut Hurry<'_>) -> Result<SnapshotProgress, Unsaved> {
    let mut progress = writing.snapshots.request(None);
    let limit = Instant::now() + writing.snapshot_timeout;
    let mut phase = SnapshotPhase::Waiting;
    loop {
        let given_up = tokio::select! {
            next = progress.recv() => match next {
                Some(SnapshotProgress::Phase(next)) => {
                    phase = next;
                    hurry.tell(&SnapshotProgress::Phase(next));
                    continue;
                }
                Some(SnapshotProgress::Failed(failure)) => {
                    return Err(Unsaved { failure, hung: false });
                }
                Some(last) => return Ok(last),
                None => "the snapshotter has ended".to_owned(),
            },
            () = sleep_until(limit) => {
                format!("not on disk after {} s", writing.snapshot_timeout.as_secs())
            }
            wish = hurry.signals.next() => match wish {
                Wish::Snapshot => continue,
                Wish::End => "given up on a second request to end".to_owned(),
            },
            Some(request) = hurry.shutdowns.recv() => {
                hurry.clients.push(request);
                continue;
            }
        };
        let failure = SnapshotFailure { phase, ..unsaved(writing, given_up) };
        return Err(Unsaved { failure, hung: true });
    }
}

fn unsaved(writing: &CoreWriting, reason: String) -> SnapshotFailure {
    let path = writing.snapshots.status().target.unwrap_or_default();
    SnapshotFailure { path, phase: SnapshotPhase::Waiting, errno: None, reason, kept: None }
}

/// Lets a database in memory stay, because it is nowhere else, and says where.
fn keep(home: &mut Home, failure: &mut SnapshotFailure) {
    if let Some(file) = home.file()
        && let Home::Tmpfs(dir) = home
    {
        dir.keep();
        let stays = format!("; the database stays in memory, in {}", file.display());
        failure.reason.push_str(&stays);
    }
}

/// Lets the clients hear the last of it, and ends their sessions.
async fn goodbye(front: Front, clients: Vec<ShutdownRequest>) {
    let told = async {
        for ShutdownRequest { progress, mut told, .. } in clients {
            drop(progress);
            told.closed().await;
        }
    };
    let _ = timeout(GOODBYE, told).await;
    front.stop.cancel();
    front.sessions.close();
    let _ = timeout(GOODBYE, front.sessions.wait()).await;
    let _ = timeout(GOODBYE, front.server).await;
}

/// Gives the leases back, unless the file system does not answer.
async fn release(leases: Vec<Lease>, hung: bool) {
    if hung {
        return leases.into_iter().for_each(Lease::leave);
    }
    let releasing = tokio::task::spawn_blocking(move || drop(leases));
    let _ = timeout(GOODBYE, releasing).await;
}

/// Closes the database. The connection that writes is closed last: it tidies up after the others.
async fn close(writing: CoreWriting) {
    writing.snapshotter.abort();
    let _ = writing.snapshotter.await;
    let (closed, wait) = oneshot::channel();
    writing.dispatcher.send(Input::Close { closed });
    let _ = timeout(GOODBYE, wait).await;
}
