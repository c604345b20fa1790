//! From the last job until the record is on disk.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use torc_protocol::request::{Call, Many, Shutdown, Snapshot, SnapshotWait};
use torc_protocol::response::SnapshotProgress;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase, SnapshotView};

use super::stop::Stop;
use super::target::Target;
use crate::client::Client;
use crate::error::{CliError, ErrorKind};
use crate::progress::display::Display;
use crate::standalone::Standalone;
use crate::{exit_code, stderr};

/// A snapshot that takes longer than this is spoken of.
const QUIET: Duration = Duration::from_millis(500);

/// What became of the record.
#[derive(Debug)]
pub(crate) enum Saved {
    /// It is on disk, synced and verified. Of a torcd that somebody else has ended only that much is
    /// known.
    Durable(Option<Box<SnapshotView>>),
    /// torcd tried and could not.
    Failed(SnapshotFailure),
    /// Nobody knows, or the user would not wait; the text says which.
    Unknown(String),
}

/// What stands before the path in the reason of a torcd that leaves its database in memory.
const KEPT: &str = "; the database stays in memory, in ";

impl Saved {
    /// Returns the file in memory that still holds a record that could not be saved, if there is
    /// one.
    pub(crate) fn kept_in_memory(&self) -> Option<&str> {
        match self {
            Self::Failed(failure) => failure.reason.rsplit_once(KEPT).map(|(_, path)| path),
            Self::Durable(_) | Self::Unknown(_) => None,
        }
    }
}

/// Sees to it that the record is on disk: a private torcd is ended, which takes its final snapshot;
/// that of the user is asked for one.
pub(crate) async fn save(mut target: Target, display: &mut Display, stop: &mut Stop) -> Saved {
    let mut patience = Patience::new(stop);
    let Some(private) = target.private.take() else {
        let snapshot = Snapshot { wait: SnapshotWait::Forever, path: None };
        let saved = wait(&mut target.client, snapshot, display, &mut patience).await;
        return saved.unwrap_or_else(|error| Saved::Unknown(error.message));
    };
    let shutdown = Shutdown { grace: None };
    let told = wait(&mut target.client, shutdown, display, &mut patience).await;
    drop(target.client);
    tokio::select! {
        status = private.ended() => conclude(told, status),
        () = patience.end() => Saved::Unknown(GAVE_UP.to_owned()),
    }
}

/// Waits for a private torcd that is ending without having been asked to, and tells what it left.
pub(crate) async fn aftermath(private: Standalone, stop: &mut Stop) -> Saved {
    let mut patience = Patience::new(stop);
    let lost = CliError::new(ErrorKind::NoDaemon, "the connection was lost");
    tokio::select! {
        status = private.ended() => conclude(Err(lost), status),
        () = patience.end() => Saved::Unknown(GAVE_UP.to_owned()),
    }
}

const GAVE_UP: &str = "you did not wait for it; torcd goes on writing it";

async fn wait<C>(
    client: &mut Client,
    call: C,
    display: &mut Display,
    patience: &mut Patience<'_>,
) -> Result<Saved, CliError>
where
    C: Call<Reply = SnapshotProgress, Count = Many>,
{
    client.stream(call).await?;
    let mut phase = SnapshotPhase::Waiting;
    let mut saved = Saved::Unknown("torcd did not say what became of it".to_owned());
    let speak_at = Instant::now() + QUIET;
    let mut spoken = None;
    loop {
        tokio::select! {
            part = client.next::<C>() => match part? {
                None => return Ok(saved),
                Some(SnapshotProgress::Queued | SnapshotProgress::Limit(_)) => {}
                Some(SnapshotProgress::Phase(now) | SnapshotProgress::TimedOut(now)) => phase = now,
                Some(SnapshotProgress::Done(view)) => saved = Saved::Durable(Some(view)),
                Some(SnapshotProgress::Failed(failure)) => saved = Saved::Failed(failure),
                Some(SnapshotProgress::Nothing) => {
                    saved = Saved::Unknown("this torcd only reads".to_owned());
                }
            },
            () = sleep_until(speak_at), if spoken.is_none() => {}
            () = patience.end() => return Ok(Saved::Unknown(GAVE_UP.to_owned())),
        }
        if Instant::now() >= speak_at && spoken != Some(phase) {
            display.say(&format!("all jobs have ended; snapshot: {phase} …"));
            spoken = Some(phase);
        }
    }
}

/// How long the user waits: until the second signal after the last job. The first is taken for one
/// that was meant for the jobs.
struct Patience<'a> {
    stop: &'a mut Stop,
    warned: bool,
    over: bool,
}

impl<'a> Patience<'a> {
    fn new(stop: &'a mut Stop) -> Self {
        Self { stop, warned: false, over: false }
    }

    /// Waits for the end of it. Safe to drop and call again.
    async fn end(&mut self) {
        while !self.over {
            self.stop.next().await;
            self.over = std::mem::replace(&mut self.warned, true);
            if !self.over {
                stderr::say("the snapshot is being written; once more to leave without it");
            }
        }
    }
}

/// What torcd said, checked against how it ended.
fn conclude(told: Result<Saved, CliError>, status: Result<ExitStatus, CliError>) -> Saved {
    let code = match &status {
        Ok(status) => status.code(),
        Err(error) => return Saved::Unknown(error.message.clone()),
    };
    match (told, code) {
        (Ok(Saved::Durable(_)), Some(code)) if code == i32::from(exit_code::NOT_DURABLE) => {
            Saved::Unknown("torcd says at its end that it is not durable".to_owned())
        }
        (Ok(saved), _) => saved,
        (Err(_), Some(0)) => Saved::Durable(None),
        (Err(error), Some(code)) => {
            Saved::Unknown(format!("torcd ended with code {code}: {}", error.message))
        }
        (Err(_), None) => Saved::Unknown("torcd was killed".to_owned()),
    }
}
