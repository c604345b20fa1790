//! Looks at what the processes of limited attempts take, and kills those that take too much.
//!
//! How often depends on how near they are to their limits and on what a look costs, but it is never
//! more than a tenth of one CPU.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::unistd::Pid;
use torc_protocol::id::AttemptId;

use super::processes::{self, Owner, Process, Table};
use crate::worker::attempt::Attempt;
use crate::worker::lock::lock;

/// As fast as a program may be expected to fill memory, in bytes a second.
const FILL_RATE: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;
/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(20);
/// The longest: a process may have begun meanwhile, and a memory may be filled by many threads.
const LONGEST: Duration = Duration::from_millis(100);
/// How often what is over a limit is counted again because one of the processes has ended meanwhile.
const COUNTS: u32 = 5;
/// How many times as long as the last look took is waited before the next.
const IDLE_SHARE: u32 = 9;
/// The longest that is waited for this reason.
const LONGEST_IDLE: Duration = Duration::from_millis(500);

/// The thread that looks, and what it looks at.
#[derive(Default)]
pub(super) struct Sampler {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    watched: Vec<Arc<Watched>>,
    has_thread: bool,
    /// Whether the thread waits for the first of `watched`, for any time.
    is_asleep: bool,
}

/// A process group and its descendants, with a limit.
pub(super) struct Watched {
    attempt: Arc<Attempt>,
    owner: Owner,
    limit: u64,
    peak: AtomicU64,
}

impl Watched {
    pub(super) fn new(attempt: Arc<Attempt>, mark: AttemptId, group: Pid, limit: u64) -> Self {
        Self { attempt, owner: Owner { group, mark }, limit, peak: AtomicU64::new(0) }
    }

    /// Returns the most that was seen, in bytes.
    pub(super) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// Judges what its processes take; returns how much there is to its limit.
    fn judge(&self, processes: &[&Process]) -> u64 {
        let mut bytes = processes.iter().map(|process| process.resident).sum();
        let mut there = processes.to_vec();
        // Pages that several of them share were counted several times, and those of one that ends
        // while it is counted fall to the others.
        for _ in 0..COUNTS {
            if bytes <= self.limit {
                break;
            }
            let before = there.len();
            bytes = processes::proportional(&there);
            there.retain(|process| process.is_there());
            if there.len() == before {
                break;
            }
        }
        self.peak.fetch_max(bytes, Ordering::Relaxed);
        if bytes > self.limit {
            self.attempt.exceed_memory(self.owner.group);
            for process in processes.iter().filter(|process| process.group != self.owner.group) {
                process.kill();
            }
        }
        self.limit.saturating_sub(bytes)
    }
}

impl Sampler {
    /// Makes sure that there is a thread.
    ///
    /// # Errors
    ///
    /// None can be made.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let mut inner = lock(&self.shared.inner);
        if !inner.has_thread {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name("memory".to_owned());
            thread.spawn(move || shared.run())?;
            inner.has_thread = true;
        }
        Ok(())
    }

    /// Begins to look at a process.
    pub(super) fn watch(&self, watched: Watched) -> Arc<Watched> {
        let watched = Arc::new(watched);
        let mut inner = lock(&self.shared.inner);
        inner.watched.push(Arc::clone(&watched));
        if inner.is_asleep {
            self.shared.changed.notify_one();
        }
        watched
    }

    /// Looks at it no more.
    pub(super) fn forget(&self, watched: &Arc<Watched>) {
        let mut inner = lock(&self.shared.inner);
        if let Some(at) = inner.watched.iter().position(|other| Arc::ptr_eq(other, watched)) {
            inner.watched.swap_remove(at);
        }
    }
}

impl Shared {
    /// The thread.
    fn run(&self) -> ! {
        loop {
            let watched = self.wait();
            let start = Instant::now();
            let room = look(&watched);
            std::thread::sleep(pause(room, start.elapsed()));
        }
    }

    /// Waits until there is something to look at.
    fn wait(&self) -> Vec<Arc<Watched>> {
        let mut inner = lock(&self.inner);
        while inner.watched.is_empty() {
            inner.is_asleep = true;
            inner = self.changed.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        inner.is_asleep = false;
        inner.watched.clone()
    }
}

/// Looks at all of them once; returns the least that there is to a limit.
fn look(watched: &[Arc<Watched>]) -> u64 {
    let owners: Vec<Owner> = watched.iter().map(|watched| watched.owner).collect();
    let table = Table::read();
    let owned = table.owned_by(&owners);
    watched.iter().zip(owned).map(|(watched, own)| watched.judge(&own)).min().unwrap_or(u64::MAX)
}

/// Returns how long to wait until the next look.
fn pause(room: u64, cost: Duration) -> Duration {
    let until_full = Duration::from_secs_f64(room as f64 / FILL_RATE);
    let idle = (cost * IDLE_SHARE).min(LONGEST_IDLE);
    until_full.clamp(SHORTEST, LONGEST).max(idle)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::pause;

    #[test]
    fn the_nearer_to_a_limit_the_oftener_it_looks() {
        let cheap = Duration::from_micros(100);
        assert_eq!(pause(0, cheap), Duration::from_millis(20));
        assert_eq!(pause(64 << 20, cheap), Duration::from_micros(31_250));
        assert_eq!(pause(u64::MAX, cheap), Duration::from_millis(100));
    }

    #[test]
    fn looks_that_cost_much_are_rare() {
        assert_eq!(pause(0, Duration::from_millis(10)), Duration::from_millis(90));
        assert_eq!(pause(0, Duration::from_secs(10)), Duration::from_millis(500));
    }
}
