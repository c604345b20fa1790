//! What a run of the torture has done and found.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::plan::Role;

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) rounds: Count,
    pub(crate) lives: Count,
    /// Strikes whose moment did not come.
    pub(crate) missed: Count,
    pub(crate) workflows: Count,
    pub(crate) jobs: Count,
    pub(crate) attempts: Count,
    /// Acknowledged submissions and results that were looked for at the end.
    pub(crate) acknowledged: Count,
    /// Lists that had to have all that was acknowledged before.
    pub(crate) lists: Count,
    /// Acknowledged snapshots whose file was read.
    pub(crate) snapshots: Count,
    /// Files at targets that were read whole.
    pub(crate) files: Count,
    /// Records of torcds that were killed or could not save, brought home by command.
    pub(crate) recovered: Count,
    kills: Mutex<BTreeMap<(Role, i32), u64>>,
    faults: Mutex<BTreeMap<Kind, u64>>,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// What was acknowledged is not there, or is otherwise.
    Lost,
    /// An attempt ran twice, or a job that had completed ran again.
    RunTwice,
    /// A process is left.
    Orphan,
    /// A file or directory is left.
    Leftover,
    /// A file is not whole.
    Unsound,
    /// A program did not end, or not as it should.
    Conduct,
}

/// Something that is wrong.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// What kind.
    pub(crate) kind: Kind,
    /// What was expected, and what was found.
    pub(crate) text: String,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.load(Ordering::Relaxed).fmt(f)
    }
}

impl Figures {
    /// A process was sent a signal.
    pub(crate) fn kill(&self, role: Role, signal: Signal) {
        let mut kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
        *kills.entry((role, signal as i32)).or_default() += 1;
    }

    /// A round has found these.
    pub(crate) fn found(&self, faults: &[Fault]) {
        let mut found = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        for fault in faults {
            *found.entry(fault.kind).or_default() += 1;
        }
    }

    /// Returns the summary.
    pub(crate) fn summary(&self, took: Duration) -> String {
        let kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = |kind| faults.get(&kind).copied().unwrap_or(0);
        let by_kind = kills.iter().map(|((role, signal), count)| {
            let signal = Signal::try_from(*signal).map_or("?", Signal::as_str);
            format!("{signal} of {role} {count}")
        });
        let by_kind: Vec<_> = by_kind.collect();
        let seconds = took.as_secs_f64();
        let lines = [
            ("rounds", format!("{} in {seconds:.1} s, {} lives", self.rounds, self.lives)),
            (
                "kills",
                format!(
                    "{}, {} moments did not come: {}",
                    kills.values().sum::<u64>(),
                    self.missed,
                    by_kind.join(", ")
                ),
            ),
            (
                "work",
                format!(
                    "{} workflows, {} jobs, {} attempts",
                    self.workflows, self.jobs, self.attempts
                ),
            ),
            ("acknowledged writes", format!("{} looked for", self.acknowledged)),
            ("lists while it ran", self.lists.to_string()),
            ("acknowledged snapshots", self.snapshots.to_string()),
            ("files read whole", self.files.to_string()),
            ("recovered by command", self.recovered.to_string()),
            ("lost", fault(Kind::Lost).to_string()),
            ("run twice", fault(Kind::RunTwice).to_string()),
            ("orphans", fault(Kind::Orphan).to_string()),
            ("leftovers", fault(Kind::Leftover).to_string()),
            ("unsound files", fault(Kind::Unsound).to_string()),
            ("wrong conduct", fault(Kind::Conduct).to_string()),
        ];
        let text = lines.map(|(name, value)| format!("{name:<23} {value}\n"));
        text.concat()
    }
}
