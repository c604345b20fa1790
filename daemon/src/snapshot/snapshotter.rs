//! Takes snapshots: at most one at a time at the target, and all who ask meanwhile share the next.
//!
//! A snapshot holds whatever its requester has had acknowledged, because its copy begins after the
//! request came in. The copy is made from memory to memory, beside the writer; a process of its own
//! brings it to disk, so a file system that hangs holds up that process and nothing else.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior};
use torc_protocol::id::Generation;
use torc_protocol::response::{RequestError, SnapshotProgress};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase, SnapshotStatusView, SnapshotView};

use crate::config::Pace;
use crate::dispatcher::input::{DispatcherHandle, Input};
use crate::lines::Lines;
use crate::snapshot::source::{self, Source};
use crate::snapshot::writer_process::{self, WriteRequest};
use crate::snapshot_writer::event::WriterReport;
use crate::store::residence::Residence;
use crate::store::tables::snapshot::Author;
use crate::sys;

/// What the snapshotter is given.
#[derive(Debug)]
pub struct Parts {
    /// Who records.
    pub dispatcher: DispatcherHandle,
    /// How to copy.
    pub source: Source,
    /// Who we are.
    pub author: Author,
    /// Where to.
    pub target: PathBuf,
    /// What is there already, as far as it is of this database.
    pub last: Option<SnapshotView>,
    /// Where the database lives, which nothing is ever written over.
    pub database: Residence,
    /// How many are kept, and how often one is taken; it may change.
    pub pace: watch::Receiver<Pace>,
    /// Where it is announced.
    pub stdout: Lines,
}

/// Somebody who wants a snapshot.
#[derive(Debug)]
pub struct SnapshotRequest {
    /// Where to, this once.
    pub path: Option<PathBuf>,
    /// Where to say how it comes along.
    pub progress: Option<mpsc::UnboundedSender<SnapshotProgress>>,
}

/// A way to ask for snapshots.
#[derive(Clone, Debug)]
pub struct SnapshotHandle {
    requests: mpsc::UnboundedSender<SnapshotRequest>,
    elsewhere: mpsc::UnboundedSender<SnapshotRequest>,
    status: watch::Receiver<SnapshotStatusView>,
}

impl SnapshotHandle {
    /// Asks for a snapshot and does not wait.
    pub fn trigger(&self) {
        // Without a snapshotter the daemon has ended.
        let _ = self.requests.send(SnapshotRequest { path: None, progress: None });
    }

    /// Asks for a snapshot, and returns how it comes along; the last is `Done` or `Failed`.
    #[must_use]
    pub fn request(&self, path: Option<PathBuf>) -> mpsc::UnboundedReceiver<SnapshotProgress> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let target = self.status.borrow().target.as_ref().map(PathBuf::from);
        // By the way means elsewhere: at the target the older ones are kept too.
        let path = path.filter(|path| target.as_ref() != Some(path));
        let queue = if path.is_some() { &self.elsewhere } else { &self.requests };
        let _ = queue.send(SnapshotRequest { path, progress: Some(sender) });
        receiver
    }

    /// Returns since when snapshots fail; none while they do not.
    #[must_use]
    pub fn failing(&self) -> Option<Timestamp> {
        self.status.borrow().failing_since
    }

    /// Returns what tells when the state changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<SnapshotStatusView> {
        self.status.clone()
    }

    /// Returns the present state.
    #[must_use]
    pub fn status(&self) -> SnapshotStatusView {
        self.status.borrow().clone()
    }
}

#[cfg(test)]
impl SnapshotHandle {
    /// Returns a handle of no snapshotter, that tells of this state.
    pub(crate) fn fake(status: watch::Receiver<SnapshotStatusView>) -> Self {
        let nobody = || mpsc::unbounded_channel().0;
        Self { requests: nobody(), elsewhere: nobody(), status }
    }
}

/// The snapshotter.
#[derive(Debug)]
pub struct Snapshotter {
    taker: Taker,
    requests: mpsc::UnboundedReceiver<SnapshotRequest>,
    elsewhere: mpsc::UnboundedReceiver<SnapshotRequest>,
}

