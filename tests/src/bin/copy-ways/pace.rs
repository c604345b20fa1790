//! A thousand transactions a second, whatever else the owner of the database has to do.

use std::fs;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use rusqlite::Connection;

use crate::content;
use crate::measured::Measured;

/// From one transaction to the next.
const PERIOD: Duration = Duration::from_millis(1);
/// How long before a copy they are made.
const BEFORE: Duration = Duration::from_secs(1);
/// How often memory is looked at, in transactions.
const LOOK: usize = 20;

/// The owner of a database while it is copied.
pub(crate) struct Pace {
    jobs: u32,
    /// When the next transaction is due.
    due: Instant,
    number: u64,
    begun: Instant,
    memory_before: u64,
    measured: Measured,
    waits: Vec<Duration>,
}

impl Pace {
    /// Makes transactions for a while, and returns when the copy is to begin, which is said.
    pub(crate) fn begin(connection: &Connection, jobs: u32) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let (measured, waits) = (Measured::default(), Vec::new());
        let mut pace =
            Self { jobs, due: begun, number: 0, begun, memory_before: 0, measured, waits };
        while pace.begun.elapsed() < BEFORE {
            pace.transaction(connection)?;
        }
        pace.waits.clear();
        pace.memory_before = memory();
        println!("copying");
        pace.begun = Instant::now();
        Ok(pace)
    }

    /// Waits until the next transaction is due, and makes it.
    pub(crate) fn transaction(&mut self, connection: &Connection) -> anyhow::Result<()> {
        thread::sleep(self.due.saturating_duration_since(Instant::now()));
        self.number += 1;
        content::transaction(connection, self.number, self.jobs)?;
        self.waits.push(self.due.elapsed());
        self.due += PERIOD;
        if self.waits.len().is_multiple_of(LOOK) {
            self.look();
        }
        Ok(())
    }

    /// Has the owner do something else.
    pub(crate) fn pause<T>(&mut self, f: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let begun = Instant::now();
        let done = f()?;
        self.measured.pause = self.measured.pause.max(begun.elapsed());
        self.look();
        Ok(done)
    }

    /// Makes transactions until a thread has done its part of the copy.
    pub(crate) fn until<T>(
        &mut self,
        connection: &Connection,
        thread: JoinHandle<anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        while !thread.is_finished() {
            self.transaction(connection)?;
        }
        thread.join().map_err(|_| anyhow!("a thread has panicked"))?
    }

    /// Returns what was measured. The copy is on disk.
    pub(crate) fn end(mut self, connection: &Connection) -> anyhow::Result<Measured> {
        self.measured.durable_after = self.begun.elapsed();
        // Those that came due meanwhile and were not made are late as well.
        while self.due < Instant::now() {
            self.transaction(connection)?;
        }
        self.waits.sort_unstable();
        let share = self.waits.len() * 99 / 100;
        self.measured.p99 = self.waits.get(share).copied().unwrap_or_default();
        self.measured.longest = self.waits.last().copied().unwrap_or_default();
        Ok(self.measured)
    }

    fn look(&mut self) {
        let more = memory().saturating_sub(self.memory_before);
        self.measured.memory = self.measured.memory.max(more);
    }
}

/// Returns how many bytes this process has for itself, and all memory file systems have.
fn memory() -> u64 {
    let kibibytes = |file: &str, field: &str| -> u64 {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
    };
    (kibibytes("/proc/self/status", "RssAnon:") + kibibytes("/proc/meminfo", "Shmem:")) << 10
}
