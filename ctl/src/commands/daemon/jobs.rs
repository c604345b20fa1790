//! Waiting for the jobs that run under a torcd which is to end: their number, and the ways out.
//!
//! Nothing is lost by leaving: torcd takes the end of our connection for a change of mind.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use torc_protocol::request::Shutdown;
use torc_protocol::response::SnapshotProgress;

use crate::client::Client;
use crate::commands::running::stop::Stop;
use crate::error::{CliError, ErrorKind};
use crate::progress::display::Display;
use crate::signals::EndSignal;
use crate::style::count;

/// A wait that takes longer than this is spoken of.
const QUIET: Duration = Duration::from_millis(300);
/// Until it is spoken of again where that takes a line; after that, each time twice as long.
const AGAIN: Duration = Duration::from_secs(5);

/// How a wait is over.
#[derive(Debug)]
pub(super) enum Over {
    /// No job is left, and torcd is ending; what it has said first of that, if anything.
    Ending(Option<SnapshotProgress>),
    /// Nobody waits any more.
    Left(EndSignal),
}

/// Waits until the jobs that run have ended; `client` has been asked for that.
///
/// # Errors
///
/// When `limit` is over before, torcd refuses, or the connection fails.
pub(super) async fn wait(
    client: &mut Client,
    display: &mut Display,
    stop: &mut Stop,
    limit: Option<Duration>,
) -> Result<Over, CliError> {
    let asked = Instant::now();
    let end = limit.and_then(|limit| asked.checked_add(limit));
    let mut line = Line { jobs: 0, speak_at: asked + QUIET, pause: AGAIN, said: false };
    loop {
        tokio::select! {
            part = client.next::<Shutdown>() => match part? {
                Some(SnapshotProgress::Jobs(jobs)) => {
                    line.jobs = jobs;
                    if line.said && display.is_redrawn() {
                        line.speak_at = Instant::now();
                    }
                }
                other => {
                    display.clear();
                    return Ok(Over::Ending(other));
                }
            },
            () = sleep_until(line.speak_at) => line.say(display),
            () = late(end) => {
                display.clear();
                return Err(timed_out(line.jobs, limit.unwrap_or_default()));
            }
            signal = stop.next() => {
                display.clear();
                return Ok(Over::Left(signal));
            }
        }
    }
}

/// What the user sees of a wait.
struct Line {
    jobs: u64,
    speak_at: Instant,
    pause: Duration,
    said: bool,
}

impl Line {
    fn say(&mut self, display: &mut Display) {
        self.speak_at = Instant::now() + self.pause;
        if self.jobs == 0 {
            // It has not been told yet.
            return;
        }
        let jobs = count(self.jobs, "running job");
        display.say(&format!("waiting for {jobs}; Ctrl-C leaves all as it is"));
        if self.said {
            self.pause *= 2;
        }
        self.said = true;
    }
}

async fn late(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

fn timed_out(jobs: u64, limit: Duration) -> CliError {
    let limit = limit.as_secs_f64();
    let jobs = match jobs {
        // It has not been told in that time.
        0 => "jobs".to_owned(),
        jobs => count(jobs, "running job"),
    };
    let message = format!("torcd has not ended: after {limit} s it has {jobs} left");
    CliError::new(ErrorKind::TimedOut, message).hint(
        "it goes on, and starts jobs again; wait longer, or use `--running again` or `--running stop`",
    )
}