/// Takes them.
#[derive(Debug)]
struct Taker {
    parts: Parts,
    status: watch::Sender<SnapshotStatusView>,
    /// Held from the beginning of a snapshot to the end of its copy, lest that hold the beginning of
    /// another too. The target, which may hang, is not touched meanwhile.
    copying: Mutex<()>,
}

impl Snapshotter {
    /// Returns a snapshotter, and the handle by which others ask it.
    #[must_use]
    pub fn new(parts: Parts) -> (Self, SnapshotHandle) {
        let (to_target, requests) = mpsc::unbounded_channel();
        let (to_elsewhere, elsewhere) = mpsc::unbounded_channel();
        let (status, receiver) = watch::channel(SnapshotStatusView {
            target: Some(parts.target.display().to_string()),
            keep: parts.pace.borrow().keep,
            last: parts.last.clone(),
            ..SnapshotStatusView::default()
        });
        let handle =
            SnapshotHandle { requests: to_target, elsewhere: to_elsewhere, status: receiver };
        (
            Self { taker: Taker { parts, status, copying: Mutex::default() }, requests, elsewhere },
            handle,
        )
    }

    /// Runs until every handle is gone.
    pub async fn run(self) {
        let Self { taker, mut requests, mut elsewhere } = self;
        // Apart, because the target may hang, and then a copy elsewhere is what is wanted most.
        tokio::join!(taker.serve_target(&mut requests), taker.serve_elsewhere(&mut elsewhere));
    }
}

impl Taker {
    async fn serve_target(&self, requests: &mut mpsc::UnboundedReceiver<SnapshotRequest>) {
        let mut paces = self.parts.pace.clone();
        // Not marked as seen: it may have changed since the status was made.
        let mut pace = *paces.borrow();
        let mut interval = pace.interval.map(every);
        loop {
            let first = tokio::select! {
                Ok(()) = paces.changed() => {
                    let old = std::mem::replace(&mut pace, *paces.borrow_and_update());
                    self.status.send_modify(|status| status.keep = pace.keep);
                    if old.interval != pace.interval {
                        interval = pace.interval.map(every);
                    }
                    continue;
                }
                request = requests.recv() => match request {
                    Some(request) => request,
                    None => return,
                },
                () = tick(&mut interval) => {
                    if !self.has_changes().await {
                        continue;
                    }
                    SnapshotRequest { path: None, progress: None }
                }
            };
            self.take(None, with_waiting(first, requests)).await;
        }
    }

    /// Takes one snapshot for each place that is asked for.
    async fn serve_elsewhere(&self, requests: &mut mpsc::UnboundedReceiver<SnapshotRequest>) {
        while let Some(first) = requests.recv().await {
            let mut waiting = with_waiting(first, requests);
            while let Some(first) = waiting.first() {
                let path = first.path.clone();
                let (served, rest) = waiting.into_iter().partition(|request| request.path == path);
                waiting = rest;
                self.take(path, served).await;
            }
        }
    }

    async fn take(&self, path: Option<PathBuf>, served: Vec<SnapshotRequest>) {
        let tell = |progress: &SnapshotProgress| {
            for request in &served {
                if let Some(sender) = &request.progress {
                    // Whoever asked may have gone.
                    let _ = sender.send(progress.clone());
                }
            }
        };
        let by_the_way = path.is_some();
        let target = path.unwrap_or_else(|| self.parts.target.clone());
        let on_phase = |phase| {
            if !by_the_way {
                self.status.send_modify(|status| {
                    (status.phase, status.phase_since) = (Some(phase), Some(Timestamp::now()));
                });
            }
            tell(&SnapshotProgress::Phase(phase));
        };
        let outcome = self.write(&target, by_the_way, on_phase).await;
        self.announce(&target, &outcome);
        if !by_the_way {
            self.status.send_modify(|status| note(status, &outcome));
        }
        tell(&match outcome {
            Ok(view) => SnapshotProgress::Done(Box::new(view)),
            Err(failure) => SnapshotProgress::Failed(failure),
        });
    }

