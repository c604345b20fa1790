//! This process and its children.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{self, Resource};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpgid};

/// Returns the path by which this very program can be run again, even when its file was replaced by
/// a newer one since it started.
#[must_use]
pub fn own_executable() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

/// Returns the user that this process acts as.
#[must_use]
pub fn uid() -> u32 {
    nix::unistd::Uid::effective().as_raw()
}

/// Returns how many files this process can have open at a time.
#[must_use]
pub fn open_files_limit() -> u64 {
    // Without an answer, what POSIX promises to everybody.
    resource::getrlimit(Resource::RLIMIT_NOFILE).map_or(20, |(soft, _)| soft)
}

/// Makes orphans among our descendants our children, instead of init's.
///
/// # Errors
///
/// When the kernel refuses.
pub fn adopt_orphans() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Lets others have the processor first, and by that the disk too, as the kernel derives the one
/// from the other. Harmless when it is refused.
#[expect(unsafe_code, reason = "neither std nor nix wraps it")]
pub fn give_way() {
    const NICER: i32 = 10;
    // SAFETY: the call takes a number and touches no memory of ours.
    unsafe { nix::libc::nice(NICER) };
}

/// Kills a child of this process that has not been waited for.
pub fn kill(pid: u32) {
    if let Ok(pid) = i32::try_from(pid)
        && pid > 0
    {
        // It may have ended by itself.
        let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// A process that is held on to: its number may be given to another, this stays its own.
#[derive(Debug)]
pub struct Held(OwnedFd);

impl Held {
    /// Returns the process of this number.
    ///
    /// # Errors
    ///
    /// There is none, or the kernel cannot do it (Linux before 5.3).
    #[expect(unsafe_code, reason = "neither std nor nix wraps it")]
    pub fn new(pid: u32) -> io::Result<Self> {
        // SAFETY: takes two integers and returns a new descriptor, which nobody else owns.
        unsafe {
            let fd = nix::libc::syscall(nix::libc::SYS_pidfd_open, pid, 0);
            let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0);
            fd.map(|fd| Self(OwnedFd::from_raw_fd(fd))).ok_or_else(io::Error::last_os_error)
        }
    }

    /// Kills it, if it is still there.
    #[expect(unsafe_code, reason = "neither std nor nix wraps it")]
    pub fn kill(&self) {
        let none: *const nix::libc::siginfo_t = std::ptr::null();
        // SAFETY: the kernel makes the information itself when given a null pointer.
        unsafe {
            nix::libc::syscall(
                nix::libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                nix::libc::SIGKILL,
                none,
                0,
            )
        };
    }
}

/// Kills what is left of the jobs of a worker that died, and returns when it is gone.
///
/// Mostly its guard has done that. What is left when that was killed too is our child now, or will be
/// when its parent is dead. `groups` are the process groups of the jobs and of the worker. Processes
/// that left their group are known by their environment: it has the entry `mark`, and names a job.
pub fn end_orphans(groups: &[u32], mark: &str) {
    let groups: HashSet<Pid> =
        groups.iter().filter_map(|group| i32::try_from(*group).ok()).map(Pid::from_raw).collect();
    let is_left = |pid: Pid| {
        getpgid(Some(pid)).is_ok_and(|group| groups.contains(&group)) || is_marked(pid, mark)
    };
    loop {
        let mut left = children().unwrap_or_default();
        left.retain(|pid| is_left(*pid));
        if left.is_empty() {
            return;
        }
        for pid in &left {
            // It may have ended by itself.
            let _ = signal::kill(*pid, Signal::SIGKILL);
        }
        for pid in left {
            while waitpid(pid, None) == Err(Errno::EINTR) {}
        }
    }
}

fn is_marked(pid: Pid, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let has = |wanted: fn(&[u8], &[u8]) -> bool, what: &[u8]| {
        environment.split(|byte| *byte == 0).any(|entry| wanted(entry, what))
    };
    has(<[u8]>::eq, mark.as_bytes()) && has(<[u8]>::starts_with, b"TORC_JOB_ID=")
}

fn children() -> io::Result<Vec<Pid>> {
    let mut children = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("children"))?;
        children.extend(
            text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw),
        );
    }
    Ok(children)
}

/// Returns when process `pid` started, in clock ticks since boot: with the boot id and the number,
/// it names a process for good. None when there is no such process, or it has died and only waits for
/// its parent to take note.
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    // The name in parentheses may hold anything; field 22 counts from after the last one.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    match fields.next()? {
        "Z" | "X" => None,
        _ => fields.nth(18)?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_by_its_start() {
        let ours = start_time(std::process::id()).unwrap();
        assert!(ours > 0);
        assert_eq!(start_time(std::process::id()), Some(ours));
        assert_eq!(start_time(u32::MAX), None);
    }

    #[test]
    fn orphans_are_known_by_their_group_or_their_environment() {
        use std::os::unix::process::CommandExt;
        let start = |variables: &[(&str, &str)]| {
            let mut command = std::process::Command::new("sleep");
            command.arg("60").envs(variables.iter().copied()).process_group(0);
            command.spawn().unwrap()
        };
        let mut grouped = start(&[]);
        let mut marked = start(&[("TORC_TEST_MARK", "7"), ("TORC_JOB_ID", "1")]);
        let mut others = [start(&[]), start(&[("TORC_TEST_MARK", "7")])];
        end_orphans(&[grouped.id()], "TORC_TEST_MARK=7");
        assert!(grouped.wait().is_err() && marked.wait().is_err(), "they have been waited for");
        for other in &mut others {
            assert_eq!(other.try_wait().unwrap(), None);
            other.kill().unwrap();
            other.wait().unwrap();
        }
    }

    #[test]
    fn a_process_that_is_held_on_to_is_killed() {
        use std::os::unix::process::ExitStatusExt;
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let held = Held::new(child.id()).unwrap();
        held.kill();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        held.kill();
        assert!(Held::new(u32::MAX).is_err());
    }

    #[test]
    fn who_gives_way_is_nicer() {
        let nice = || -> i32 {
            let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
            stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16).unwrap().parse().unwrap()
        };
        // The kernel counts by threads, and this one ends.
        let (before, after) = std::thread::spawn(move || {
            let before = nice();
            give_way();
            (before, nice())
        })
        .join()
        .unwrap();
        assert_eq!(after, (before + 10).min(19));
    }

    #[test]
    fn a_process_that_has_died_has_no_start_even_before_it_is_reaped() {
        use std::io::Read;
        let mut child = std::process::Command::new("true")
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        // Its end of the pipe closes as it dies; it is a zombie a moment after.
        child.stdout.take().unwrap().read_to_end(&mut Vec::new()).unwrap();
        let pid = child.id();
        let id = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(pid.cast_signed()));
        let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
        nix::sys::wait::waitid(id, flags).unwrap();
        assert_eq!(start_time(pid), None);
        child.wait().unwrap();
    }
}
