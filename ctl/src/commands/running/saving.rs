//! From the last job until the record is on disk, or until it is known where it is instead.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::timeout;
use torc_protocol::request::{Shutdown, Snapshot, SnapshotWait};
use torc_protocol::response::SnapshotProgress;
use torc_protocol::view::{Fate, Kept, SnapshotFailure, SnapshotPlace, SnapshotView};

use super::showing::waiting_mode;
use super::stop::Stop;
use super::target::Target;
use super::waiting::{Patience, Waited, wait};
use crate::context::Context;
use crate::error::{CliError, ErrorKind};
use crate::progress::display::Display;
use crate::standalone::Standalone;
use crate::{exit_code, snapshot_files};

/// How long it may take to find what a killed torcd has left: the file system of the target may not
/// answer.
const SEARCH: Duration = Duration::from_secs(10);
const OCCASION: &str = "all jobs have ended";

/// What became of the record.
#[derive(Debug)]
pub(crate) enum Saved {
    /// It is on disk, synced and verified. Of a torcd that somebody else has ended only that much is
    /// known.
    Durable(Option<Box<SnapshotView>>),
    /// torcd tried and could not.
    Failed(SnapshotFailure),
    /// Nobody knows, or the user would not wait.
    Unknown {
        /// Which of these.
        reason: String,
        /// Where the record is nevertheless.
        rest: Rest,
    },
}

/// Where the record is of which torcd did not say that it is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Unknown.
    Nowhere,
    /// In its database, which is on disk.
    Database,
    /// Elsewhere, until somebody brings it to its place.
    Kept(Kept),
}

impl Saved {
    fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into(), rest: Rest::Nowhere }
    }

    /// Returns whether what was recorded is at its place, though not everything was recorded.
    pub(crate) fn is_at_its_place(&self) -> bool {
        let Self::Failed(failure) = self else { return false };
        failure.kept.as_ref().is_some_and(|kept| kept.path == failure.path)
    }

    /// Returns the file that holds a record which could not be brought to its place, if one does.
    pub(crate) fn kept(&self) -> Option<&Kept> {
        match self {
            Self::Failed(_) if self.is_at_its_place() => None,
            Self::Failed(failure) => failure.kept.as_ref(),
            Self::Unknown { rest: Rest::Kept(kept), .. } => Some(kept),
            Self::Durable(_) | Self::Unknown { .. } => None,
        }
    }
}

/// Sees to it that the record is on disk: a private torcd is ended, which takes its final snapshot;
/// that of the user is asked for one.
pub(crate) async fn save(ctx: &Context, mut target: Target, stop: &mut Stop) -> Saved {
    let mut display = Display::new(waiting_mode(ctx));
    let Some(private) = target.private.take() else {
        let snapshot = Snapshot { wait: SnapshotWait::Forever, path: None };
        let mut patience = Patience::new(stop, None);
        let waited =
            wait(&mut target.client, snapshot, OCCASION, &mut display, &mut patience).await;
        return waited.map_or_else(|error| Saved::unknown(error.message), saved);
    };
    let mut patience = Patience::new(stop, private.id());
    let shutdown = Shutdown::default();
    let told = wait(&mut target.client, shutdown, OCCASION, &mut display, &mut patience).await;
    let place = Place::of(&target);
    drop(target);
    conclude(ctx, &place, private, told.map(saved), &mut patience).await
}

/// Waits for a private torcd that is ending without having been asked to, and tells what it left.
pub(crate) async fn aftermath(ctx: &Context, mut target: Target, stop: &mut Stop) -> Option<Saved> {
    let private = target.private.take()?;
    let place = Place::of(&target);
    drop(target);
    let mut patience = Patience::new(stop, private.id());
    let lost = CliError::new(ErrorKind::NoDaemon, "the connection was lost");
    Some(conclude(ctx, &place, private, Err(lost), &mut patience).await)
}

/// Where a private torcd keeps its record.
struct Place {
    path: Option<PathBuf>,
    in_memory: bool,
}

impl Place {
    fn of(target: &Target) -> Self {
        Self { path: target.record.clone(), in_memory: target.in_memory() }
    }

    /// Returns where the record is that a killed torcd has left.
    async fn rest(&self, ctx: &Context) -> Rest {
        match &self.path {
            Some(_) if !self.in_memory => Rest::Database,
            Some(path) => left_by_killed(ctx, path).await.map_or(Rest::Nowhere, Rest::Kept),
            None => Rest::Nowhere,
        }
    }
}

/// Looks for the record for `target` that a killed torcd has left. Not to find it is no failure: the
/// user is told that it may be there.
pub(super) async fn left_by_killed(ctx: &Context, target: &Path) -> Option<Kept> {
    let torcd = ctx.torcd().ok()?;
    let found = timeout(SEARCH, snapshot_files::list(&torcd, target)).await.ok()?.ok()?;
    let is_newer = |fate: Option<Fate>| matches!(fate, Some(Fate::Newer | Fate::Diverged));
    let newest = found
        .into_iter()
        .filter(|it| matches!(it.place, SnapshotPlace::Spilled | SnapshotPlace::Memory))
        .filter(|it| it.problem.is_none() && is_newer(it.fate))
        .max_by_key(|it| it.changes)?;
    Some(Kept { path: newest.path, in_memory: newest.place == SnapshotPlace::Memory })
}

fn saved(waited: Waited) -> Saved {
    match waited {
        Waited::Told(SnapshotProgress::Done(view)) => Saved::Durable(Some(view)),
        Waited::Told(SnapshotProgress::Failed(failure)) => Saved::Failed(failure),
        Waited::Told(SnapshotProgress::Nothing) => Saved::unknown("this torcd only reads"),
        Waited::Told(_) | Waited::Silence => Saved::unknown("torcd did not say what became of it"),
        Waited::Left(why) => Saved::unknown(why),
    }
}

/// Waits for the end of a private torcd, and checks what it said against how it ended.
async fn conclude(
    ctx: &Context,
    place: &Place,
    private: Standalone,
    told: Result<Saved, CliError>,
    patience: &mut Patience<'_>,
) -> Saved {
    let status = tokio::select! {
        status = private.ended() => status,
        why = patience.end() => return Saved::unknown(why),
    };
    match verdict(told, status) {
        Saved::Unknown { reason, .. } => Saved::Unknown { reason, rest: place.rest(ctx).await },
        saved => saved,
    }
}

fn verdict(told: Result<Saved, CliError>, status: Result<ExitStatus, CliError>) -> Saved {
    let code = match &status {
        Ok(status) => status.code(),
        Err(error) => return Saved::unknown(error.message.clone()),
    };
    match (told, code) {
        (Ok(Saved::Durable(_)), Some(code)) if code == i32::from(exit_code::NOT_DURABLE) => {
            Saved::unknown("torcd says at its end that it is not durable")
        }
        (Ok(saved), _) => saved,
        (Err(_), Some(0)) => Saved::Durable(None),
        (Err(error), Some(code)) => {
            Saved::unknown(format!("torcd ended with code {code}: {}", error.message))
        }
        (Err(_), None) => Saved::unknown("torcd was killed"),
    }
}