    fn announce(&self, target: &Path, outcome: &Result<SnapshotView, SnapshotFailure>) {
        let target = target.display();
        match outcome {
            Ok(SnapshotView { generation, bytes, started_at, finished_at, .. }) => {
                let seconds = finished_at.since(*started_at).as_secs_f64();
                tracing::info!("snapshot {generation} is {target}: {bytes} bytes, {seconds:.3} s");
                self.parts.stdout.say(format!("TORC_SNAPSHOT_DONE={target}"));
            }
            Err(failure) => {
                tracing::warn!("snapshot failed in phase {}: {}", failure.phase, failure.reason);
                let reason = failure.reason.replace('\n', " ");
                self.parts.stdout.say(format!("TORC_SNAPSHOT_FAILED={target}: {reason}"));
            }
        }
    }

    async fn write(
        &self,
        target: &Path,
        by_the_way: bool,
        mut on_phase: impl FnMut(SnapshotPhase),
    ) -> Result<SnapshotView, SnapshotFailure> {
        let failed = |phase, errno, reason: String| SnapshotFailure {
            path: target.display().to_string(),
            phase,
            errno,
            reason,
            kept: None,
        };
        on_phase(SnapshotPhase::Copy);
        if by_the_way && self.parts.database.file().as_deref() == Some(target) {
            let reason = "the database itself lives there".to_owned();
            return Err(failed(SnapshotPhase::Copy, None, reason));
        }
        let copying = self.copying.lock().await;
        let begun = Instant::now();
        let started_at = Timestamp::now();
        let (generation, changes) = self
            .begin(target)
            .await
            .map_err(|error| failed(SnapshotPhase::Copy, None, error.message))?;
        let written = match &self.parts.source {
            Source::InPlace(checkpointer) if !by_the_way => {
                drop(copying);
                source::in_place(checkpointer.clone(), target, &mut on_phase).await
            }
            source => match source.copy(&self.parts.dispatcher, generation).await {
                Ok(image) => {
                    drop(copying);
                    let request = WriteRequest {
                        target: target.to_owned(),
                        keep: self.keep(by_the_way),
                        generation,
                    };
                    let copy = (SnapshotPhase::Copy, begun.elapsed().into());
                    let program = sys::process::own_executable();
                    let report = writer_process::write(&program, image, request, &mut on_phase);
                    report.await.map(|mut report| {
                        report.phases.insert(0, copy);
                        report
                    })
                }
                Err(error) => Err(failed(SnapshotPhase::Copy, error.errno(), error.to_string())),
            },
        };
        let outcome = written.map(|WriterReport { bytes, sha256, phases }| SnapshotView {
            generation,
            changes,
            path: target.display().to_string(),
            bytes,
            sha256,
            started_at,
            finished_at: Timestamp::now(),
            phases,
        });
        self.parts.dispatcher.send(Input::EndSnapshot { generation, outcome: outcome.clone() });
        outcome
    }

    async fn begin(&self, target: &Path) -> Result<(Generation, u64), RequestError> {
        let (author, path) = (self.parts.author.clone(), target.display().to_string());
        self.parts.dispatcher.ask(|reply| Input::BeginSnapshot { author, path, reply }).await
    }

    /// A snapshot by the way is never rotated: it is one file, where it was asked for.
    fn keep(&self, by_the_way: bool) -> u32 {
        if by_the_way { 1 } else { self.parts.pace.borrow().keep }
    }

    /// Returns whether anything was recorded since the last snapshot.
    async fn has_changes(&self) -> bool {
        let last = self.status.borrow().last.as_ref().map_or(0, |last| last.changes);
        match self.parts.dispatcher.ask(|reply| Input::Totals { reply }).await {
            Ok(totals) => totals.changes > last,
            Err(_) => false,
        }
    }
}

/// Returns a request with those that wait behind it.
fn with_waiting(
    first: SnapshotRequest,
    requests: &mut mpsc::UnboundedReceiver<SnapshotRequest>,
) -> Vec<SnapshotRequest> {
    let mut waiting = vec![first];
    while let Ok(request) = requests.try_recv() {
        waiting.push(request);
    }
    waiting
}

/// Takes note of how a snapshot has ended.
fn note(status: &mut SnapshotStatusView, outcome: &Result<SnapshotView, SnapshotFailure>) {
    (status.phase, status.phase_since) = (None, None);
    match outcome {
        Ok(view) => {
            status.last = Some(view.clone());
            (status.error, status.failing_since) = (None, None);
        }
        Err(failure) => {
            status.error = Some(failure.clone());
            status.failing_since.get_or_insert_with(Timestamp::now);
        }
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Skip);
    interval
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
