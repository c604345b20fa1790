//! The processes that a test has started, with all that these have started in turn.
//!
//! Every one has the home of its test in its environment, and no other process has.

use std::fs;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it runs.
    pub command: String,
}

/// Returns the processes whose home is `home`. One that has ended does not count, even when nobody
/// has waited for it.
#[must_use]
pub fn at_home(home: &Path) -> Vec<Process> {
    let entry = format!("HOME={}", home.display());
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    all.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == entry.as_bytes())
        })
        .map(|pid| Process { pid, command: command_of(pid) })
        .collect()
}

/// Returns whether there is a process of this number that has not ended.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Sends a signal to a process. That it has ended meanwhile does not matter.
pub fn signal(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// Returns the processes that have this path among their arguments.
#[must_use]
pub fn with_argument(path: &Path) -> Vec<Process> {
    let Ok(all) = fs::read_dir("/proc") else { return Vec::new() };
    let path = path.as_os_str().as_encoded_bytes();
    all.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            arguments.split(|byte| *byte == 0).any(|argument| argument == path)
        })
        .map(|pid| Process { pid, command: command_of(pid) })
        .collect()
}

/// Returns when a process was started, in clock ticks since boot; none when there is no such process,
/// or it has ended and nobody has waited for it.
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    torcd::sys::process::start_time(pid)
}

/// Returns the processes that a process has as children.
#[must_use]
pub fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    texts
        .flat_map(|text| {
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}

/// Returns the command line of a process.
#[must_use]
pub fn command_of(pid: u32) -> String {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&command).replace('\0', " ").trim_end().to_owned()
}
