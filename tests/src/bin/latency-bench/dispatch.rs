//! The workflow that runs while requests are measured, and somebody who watches it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use torc_protocol::event::EventKind;
use torc_protocol::response::{Response, WatchItem};
use torc_tests::benchmark::worker::{PACED, SLOTS, WORK};
use torc_tests::client::Client;

use crate::fill;

/// What was seen of it since it was looked at last.
struct Seen {
    since: Instant,
    jobs: u32,
    last: Instant,
    longest_gap: Duration,
}

impl Seen {
    fn nothing() -> Self {
        let now = Instant::now();
        Self { since: now, jobs: 0, last: now, longest_gap: Duration::ZERO }
    }

    fn jobs(&mut self, jobs: usize) {
        let now = Instant::now();
        self.jobs += jobs as u32;
        self.longest_gap = self.longest_gap.max(now - self.last);
        self.last = now;
    }
}

/// How fast jobs were run.
pub(crate) struct Pace {
    /// Jobs a second.
    pub(crate) rate: f64,
    /// The longest time in which the watcher heard of none.
    pub(crate) longest_gap: Duration,
}

/// A workflow that runs.
pub(crate) struct Dispatch {
    seen: Arc<Mutex<Seen>>,
}

impl Dispatch {
    /// Submits one that runs for longer than that, and watches it.
    pub(crate) fn begin(socket: &Path, at_least: Duration) -> anyhow::Result<Self> {
        let rate = f64::from(SLOTS) / WORK.as_secs_f64();
        // Twice the time, and some for what lies between the phases.
        let jobs = (rate * (2.0 * at_least.as_secs_f64() + 60.0)) as u32;
        let mut client = Client::connect(socket)?;
        fill::submit(&mut client, jobs, PACED, Some(SLOTS), true)?;
        let seen = Arc::new(Mutex::new(Seen::nothing()));
        let seeing = seen.clone();
        thread::spawn(move || {
            while let Ok(Response::Watch(WatchItem::Events(events))) = client.receive() {
                let is_job = |kind: &EventKind| matches!(kind, EventKind::JobFinished { .. });
                let jobs = events.iter().filter(|event| is_job(&event.kind)).count();
                if jobs > 0 {
                    seeing.lock().unwrap_or_else(PoisonError::into_inner).jobs(jobs);
                }
            }
        });
        Ok(Self { seen })
    }

    /// Forgets what was seen.
    pub(crate) fn restart(&self) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::nothing();
    }

    /// Returns what was seen since the last [`Self::restart`].
    pub(crate) fn so_far(&self) -> anyhow::Result<Pace> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(seen.jobs > 0, "no job has ended: the workflow is over, or its watcher was cut");
        // What has not come yet counts as well.
        seen.jobs(0);
        let rate = f64::from(seen.jobs) / seen.since.elapsed().as_secs_f64();
        Ok(Pace { rate, longest_gap: seen.longest_gap })
    }
}
