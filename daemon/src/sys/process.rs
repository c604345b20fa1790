//! This process and its children.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{self, Resource};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

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

/// Kills a child of this process that has not been waited for.
pub fn kill(pid: u32) {
    if let Ok(pid) = i32::try_from(pid)
        && pid > 0
    {
        // It may have ended by itself.
        let _ = signal::kill(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// Kills what is left of the jobs of a worker that died, and returns when it is gone.
///
/// Their orphans are our children now. `groups` are the process groups of the jobs, whose numbers
/// nobody else can have as long as their leaders have not been waited for. Processes that left
/// their group are known by their environment: it has the entry `mark`, and names a job.
pub fn end_orphans(groups: &[u32], mark: &str) {
    let groups: Vec<Pid> = groups
        .iter()
        .filter_map(|group| i32::try_from(*group).ok().filter(|group| *group > 1))
        .map(Pid::from_raw)
        .collect();
    let mut killed: Vec<Pid> = Vec::new();
    for group in &groups {
        // It may have ended by itself.
        let _ = signal::killpg(*group, Signal::SIGKILL);
        killed.push(Pid::from_raw(-group.as_raw()));
    }
    loop {
        for pid in killed.drain(..) {
            while matches!(waitpid(pid, None), Ok(_) | Err(Errno::EINTR)) {}
        }
        let marked = children().unwrap_or_default().into_iter().filter(|pid| is_marked(*pid, mark));
        for pid in marked {
            // It may have ended by itself.
            let _ = signal::kill(pid, Signal::SIGKILL);
            killed.push(pid);
        }
        if killed.is_empty() {
            return;
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

/// Returns the standard input as a file of ours that is closed on exec, and `/dev/null` in its place.
///
/// # Errors
///
/// When the descriptors cannot be had.
pub fn take_stdin() -> io::Result<File> {
    use std::os::fd::AsFd;
    let taken = io::stdin().as_fd().try_clone_to_owned()?;
    nix::unistd::dup2_stdin(File::open("/dev/null")?)?;
    Ok(File::from(taken))
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
