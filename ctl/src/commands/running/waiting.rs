//! Waiting for a snapshot: the step that it is at, how long it may still take, and the way out.
//!
//! Who asks for the end of a torcd does not have to stay for all of the time that its last snapshot
//! may take: the second signal has it give up and save the record elsewhere, and only the third
//! leaves it alone.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep_until};
use torc_protocol::call::{Call, Many};
use torc_protocol::response::SnapshotProgress;
use torc_protocol::view::SnapshotPhase;

use super::stop::Stop;
use crate::client::Client;
use crate::error::CliError;
use crate::progress::display::Display;
use crate::stderr;

/// A snapshot that takes longer than this is spoken of.
const QUIET: Duration = Duration::from_millis(500);
/// Until it is spoken of again where that takes a line; after that, each time twice as long.
const AGAIN: Duration = Duration::from_secs(5);
/// How long a torcd may take to save elsewhere what it was asked to give up.
const ELSEWHERE: Duration = Duration::from_secs(60);

/// How a wait has ended.
#[derive(Debug)]
pub(crate) enum Waited {
    /// torcd has told what became of the snapshot.
    Told(SnapshotProgress),
    /// It has told all, and that was not in it.
    Silence,
    /// Nobody waits any more; the text says why.
    Left(&'static str),
}

/// How long the user waits.
///
/// The first signal is taken for one that was meant for the jobs. The second leaves, or has a torcd
/// that is ending give up; then the third leaves, or too long a silence does.
#[derive(Debug)]
pub(crate) struct Patience<'a> {
    stop: &'a mut Stop,
    ending: Option<Pid>,
    signals: u32,
    limit: Option<Instant>,
    over: Option<&'static str>,
}

impl<'a> Patience<'a> {
    /// Returns the patience of somebody whose signals come by `stop`. `ending` is the process that
    /// waits for the snapshot before it ends, if one does.
    pub(crate) fn new(stop: &'a mut Stop, ending: Option<u32>) -> Self {
        let ending = ending.and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
        Self { stop, ending, signals: 0, limit: None, over: None }
    }

    /// Waits for the end of it, and returns why it is over. Safe to drop and call again.
    pub(crate) async fn end(&mut self) -> &'static str {
        loop {
            if let Some(why) = self.over {
                return why;
            }
            let limit = self.limit;
            let silence = async {
                match limit {
                    Some(limit) => sleep_until(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.stop.next() => self.signaled(),
                () = silence => {
                    self.over = Some("torcd was asked to give up, and has not said where the record is");
                }
            }
        }
    }

    fn signaled(&mut self) {
        self.signals += 1;
        match (self.signals, self.ending) {
            (1, None) => {
                stderr::say("the snapshot is being written; once more to leave without it");
            }
            (1, Some(_)) => {
                stderr::say(
                    "the snapshot is being written; once more to save it elsewhere at once",
                );
            }
            (2, Some(torcd)) => {
                // When it has just gone, that is seen elsewhere.
                let _ = kill(torcd, Signal::SIGTERM);
                stderr::say("torcd gives up, and saves the record elsewhere; once more to leave");
                self.limit = Some(Instant::now() + ELSEWHERE);
            }
            _ => self.over = Some("you did not wait for it; torcd goes on saving it"),
        }
    }

    fn has_given_up(&self) -> bool {
        self.limit.is_some()
    }
}

/// Asks for something that ends with a snapshot, and shows how it comes along. `occasion` says why
/// it is taken.
///
/// # Errors
///
/// When torcd refuses, or the connection fails.
pub(crate) async fn wait<C>(
    client: &mut Client,
    call: C,
    occasion: &str,
    display: &mut Display,
    patience: &mut Patience<'_>,
) -> Result<Waited, CliError>
where
    C: Call<Reply = SnapshotProgress, Count = Many>,
{
    client.stream(call).await?;
    follow::<C>(client, None, occasion, display, patience).await
}

/// Shows how comes along what was asked for before, of which `first` is told already.
///
/// # Errors
///
/// As [`wait`].
pub(crate) async fn follow<C>(
    client: &mut Client,
    first: Option<SnapshotProgress>,
    occasion: &str,
    display: &mut Display,
    patience: &mut Patience<'_>,
) -> Result<Waited, CliError>
where
    C: Call<Reply = SnapshotProgress, Count = Many>,
{
    let mut course = Course::begin(Instant::now());
    let mut told = first.and_then(|first| course.take(first, Instant::now()));
    let mut pause = AGAIN;
    let mut speak_at = Instant::now() + QUIET;
    let mut spoken = None;
    loop {
        tokio::select! {
            part = client.next::<C>() => match part? {
                None => return Ok(told.map_or(Waited::Silence, Waited::Told)),
                Some(progress) => told = course.take(progress, Instant::now()).or(told),
            },
            () = sleep_until(speak_at) => {}
            why = patience.end() => return Ok(Waited::Left(why)),
        }
        let now = Instant::now();
        let has_moved = spoken.is_some_and(|spoken| spoken != course.phase);
        if now >= speak_at || has_moved {
            let line = course.line(now, patience.has_given_up());
            let again = if display.is_redrawn() {
                // It takes the place of a bar, and has to fit into a narrow terminal.
                display.say(&line);
                Duration::from_secs(1)
            } else {
                display.say(&format!("{occasion}; {line}"));
                pause
            };
            if now >= speak_at && spoken.is_some() {
                pause *= 2;
            }
            speak_at = now + again;
            spoken = Some(course.phase);
        }
    }
}

/// How far a snapshot is.
#[derive(Debug)]
struct Course {
    phase: SnapshotPhase,
    since: Instant,
    /// When it was begun: from then on the limit counts.
    begun: Option<Instant>,
    asked: Instant,
    limit: Option<Duration>,
}

impl Course {
    fn begin(now: Instant) -> Self {
        Self { phase: SnapshotPhase::Waiting, since: now, begun: None, asked: now, limit: None }
    }

