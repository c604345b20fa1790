//! The memory that an attempt may take.
//!
//! Where the cgroup of the worker was given to this user, the kernel keeps the limit: each attempt
//! gets a cgroup below it. Elsewhere a thread of the worker looks at the processes again and again.
//! It exists only once there is a limit to keep, and sleeps when there is none.

mod cgroup;
mod processes;
mod sampler;

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};

use nix::unistd::Pid;
use torc_protocol::id::AttemptId;

use super::attempt::Attempt;
use cgroup::{Cgroups, Leaf};
use sampler::{Sampler, Watched};

/// Keeps the limits of all attempts.
#[derive(Default)]
pub(super) struct Memory {
    cgroups: OnceLock<Option<Cgroups>>,
    sampler: Sampler,
}

/// The limit of one process and its descendants. Dropping it lifts the limit.
pub(super) struct Limit<'a> {
    sampler: &'a Sampler,
    bytes: u64,
    keeper: Keeper,
}

enum Keeper {
    /// The kernel.
    Leaf(Leaf),
    /// The sampler, as soon as there is a process.
    Sampler(Option<Arc<Watched>>),
}

/// What a limit has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The most memory that all processes took together, in bytes.
    pub(super) peak: u64,
    /// Whether the kernel has killed one of them for want of memory.
    pub(super) out_of_memory: bool,
}

impl Memory {
    /// Prepares to limit a process that is about to be made for an attempt.
    ///
    /// # Errors
    ///
    /// There can be no thread to keep the limit.
    pub(super) fn limit(&self, attempt: AttemptId, bytes: u64) -> io::Result<Limit<'_>> {
        let cgroups = self.cgroups.get_or_init(Cgroups::find).as_ref();
        let leaf = cgroups.and_then(|cgroups| cgroups.leaf(&attempt.to_string(), bytes).ok());
        let mut limit = Limit { sampler: &self.sampler, bytes, keeper: Keeper::Sampler(None) };
        match leaf {
            Some(leaf) => limit.keeper = Keeper::Leaf(leaf),
            None => self.sampler.prepare()?,
        }
        Ok(limit)
    }
}

impl Limit<'_> {
    /// Returns the cgroup in which the process must begin, if there is one.
    pub(super) fn cgroup(&self) -> Option<BorrowedFd<'_>> {
        match &self.keeper {
            Keeper::Leaf(leaf) => Some(leaf.fd()),
            Keeper::Sampler(_) => None,
        }
    }

    /// Gives the cgroup up, because no process can be made in it.
    ///
    /// # Errors
    ///
    /// As [`Memory::limit`].
    pub(super) fn leave_cgroup(&mut self) -> io::Result<()> {
        self.keeper = Keeper::Sampler(None);
        self.sampler.prepare()
    }

    /// The process is there. Its descendants are known by its `group`, by their parents, and by the
    /// mark of `attempt` in their environment.
    pub(super) fn begin(&mut self, attempt: &Arc<Attempt>, mark: AttemptId, group: Pid) {
        if let Keeper::Sampler(watched) = &mut self.keeper {
            let attempt = Arc::clone(attempt);
            *watched = Some(self.sampler.watch(Watched::new(attempt, mark, group, self.bytes)));
        }
    }

    /// The process has ended, and was not reaped: kills what is left where only a cgroup tells what
    /// that is, and returns what was seen.
    pub(super) fn end(self) -> Seen {
        match &self.keeper {
            Keeper::Leaf(leaf) => leaf.end(),
            Keeper::Sampler(watched) => {
                let peak = watched.as_ref().map_or(0, |watched| watched.peak());
                Seen { peak, out_of_memory: false }
            }
        }
    }
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        if let Keeper::Sampler(Some(watched)) = &self.keeper {
            self.sampler.forget(watched);
        }
    }
}
