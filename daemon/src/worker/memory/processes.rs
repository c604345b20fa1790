//! The processes of this machine, whose they are, and what they take.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Pid, SysconfVar, Uid, sysconf};
use torc_protocol::id::AttemptId;

use crate::worker::kernel;
use crate::worker::strays;

/// How many parents are looked at to find the owner of a process. Far more than there are; the
/// bound is for a list that was read while processes came and went.
const GENERATIONS: usize = 1000;

/// What is known of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pid: Pid,
    parent: Pid,
    /// Its process group.
    pub(super) group: Pid,
    /// When it started, in clock ticks since boot: with `pid`, its name for good.
    started: u64,
    /// What of it is in memory, in bytes.
    pub(super) resident: u64,
}

/// Whose processes are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner {
    /// A process group, to which their descendants belong too.
    pub(super) group: Pid,
    /// What the environment names of those that have left group and parents behind.
    pub(super) mark: AttemptId,
}

/// The processes of this user; for root, of all.
pub(super) struct Table {
    processes: HashMap<Pid, Process>,
    worker: Pid,
}

impl Table {
    pub(super) fn read() -> Self {
        let uid = Uid::effective();
        let is_ours = |path: &Path| {
            // Cheaper than to read the state of all processes of a busy machine.
            uid.is_root() || fs::metadata(path).is_ok_and(|found| found.uid() == uid.as_raw())
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let read = entries.filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            is_ours(&entry.path()).then(|| read_process(Pid::from_raw(pid)))?
        });
        Self::new(read)
    }

    fn new(processes: impl Iterator<Item = Process>) -> Self {
        let processes = processes.map(|process| (process.pid, process)).collect();
        Self { processes, worker: Pid::this() }
    }

    /// Returns the processes of each owner.
    pub(super) fn owned_by(&self, owners: &[Owner]) -> Vec<Vec<&Process>> {
        let groups: HashMap<Pid, usize> =
            owners.iter().enumerate().map(|(index, owner)| (owner.group, index)).collect();
        let mut owned = vec![Vec::new(); owners.len()];
        for process in self.processes.values() {
            if let Some(owner) = self.owner_of(process, &groups, owners) {
                owned[owner].push(process);
            }
        }
        owned
    }

    /// Returns the index of the owner of a process.
    fn owner_of(
        &self,
        process: &Process,
        groups: &HashMap<Pid, usize>,
        owners: &[Owner],
    ) -> Option<usize> {
        let mut ancestor = process;
        for _ in 0..GENERATIONS {
            if let Some(owner) = groups.get(&ancestor.group) {
                return Some(*owner);
            }
            if ancestor.parent == self.worker {
                let environment = fs::read(format!("/proc/{}/environ", ancestor.pid)).ok()?;
                return owners.iter().position(|owner| strays::names(&environment, owner.mark));
            }
            ancestor = self.processes.get(&ancestor.parent)?;
        }
        None
    }
}

impl Process {
    /// Returns whether it has memory yet: it has not ended, and its number is not another's.
    pub(super) fn is_there(&self) -> bool {
        read_process(self.pid).is_some_and(|now| now.started == self.started && now.resident > 0)
    }

    /// Kills it, if it is still the one that was looked at.
    pub(super) fn kill(&self) {
        // From here on the number is that of the process that the descriptor is for, or of none.
        let Ok(pidfd) = kernel::pidfd_open(self.pid) else { return };
        if read_process(self.pid).is_some_and(|now| now.started == self.started) {
            kernel::kill_pidfd(pidfd.as_fd());
        }
    }
}

/// Returns what these processes take together when a page that `n` processes have counts for each
/// as its `n`th part. One that does not tell counts by what of it is in memory, and one that has ended
/// not at all.
pub(super) fn proportional(processes: &[&Process]) -> u64 {
    let is_double = |process: &Process| {
        // Between `vfork` and `exec`, a child has no memory but that of its parent.
        processes.iter().any(|other| other.pid == process.parent)
            && kernel::share_memory(process.pid, process.parent)
    };
    processes
        .iter()
        .filter(|process| !is_double(process))
        .map(|process| match fs::read_to_string(format!("/proc/{}/smaps_rollup", process.pid)) {
            Ok(text) => parse_rollup(&text).unwrap_or(process.resident),
            Err(_) if !process.is_there() => 0,
            Err(_) => process.resident,
        })
        .sum()
}