    /// Takes what torcd tells, and returns it if it is how the snapshot ended.
    fn take(&mut self, progress: SnapshotProgress, now: Instant) -> Option<SnapshotProgress> {
        match progress {
            SnapshotProgress::Queued | SnapshotProgress::Jobs(_) => None,
            SnapshotProgress::Limit(limit) => {
                self.limit = Some(limit.into());
                None
            }
            SnapshotProgress::Phase(phase) => {
                self.begun.get_or_insert(now);
                if phase != self.phase {
                    (self.phase, self.since) = (phase, now);
                }
                None
            }
            SnapshotProgress::Done(_)
            | SnapshotProgress::Failed(_)
            | SnapshotProgress::TimedOut(_)
            | SnapshotProgress::Nothing => Some(progress),
        }
    }

    /// Returns in words how far it is, and how long that may still take.
    fn line(&self, now: Instant, has_given_up: bool) -> String {
        if has_given_up {
            return "snapshot: given up, torcd saves the record elsewhere".to_owned();
        }
        let elapsed = (now - self.since).as_secs();
        let Self { phase, limit, .. } = self;
        match limit {
            None => format!("snapshot: {phase}, {elapsed} s; Ctrl-C to leave it"),
            Some(limit) => {
                let passed = now - self.begun.unwrap_or(self.asked);
                // Rounded up: it is not over before it is.
                let left = limit.saturating_sub(passed).as_secs_f64().ceil();
                let limit = limit.as_secs();
                format!(
                    "snapshot: {phase}, {elapsed} s; given up after {limit} s, in {left} s; \
                     Ctrl-C to leave it"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use torc_protocol::time::Span;

    use super::*;

    #[test]
    fn the_line_tells_the_step_and_counts_down() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut course = Course::begin(start);
        assert_eq!(course.line(at(1), false), "snapshot: waiting, 1 s; Ctrl-C to leave it");
        assert_eq!(course.take(SnapshotProgress::Limit(Span(300_000_000)), start), None);
        course.take(SnapshotProgress::Phase(SnapshotPhase::Copy), at(10));
        course.take(SnapshotProgress::Phase(SnapshotPhase::Write), at(11));
        course.take(SnapshotProgress::Phase(SnapshotPhase::Write), at(12));
        let expected = "snapshot: write, 3 s; given up after 300 s, in 296 s; Ctrl-C to leave it";
        assert_eq!(course.line(at(14), false), expected);
        assert!(course.line(at(400), false).contains(", in 0 s;"));
        assert!(course.line(at(14), true).contains("saves the record elsewhere"));
    }

    #[test]
    fn only_an_end_is_what_became_of_it() {
        let now = Instant::now();
        let mut course = Course::begin(now);
        assert_eq!(course.take(SnapshotProgress::Queued, now), None);
        let end = SnapshotProgress::TimedOut(SnapshotPhase::Sync);
        assert_eq!(course.take(end.clone(), now), Some(end));
    }
}
