//! The end: stop the jobs, save, say goodbye, close.
//!
//! Every wait in here has an end. A second wish to end makes the waits shorter.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};
use torc_protocol::paths;
use torc_protocol::request::RunningJobs;
use torc_protocol::response::SnapshotProgress;
use torc_protocol::time::Span;
use torc_protocol::view::{Kept, SnapshotFailure, SnapshotPhase};
use torc_protocol::worker::WorkerRequest;

use crate::daemon::build::{Built, CoreWriting, Front};
use crate::dispatcher::input::{Input, StopRequest, Stopping};
use crate::handlers::shutdown::ShutdownRequest;
use crate::notify::Notifier;
use crate::signals::{Signals, Wish};
use crate::snapshot::lease::Lease;
use crate::snapshot::remains::Remain;
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
/// How long the database has to close. What is in its log then is safe there, too.
const CLOSING: Duration = Duration::from_secs(10);

/// Why and how to end.
pub(super) struct End {
    /// How long jobs have from SIGTERM to SIGKILL, instead of what their settings say.
    pub(super) grace: Option<Span>,
    /// What becomes of those that run.
    pub(super) running: RunningJobs,
    /// The clients who want to know how it ends.
    pub(super) clients: Vec<ShutdownRequest>,
}

/// Ends the daemon and returns its exit code.
pub(super) async fn end(
    built: Built,
    end: End,
    signals: &mut Signals,
    shutdowns: &mut mpsc::UnboundedReceiver<ShutdownRequest>,
) -> u8 {
    let Built { core, front, mut opened, private, recover, notifier, pulse, .. } = built;
    if let Some(pulse) = pulse {
        pulse.abort();
    }
    let mut hurry = Hurry { signals, shutdowns, clients: end.clients, notifier };
    let Some(mut writing) = core.writing else {
        hurry.notifier.stopping("ending");
        hurry.tell(&SnapshotProgress::Nothing);
        goodbye(front, hurry.clients).await;
        return DONE;
    };
    let jobs = match end.running {
        _ if private => Stopping::Cancel,
        RunningJobs::Again => Stopping::Interrupt,
        RunningJobs::Stop | RunningJobs::Wait => Stopping::Terminate,
    };
    let notifier = hurry.notifier.clone();
    let tell = async {
        let to_stop = jobs_to_stop(&writing).await;
        tracing::info!("{to_stop}");
        notifier.stopping(&to_stop);
    };
    // Asked first, so that it counts what is there; nobody waits for the answer.
    tokio::join!(tell, stop_jobs(&writing, jobs, end.grace, &mut hurry));
    hurry.tell(&SnapshotProgress::Limit(writing.snapshot_timeout.into()));
    let saved = save(&writing, &mut hurry).await;
    let hung = matches!(saved, Err(Unsaved { hung: true, .. }));
    let outcome = match saved {
        Ok(last) => {
            opened.taken.until_saved.drain(..).for_each(Remain::remove);
            opened.forget_the_dead();
            writing.residence.let_go(&mut opened.home);
            let recorded = writing.dispatcher.ask(|reply| Input::Recorded { reply });
            match timeout(GOODBYE, recorded).await {
                Ok(Ok(())) => Ok(last),
                Ok(Err(error)) => Err(incomplete(&writing, error.message)),
                Err(_) => Err(incomplete(&writing, "torcd does not answer".to_owned())),
            }
        }
        Err(Unsaved { mut failure, .. }) => {
            failure.kept = match opened.taken.until_saved.first() {
                // What was to be brought home stays as it was, and ours has nothing more.
                Some(left) if recover => {
                    writing.residence.let_go(&mut opened.home);
                    Some(as_before(left))
                }
                _ => rescue(&mut writing, &mut opened.home, &mut hurry).await,
            };
            Err(failure)
        }
    };
    if let Err(failure) = &outcome {
        tell_of(failure, hung, &writing, hurry.clients.is_empty());
    }
    hurry.tell(&match &outcome {
        Ok(last) => last.clone(),
        Err(failure) => SnapshotProgress::Failed(failure.clone()),
    });
    let _more_time = hurry.notifier.extend(3 * GOODBYE + CLOSING);
    hurry.notifier.status(match &outcome {
        Ok(_) => "all is saved",
        Err(_) => "the record is NOT at its place, see the log",
    });
    goodbye(front, hurry.clients).await;
    close(writing).await;
    opened.let_staging_go();
    release(std::mem::take(&mut opened.leases), hung).await;
    if outcome.is_ok() { DONE } else { NOT_DURABLE }
}