/// Returns the sum of all `Pss` in bytes.
fn parse_rollup(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn read_process(pid: Pid) -> Option<Process> {
    // Longer than a line of `stat` can be.
    let mut line = [0; 2048];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
    parse_stat(pid, &String::from_utf8_lossy(&line[..length]))
}

fn parse_stat(pid: Pid, line: &str) -> Option<Process> {
    // The name in parentheses may hold anything. After the last one comes the third field.
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    let process = |field: usize| Some(Pid::from_raw(i32::try_from(number(field)?).ok()?));
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten()?;
    Some(Process {
        pid,
        parent: process(4)?,
        group: process(5)?,
        started: number(22)?,
        resident: number(24)? * u64::try_from(page).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    use nix::unistd::{Pid, getpgrp, getppid};
    use torc_protocol::id::{AttemptId, AttemptNumber, JobId};

    use super::{Owner, Process, Table, parse_rollup, parse_stat, proportional, read_process};

    fn process(pid: i32, parent: i32, group: i32) -> Process {
        let [pid, parent, group] = [pid, parent, group].map(Pid::from_raw);
        Process { pid, parent, group, started: 1, resident: 10 }
    }

    #[test]
    fn group_and_descendants_are_of_the_owner() {
        // 10 leads a group with 11; 12 has left it but not its parent; 13 is a child of 12; 20 is of
        // another owner, and 30 and 31 of nobody.
        let processes = [
            (10, 1, 10),
            (11, 1, 10),
            (12, 11, 12),
            (13, 12, 13),
            (20, 1, 20),
            (30, 2, 30),
            (31, 32, 31),
        ];
        let table = Table::new(processes.into_iter().map(|(p, q, g)| process(p, q, g)));
        let mark = AttemptId { job: JobId(1), number: AttemptNumber(1) };
        let owners = [10, 20].map(|group| Owner { group: Pid::from_raw(group), mark });
        let owned = table.owned_by(&owners);
        let mut pids: Vec<_> = owned
            .iter()
            .map(|own| own.iter().map(|p| p.pid.as_raw()).collect::<Vec<_>>())
            .collect();
        pids.iter_mut().for_each(|own| own.sort_unstable());
        assert_eq!(pids, [vec![10, 11, 12, 13], vec![20]]);
    }

    #[test]
    fn parents_that_go_round_in_a_circle_have_no_owner() {
        let circle = [process(5, 6, 5), process(6, 5, 6)];
        let mark = AttemptId { job: JobId(1), number: AttemptNumber(1) };
        let owner = Owner { group: Pid::from_raw(9), mark };
        assert!(Table::new(circle.into_iter()).owned_by(&[owner])[0].is_empty());
    }

    #[test]
    fn this_process_is_read_from_its_state() {
        let own = read_process(Pid::this()).unwrap();
        assert_eq!((own.parent, own.group), (getppid(), getpgrp()));
        assert!(own.resident > 100_000 && own.started > 0);
        let table = Table::read();
        assert_eq!(table.processes[&Pid::this()].started, own.started);
    }

    #[test]
    fn shared_pages_count_once() {
        // Of a process that holds still: this one grows and shrinks while other tests run.
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        to.write_all(b"started").unwrap();
        from.read_exact(&mut [0; 7]).unwrap();
        let still = read_process(Pid::from_raw(child.id().cast_signed())).unwrap();
        let taken = proportional(&[&still]);
        drop(to);
        child.wait().unwrap();
        // `resident` is a sum over CPUs that may lag by some pages of each.
        assert!(taken > 0 && taken < still.resident + (1 << 20), "{taken} {still:?}");
    }

    #[test]
    fn what_has_ended_takes_nothing_any_more() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let started = super::read_process(pid).unwrap().started;
        let process = Process { started, resident: 1 << 30, ..process(pid.as_raw(), 1, 1) };
        child.wait().unwrap();
        assert!(!process.is_there());
        assert_eq!(proportional(&[&process]), 0);
    }

    #[test]
    fn the_state_is_found_behind_any_name() {
        let line = "7 (a) b) S 3 5 5 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 99 1000 4 0 0";
        let found = parse_stat(Pid::from_raw(7), line).unwrap();
        assert_eq!((found.parent.as_raw(), found.group.as_raw(), found.started), (3, 5, 99));
        assert!(found.resident >= 4 * 4096);
        assert_eq!(parse_stat(Pid::from_raw(7), "7 (a) S 3"), None);
    }

    #[test]
    fn a_rollup_tells_in_kibibytes() {
        assert_eq!(
            parse_rollup("Rss:  9 kB\nPss:                 12 kB\nPss_Dirty: 3 kB"),
            Some(12 << 10)
        );
        assert_eq!(parse_rollup("nothing"), None);
    }
}
