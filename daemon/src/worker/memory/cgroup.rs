//! Limits that the kernel keeps: cgroups of version 2.
//!
//! The cgroup of the worker is used only when it was given to us, as systemd does for a service with
//! `Delegate=`, and when nobody is in it but the worker, its guard and torcd. A cgroup with
//! controllers for its children holds no process itself, so these three move to a child of it.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::unistd::{AccessFlags, Pid, Uid, access, getppid};

use super::Seen;
use crate::worker::{kernel, strays};

/// The child to which the worker, its guard and torcd move.
const OWN: &str = "torcd";

/// How the names of all others begin; the process id of their worker follows.
const PREFIX: &str = "torc-";

/// How long to wait for killed processes. Only one in an uninterruptible wait takes that long.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long to wait between two tries to remove a cgroup whose processes are about to be gone.
const RETRY: Duration = Duration::from_millis(1);

/// A cgroup below which there may be others with limits.
pub(super) struct Cgroups {
    parent: PathBuf,
}

/// The cgroup of one process and its descendants. Dropping it kills them and removes it.
pub(super) struct Leaf {
    path: PathBuf,
    directory: File,
}

impl Cgroups {
    /// Returns the cgroup of this process if others can be made below it.
    pub(super) fn find() -> Option<Self> {
        let cgroups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = own_directory(&cgroups, &mounts)?;
        let found = Self::beside_torcd(&own).or_else(|| Self::below(&own))?;
        found.sweep();
        Some(found)
    }

    /// Removes what workers that were killed have left. A cgroup with processes stays: they may be
    /// of a worker that we cannot see.
    fn sweep(&self) {
        for child in children(&self.parent) {
            let name = child.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let worker = name.strip_prefix(PREFIX).and_then(|name| name.split_once('-'));
            let worker = worker.and_then(|(worker, _)| worker.parse::<u32>().ok());
            if worker.is_some_and(|worker| !Path::new(&format!("/proc/{worker}")).exists()) {
                let _ = fs::remove_dir(child);
            }
        }
    }

    /// A worker before this one has prepared it all: torcd has moved, and we with it.
    fn beside_torcd(own: &Path) -> Option<Self> {
        let parent = own.parent().filter(|_| own.ends_with(OWN))?;
        limits_children(parent).then(|| Self { parent: parent.to_owned() })
    }

    fn below(own: &Path) -> Option<Self> {
        let found = Self { parent: own.to_owned() };
        if limits_children(own) {
            return Some(found);
        }
        let controllers = fs::read_to_string(own.join("cgroup.controllers")).ok()?;
        let guard = getppid();
        // Where torcd has died it is init's child, and init is not to be moved.
        let torcd = strays::parent(guard).filter(|torcd| torcd.as_raw() > 1)?;
        let ours = [Pid::this(), guard, torcd];
        let is_usable = controllers.split_whitespace().any(|name| name == "memory")
            && is_given_to_us(own)
            && members(own).iter().all(|process| ours.contains(process));
        if !is_usable {
            return None;
        }
        let inner = own.join(OWN);
        fs::create_dir(&inner).ok()?;
        let moved = ours.iter().try_for_each(|process| enter(&inner, *process));
        if moved.and_then(|()| fs::write(own.join("cgroup.subtree_control"), "+memory")).is_ok() {
            return Some(found);
        }
        for process in ours {
            // It is where it was if it could not be moved before.
            let _ = enter(own, process);
        }
        let _ = fs::remove_dir(inner);
        None
    }

    /// Makes a cgroup whose processes can take so much memory, swap included.
    ///
    /// # Errors
    ///
    /// The kernel refuses; then there is none.
    pub(super) fn leaf(&self, name: &str, bytes: u64) -> io::Result<Leaf> {
        let path = self.parent.join(format!("{PREFIX}{}-{name}", Pid::this()));
        fs::create_dir(&path)?;
        let leaf = File::open(&path).map(|directory| Leaf { path: path.clone(), directory });
        let leaf = leaf.inspect_err(|_| drop(fs::remove_dir(&path)))?;
        fs::write(path.join("memory.max"), bytes.to_string())?;
        fs::write(path.join("memory.oom.group"), "1")?;
        match fs::write(path.join("memory.swap.max"), "0") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(leaf),
        }
    }
}

impl Leaf {
    /// Returns the directory, for a process to begin in it.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }

