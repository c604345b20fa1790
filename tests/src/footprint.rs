//! What a process takes of the machine.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// What one process takes at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Footprint {
    /// Resident, in bytes.
    pub rss: u64,
    /// The same, but of what it shares with others only its part.
    pub pss: u64,
    /// Open descriptors.
    pub descriptors: u64,
    /// Threads.
    pub threads: u64,
}

impl Footprint {
    /// Returns what a process takes now.
    ///
    /// # Errors
    ///
    /// When there is no such process, or it is somebody else's.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
        let bytes = |field: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(field)?.strip_suffix("kB"));
            let kibibytes = line.with_context(|| format!("no {field}"))?.trim().parse::<u64>()?;
            anyhow::Ok(kibibytes * 1_024)
        };
        Ok(Self {
            rss: bytes("Rss:")?,
            pss: bytes("Pss:")?,
            descriptors: entries(Path::new(&format!("/proc/{pid}/fd"))),
            threads: entries(Path::new(&format!("/proc/{pid}/task"))),
        })
    }
}

/// Returns how often the threads of a process have stopped running so far, of themselves or not. One
/// that sleeps on does not add to it; one that wakes up does.
///
/// # Errors
///
/// When there is no such process.
pub fn switches(pid: u32) -> anyhow::Result<u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task"))?.flatten();
    // A thread that has ended meanwhile has been awake for that, and another look tells.
    let statuses = tasks.map(|task| fs::read_to_string(task.path().join("status")));
    let counts = statuses.flatten().map(|status| {
        let lines = status.lines().filter_map(|line| line.split_once("_ctxt_switches:"));
        lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum::<u64>()
    });
    Ok(counts.sum())
}

/// Returns how many entries a directory has; none when it is not there.
#[must_use]
pub fn entries(dir: &Path) -> u64 {
    fs::read_dir(dir).map_or(0, |entries| entries.count() as u64)
}