/// Whoever may want the end to come sooner.
struct Hurry<'a> {
    signals: &'a mut Signals,
    shutdowns: &'a mut mpsc::UnboundedReceiver<ShutdownRequest>,
    /// The clients who want to know how it ends.
    clients: Vec<ShutdownRequest>,
    /// The supervisor, who may end us when it hears nothing.
    notifier: Notifier,
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
        if let SnapshotProgress::Phase(phase) = progress {
            self.notifier.status(&format!("final snapshot: {phase}"));
        }
        for client in &self.clients {
            // It may have gone.
            let _ = client.progress.send(progress.clone());
        }
    }
}

/// Returns what there is to stop, in words.
async fn jobs_to_stop(writing: &CoreWriting) -> String {
    let totals = writing.dispatcher.ask(|reply| Input::Totals { reply });
    let running = timeout(GOODBYE, totals).await.map(|totals| totals.map(|it| it.jobs.running));
    match running {
        Ok(Ok(0)) => "ending, no job runs".to_owned(),
        Ok(Ok(1)) => "stopping 1 job".to_owned(),
        Ok(Ok(more)) => format!("stopping {more} jobs"),
        _ => "stopping the jobs".to_owned(),
    }
}

/// Stops the jobs, and returns when none is left.
async fn stop_jobs(
    writing: &CoreWriting,
    jobs: Stopping,
    grace: Option<Span>,
    hurry: &mut Hurry<'_>,
) {
    let (sender, mut ended) = oneshot::channel();
    let stop = StopRequest { jobs, grace, ended: Some(sender) };
    writing.dispatcher.send(Input::Stop(stop));
    let patience = grace.map_or(DEFAULT_GRACE, Duration::from) + SLACK;
    let _more_time = hurry.notifier.extend(patience + SLACK);
    let mut limit = Instant::now() + patience;
    let mut killed = false;
    loop {
        tokio::select! {
            _ = &mut ended => break,
            grace = hurry.wanted() => {
                limit = limit.min(Instant::now() + Duration::from(grace) + SLACK);
                let stop = StopRequest { jobs, grace: Some(grace), ended: None };
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
    let _more_time = hurry.notifier.extend(writing.snapshot_timeout + SLACK);
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
                Wish::Snapshot | Wish::Finish | Wish::Reload => continue,
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

/// Returns the failure when all that was recorded is in its place, and not all was recorded.
fn incomplete(writing: &CoreWriting, reason: String) -> SnapshotFailure {
    let failure = unsaved(writing, reason);
    SnapshotFailure { kept: Some(Kept { path: failure.path.clone(), in_memory: false }), ..failure }
}

/// Saves a database in memory elsewhere, or else lets it stay where it is, and returns where; none
/// for one on disk, and for one that is lost.
async fn rescue(writing: &mut CoreWriting, home: &mut Home, hurry: &mut Hurry<'_>) -> Option<Kept> {
    hurry.notifier.status("the final snapshot FAILED and is saved elsewhere");
    let _more_time = hurry.notifier.extend(writing.snapshot_timeout + SLACK);
    // The snapshot that hangs is left behind.
    writing.snapshotter.abort();
    let mut spill = writing.spill.take()?;
    spill.home = writing.residence.file();
    let kept = tokio::select! {
        kept = spill.run() => kept,
        _ = hurry.wanted() => None,
    };
    if kept.is_some() {
        writing.residence.let_go(home);
        return kept;
    }
    let file = writing.residence.file()?;
    Some(Kept { path: file.display().to_string(), in_memory: true })
}

fn as_before(left: &Remain) -> Kept {
    let path = left.database();
    Kept { path: path.display().to_string(), in_memory: path.parent().is_some_and(paths::is_tmpfs) }
}

/// Says on standard output, and in the log where no client is told, that the record is not at its
/// place, and where it is.
fn tell_of(failure: &SnapshotFailure, hung: bool, writing: &CoreWriting, log: bool) {
    if hung {
        let reason = failure.reason.replace('\n', " ");
        writing.stdout.say(format!("TORC_SNAPSHOT_FAILED={}: {reason}", failure.path));
    }
    if let Some(kept) = &failure.kept {
        writing.stdout.say(format!("TORC_SNAPSHOT_KEPT={}", kept.path));
    }
    if log {
        let kept = failure.kept.as_ref().map_or_else(String::new, |kept| {
            format!("; the record is in {}, `torcctl snapshot recover` brings it home", kept.path)
        });
        tracing::error!("{} is not safe: {}{kept}", failure.path, failure.reason);
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
    drop((writing.residence, writing.spill));
    let (closed, wait) = oneshot::channel();
    writing.dispatcher.send(Input::Close { closed });
    let _ = timeout(CLOSING, wait).await;
}