    /// Kills what is left in it, and returns what the kernel has noted.
    pub(super) fn end(&self) -> Seen {
        clear(&self.path, Instant::now() + PATIENCE);
        let read = |file: &str| fs::read_to_string(self.path.join(file)).unwrap_or_default();
        Seen {
            peak: read("memory.peak").trim().parse().unwrap_or(0),
            out_of_memory: count(&read("memory.events"), "oom_kill") > 0,
        }
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        clear(&self.path, deadline);
        remove(&self.path, deadline);
    }
}

/// Returns the directory of the cgroup of this process, given its cgroups and all mounts.
fn own_directory(cgroups: &str, mounts: &str) -> Option<PathBuf> {
    let path = cgroups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        if kind.split_whitespace().next() != Some("cgroup2") {
            return None;
        }
        let mut fields = place.split_whitespace().skip(3);
        let (root, mount) = (fields.next()?, fields.next()?);
        let below = Path::new(path).strip_prefix(root).ok()?;
        Some(Path::new(mount).join(below).components().collect())
    })
}

/// Returns whether we can make children of a cgroup that limit memory.
fn limits_children(cgroup: &Path) -> bool {
    let enabled = fs::read_to_string(cgroup.join("cgroup.subtree_control")).unwrap_or_default();
    enabled.split_whitespace().any(|name| name == "memory") && is_given_to_us(cgroup)
}

/// Returns whether a cgroup is ours to divide. Root may write everywhere, so it is asked whether
/// systemd gave it away, where there is systemd.
fn is_given_to_us(cgroup: &Path) -> bool {
    let files = ["", "cgroup.procs", "cgroup.subtree_control"];
    if !files.iter().all(|file| access(&cgroup.join(file), AccessFlags::W_OK).is_ok()) {
        return false;
    }
    let marks = [c"user.delegate", c"trusted.delegate"];
    !Uid::effective().is_root()
        || !Path::new("/run/systemd/system").exists()
        || CString::new(cgroup.as_os_str().as_bytes())
            .is_ok_and(|path| marks.iter().any(|mark| kernel::has_attribute(&path, mark, b"1")))
}

fn enter(cgroup: &Path, process: Pid) -> io::Result<()> {
    fs::write(cgroup.join("cgroup.procs"), process.to_string())
}

fn members(cgroup: &Path) -> Vec<Pid> {
    let text = fs::read_to_string(cgroup.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).map(Pid::from_raw).collect()
}

/// Kills all processes in a cgroup and in those that they have made below it, and waits until they
/// have ended.
fn clear(cgroup: &Path, deadline: Instant) {
    // All at once, where the kernel can (5.14): nothing is faster than that.
    let _ = fs::write(cgroup.join("cgroup.kill"), "1");
    for part in tree(cgroup).iter().rev() {
        clear_one(part, deadline);
    }
}

fn clear_one(cgroup: &Path, deadline: Instant) {
    while Instant::now() < deadline {
        let pidfds: Vec<_> = members(cgroup)
            .into_iter()
            .filter_map(|process| Some((process, strays::running(process)?)))
            .collect();
        if pidfds.is_empty() {
            return;
        }
        // One that is listed before and after its descriptor was opened is what that is of.
        let still = members(cgroup);
        for (_, pidfd) in pidfds.iter().filter(|(process, _)| still.contains(process)) {
            kernel::kill_pidfd(pidfd.as_fd());
        }
        for (_, pidfd) in &pidfds {
            let limit = deadline.saturating_duration_since(Instant::now());
            // A failure only makes the loop look again.
            let _ = kernel::wait_readable([Some(pidfd.as_fd())], Some(limit));
        }
    }
}

/// Removes a cgroup without processes, and those below it.
fn remove(cgroup: &Path, deadline: Instant) {
    for part in tree(cgroup).iter().rev() {
        while fs::remove_dir(part).is_err_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
            && Instant::now() < deadline
        {
            std::thread::sleep(RETRY);
        }
    }
}

/// Returns a cgroup and those below it, each before its children. How deep they are is for a job to
/// say, and the stack of a slot thread is small.
fn tree(cgroup: &Path) -> Vec<PathBuf> {
    let mut found = vec![cgroup.to_owned()];
    let mut next = 0;
    while let Some(part) = found.get(next) {
        let below = children(part);
        found.extend(below);
        next += 1;
    }
    found
}

fn children(cgroup: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cgroup).into_iter().flatten().flatten();
    let directories = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path()).collect()
}

/// Returns the number behind a word at the beginning of a line.
fn count(text: &str, word: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(key, _)| *key == word).and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
