//! Processes of jobs that outlive the process that started them: the strays of a worker, and those
//! of its guard, which has no other children once the worker has ended.
//!
//! The worker is a subreaper, so they become children of its main thread, while the leaders of jobs
//! are children of slot threads. The children of the main thread are therefore strays and nothing
//! else, and may all be reaped there.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};
use torc_protocol::id::AttemptId;

use super::kernel;

/// How long to wait for killed strays. Only one in an uninterruptible wait takes that long.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process that is executing another program has no environment for a moment: this long it is
/// looked at again. One that has hidden its environment is not told apart, and dies with the worker.
const UNNAMED_PATIENCE: Duration = Duration::from_millis(50);
/// How long to wait for such a process before the next look.
const EXECUTING: Duration = Duration::from_millis(1);

/// The list of strays.
pub(super) struct Strays {
    /// The kernel's list of the children of the main thread; none on kernels built without it.
    children: Option<File>,
}

impl Strays {
    /// To be called on the main thread.
    pub(super) fn new() -> Self {
        let main = std::process::id();
        Self { children: File::open(format!("/proc/self/task/{main}/children")).ok() }
    }

    /// Returns all strays, those that have ended but were not reaped included.
    fn list(&self) -> Vec<Pid> {
        let Some(file) = &self.children else { return scan() };
        let mut text = Vec::new();
        let mut page = [0; 4096];
        while let Ok(length @ 1..) = file.read_at(&mut page, text.len() as u64) {
            text.extend_from_slice(&page[..length]);
        }
        String::from_utf8_lossy(&text).split_whitespace().filter_map(parse_pid).collect()
    }

    /// Kills what is left of an attempt whose leader has ended but was not reaped: its `group`, and
    /// what has moved to other groups or sessions. Waits until it is gone. Returns whether there
    /// may be something to reap.
    pub(super) fn end(&self, attempt: AttemptId, group: Pid) -> bool {
        let deadline = Instant::now() + PATIENCE;
        let unnamed_until = Instant::now() + UNNAMED_PATIENCE;
        let mut any = false;
        loop {
            let strays = self.list();
            any |= !strays.is_empty();
            let mut own: Vec<OwnedFd> = Vec::new();
            let mut unnamed = None;
            for stray in strays {
                // The descriptor is opened before the look, so it is of the process looked at, or
                // of one before it that is gone.
                let Some(pidfd) = running(stray) else { continue };
                match owner(stray, attempt) {
                    // A dying process has no environment, but still its group.
                    _ if getpgid(Some(stray)) == Ok(group) => own.push(pidfd),
                    Owner::This => own.push(pidfd),
                    Owner::Unnamed => unnamed = Some(pidfd),
                    Owner::Another => {}
                }
            }
            let now = Instant::now();
            if now >= deadline {
                return any;
            }
            if own.is_empty() {
                let Some(unnamed) = unnamed.filter(|_| now < unnamed_until) else { return any };
                // It ends, or has its environment after that.
                let _ = kernel::wait_readable([Some(unnamed.as_fd())], Some(EXECUTING));
                continue;
            }
            for stray in &own {
                kernel::kill_pidfd(stray.as_fd());
            }
            for stray in &own {
                // A failure only makes the loop look again.
                let _ = kernel::wait_readable([Some(stray.as_fd())], Some(remaining(deadline)));
            }
        }
    }

    /// Returns a process of `group` that still runs though its leader has ended.
    pub(super) fn member(&self, group: Pid) -> Option<OwnedFd> {
        self.list()
            .into_iter()
            .find_map(|stray| running(stray).filter(|_| getpgid(Some(stray)) == Ok(group)))
    }

    /// Kills all strays and waits until they are gone; returns whether they are. To be called on the
    /// main thread: nobody else reaps them, so none of their numbers can be given to a stranger
    /// meanwhile.
    pub(super) fn end_all(&self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while kernel::reap_any() {}
            let strays = self.list();
            let Some(first) = strays.first() else { return true };
            for stray in &strays {
                // An error means that it has ended.
                let _ = kill(*stray, Signal::SIGKILL);
            }
            if Instant::now() >= deadline {
                return false;
            }
            if let Ok(pidfd) = kernel::pidfd_open(*first) {
                let _ = kernel::wait_readable([Some(pidfd.as_fd())], Some(remaining(deadline)));
            }
        }
    }
}

/// Returns a descriptor of a process, unless it has ended.
pub(super) fn running(process: Pid) -> Option<OwnedFd> {
    let pidfd = kernel::pidfd_open(process).ok()?;
    let [ended] = kernel::wait_readable([Some(pidfd.as_fd())], Some(Duration::ZERO)).ok()?;
    (!ended).then_some(pidfd)
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

fn parse_pid(text: &str) -> Option<Pid> {
    text.parse().ok().map(Pid::from_raw)
}

/// Finds the children of this process in the list of all processes.
fn scan() -> Vec<Pid> {
    let own = Some(Pid::this());
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = processes.filter_map(|entry| {
        let pid = parse_pid(entry.file_name().to_str()?)?;
        (parent(pid) == own).then_some(pid)
    });
    children.collect()
}

/// Returns the parent of a process.
pub(super) fn parent(process: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    parse_pid(parent_of(&stat)?)
}

/// Returns the second field after the name, which may itself hold spaces and parentheses.
fn parent_of(stat: &str) -> Option<&str> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)
}

/// Whose a stray is.
enum Owner {
    /// The attempt's that is asked for.
    This,
    /// Another attempt's, or nobody's.
    Another,
    /// Not to be told, for it has no environment: it is executing a program, or hides it.
    Unnamed,
}

/// Returns what the environment of a process says of its owner.
fn owner(process: Pid, attempt: AttemptId) -> Owner {
    match fs::read(format!("/proc/{process}/environ")) {
        Ok(environment) if environment.is_empty() => Owner::Unnamed,
        Ok(environment) if names(&environment, attempt) => Owner::This,
        Ok(_) | Err(_) => Owner::Another,
    }
}

/// Returns whether an environment is that of a process of this attempt.
pub(super) fn names(environment: &[u8], attempt: AttemptId) -> bool {
    let job = format!("TORC_JOB_ID={}", attempt.job);
    let number = format!("TORC_ATTEMPT={}", attempt.number);
    let has =
        |wanted: &str| environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
    has(&job) && has(&number)
}

#[cfg(test)]
mod tests {
    use torc_protocol::id::{AttemptId, AttemptNumber, JobId};

    use super::{names, parent_of};

    #[test]
    fn a_process_is_of_the_attempt_that_its_environment_names() {
        let attempt = AttemptId { job: JobId(1), number: AttemptNumber(2) };
        assert!(names(b"A=1\0TORC_JOB_ID=1\0TORC_ATTEMPT=2\0", attempt));
        assert!(!names(b"TORC_JOB_ID=1\0TORC_ATTEMPT=1\0", attempt));
        assert!(!names(b"TORC_JOB_ID=11\0TORC_ATTEMPT=2\0", attempt));
        assert!(!names(b"XTORC_JOB_ID=1\0TORC_ATTEMPT=2\0", attempt));
        assert!(!names(b"", attempt));
    }

    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_of("12 (a) b) (c) S 7 12 12"), Some("7"));
    }
}
