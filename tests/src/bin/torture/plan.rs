//! What happens in a round, decided by its seed before anything is started.
//!
//! Moments are told by what has happened, not by a clock, wherever something happens: so the same
//! seed strikes at the same step, on a slow machine as on a fast one.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::rng::Rng;
use crate::work::{Kind, Workflow};

/// A round.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// Its number among those of the seed.
    pub(crate) round: u64,
    /// What runs the workflows.
    pub(crate) starter: Starter,
    /// Where the database lives.
    pub(crate) home: Home,
    /// How many snapshots are kept.
    pub(crate) keep: u32,
    /// Whether a snapshot is taken every second as well.
    pub(crate) interval: bool,
    /// How many jobs run at a time.
    pub(crate) parallel: u32,
    /// A service runs all of them, torcctl only the first.
    pub(crate) workflows: Vec<Workflow>,
    /// What is started and struck, one after the other. A last life without a strike follows.
    pub(crate) lives: Vec<Life>,
}

/// What runs the workflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Starter {
    /// A torcd for many clients.
    Service,
    /// `torcctl exec`.
    Exec,
    /// `torcctl run`.
    Run,
}

/// Where the database lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Home {
    /// In memory, with snapshots at the target.
    Memory,
    /// At the target itself.
    InPlace,
    /// In a file of its own, with snapshots at the target. Only for a service.
    Disk,
}

/// From a start to the death of what was started.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Life {
    /// How it begins, when there has been another before.
    pub(crate) entry: Entry,
    /// Whether it begins only when nothing of the one before runs any more.
    pub(crate) waits: bool,
    /// Who is hit and when.
    pub(crate) strikes: Vec<Strike>,
}

/// How a life begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// With the same command as the first.
    Again,
    /// With `torcctl run latest`; for a service the same as `Again`.
    Latest,
    /// With `torcctl snapshot recover`, then as `Latest`.
    Recover,
}

/// A signal at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Strike {
    /// When.
    pub(crate) when: Moment,
    /// Whom, in this order.
    pub(crate) victims: Vec<Role>,
    /// With what.
    pub(crate) signal: Signal,
}

/// A moment in a life. One that does not come is when nothing is left to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So many acknowledgements have come.
    Acknowledged(u32),
    /// So many lines of evidence have been written: jobs have begun or ended.
    Evidence(u32),
    /// So many things have happened in the directory of the target.
    Target(u32),
    /// So long after the start: for what happens before anybody hears of it.
    Started(Duration),
    /// So long after the end was asked for, or the last job has ended.
    Ending(Duration),
}

/// A process of torc's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Role {
    /// What the user has started, unless that is torcd.
    Torcctl,
    /// The daemon.
    Torcd,
    /// What runs the jobs.
    Worker,
    /// What brings a snapshot to disk.
    Writer,
}

impl Plan {
    /// Returns the plan of a round.
    pub(crate) fn new(seed: u64, round: u64) -> Self {
        let rng = &mut Rng::new(seed, round);
        let starter = rng.pick(&[(5, Starter::Service), (3, Starter::Exec), (3, Starter::Run)]);
        let home = match starter {
            Starter::Service => rng.pick(&[(5, Home::Memory), (1, Home::InPlace), (2, Home::Disk)]),
            Starter::Exec | Starter::Run => rng.pick(&[(2, Home::Memory), (1, Home::InPlace)]),
        };
        let workflows = match starter {
            Starter::Service => {
                let count = rng.within(2..=5);
                (0..count).map(|number| Workflow::new(rng, number, true)).collect()
            }
            Starter::Exec => vec![Workflow::new(rng, 0, false)],
            Starter::Run => vec![Workflow::new(rng, 0, true)],
        };
        let jobs: u32 = workflows.iter().map(|workflow| workflow.jobs.len() as u32).sum();
        let lives = rng.pick(&[(5, 1), (4, 2), (2, 3)]);
        Self {
            round,
            starter,
            home,
            keep: rng.within(1..=3),
            interval: rng.chance(1, 6),
            parallel: rng.within(1..=4),
            lives: (0..lives).map(|_| Life::new(rng, starter, jobs)).collect(),
            workflows,
        }
    }

    /// Returns whether every job ends in the same way whatever happens before, once all of it is run
    /// undisturbed.
    pub(crate) fn all_complete(&self) -> bool {
        let fails = |workflow: &Workflow| {
            workflow.jobs.iter().any(|job| matches!(job.kind, Kind::Fails(_)))
        };
        !self.workflows.iter().any(fails)
    }
}

impl Life {
    fn new(rng: &mut Rng, starter: Starter, jobs: u32) -> Self {
        let entry = rng.pick(&[(3, Entry::Latest), (2, Entry::Recover), (2, Entry::Again)]);
        let strikes = rng.pick(&[(4, 1), (1, 2)]);
        Self {
            entry,
            waits: rng.chance(2, 3),
            strikes: (0..strikes).map(|_| Strike::new(rng, starter, jobs)).collect(),
        }
    }
}

impl Strike {
    fn new(rng: &mut Rng, starter: Starter, jobs: u32) -> Self {
        let when = match rng.pick(&[(5, 'a'), (3, 'e'), (4, 't'), (2, 's'), (2, 'z')]) {
            'a' => Moment::Acknowledged(rng.within(1..=2 * jobs)),
            'e' => Moment::Evidence(rng.within(1..=2 * jobs)),
            't' => Moment::Target(rng.within(1..=40)),
            's' => Moment::Started(Duration::from_micros(rng.within(0..=40_000).into())),
            _ => Moment::Ending(Duration::from_micros(rng.within(0..=30_000).into())),
        };
        let is_private = starter != Starter::Service;
        let top = if is_private { Role::Torcctl } else { Role::Torcd };
        let mut victims = rng.pick(&[
            (6, vec![Role::Torcd]),
            (if is_private { 4 } else { 0 }, vec![Role::Torcctl]),
            (2, vec![Role::Worker]),
            (if matches!(when, Moment::Target(_)) { 8 } else { 1 }, vec![Role::Writer]),
            (2, vec![Role::Worker, Role::Torcd]),
            (2, vec![Role::Torcd, Role::Writer]),
            (if is_private { 2 } else { 0 }, vec![Role::Torcctl, Role::Torcd]),
            (3, vec![Role::Torcd, Role::Worker, Role::Writer]),
        ]);
        if victims.len() == 3 && is_private {
            victims.insert(0, Role::Torcctl);
        }
        let polite =
            [(7, Signal::SIGKILL), (1, Signal::SIGTERM), (1, Signal::SIGINT), (1, Signal::SIGHUP)];
        // Only these are promised to take them well.
        let takes_any = victims.iter().all(|role| *role == top || *role == Role::Torcd);
        let signal = if takes_any { rng.pick(&polite) } else { Signal::SIGKILL };
        Self { when, victims, signal }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Torcctl => "torcctl",
            Self::Torcd => "torcd",
            Self::Worker => "worker",
            Self::Writer => "writer",
        })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { starter, home, keep, interval, parallel, .. } = self;
        writeln!(f, "{}: keep {keep}, interval {interval}, parallel {parallel}", self.mode())?;
        debug_assert!(*starter == Starter::Service || *home != Home::Disk);
        for workflow in &self.workflows {
            writeln!(f, "  workflow {}", workflow.name)?;
            for job in &workflow.jobs {
                writeln!(f, "    {job:?}")?;
            }
        }
        for (number, life) in self.lives.iter().enumerate() {
            let entry = if number == 0 { Entry::Again } else { life.entry };
            writeln!(f, "  life {}: {entry:?}, waits {}", number + 1, life.waits)?;
            for strike in &life.strikes {
                writeln!(f, "    {strike:?}")?;
            }
        }
        Ok(())
    }
}

impl Plan {
    /// Returns what runs the workflows and where their record is, in two words.
    pub(crate) fn mode(&self) -> String {
        format!("{:?}-{:?}", self.starter, self.home).to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_seed_and_a_round_give_the_same_plan_again() {
        for round in 0..50 {
            assert_eq!(Plan::new(1, round), Plan::new(1, round));
        }
        assert_ne!(Plan::new(1, 0), Plan::new(2, 0));
    }

    #[test]
    fn in_few_rounds_everybody_is_hit_with_everything() {
        let plans: Vec<_> = (0..300).map(|round| Plan::new(1, round)).collect();
        let modes: HashSet<_> = plans.iter().map(Plan::mode).collect();
        assert_eq!(modes.len(), 7, "{modes:?}");
        let strikes = || plans.iter().flat_map(|plan| &plan.lives).flat_map(|life| &life.strikes);
        let hit: HashSet<_> = strikes().flat_map(|strike| strike.victims.clone()).collect();
        assert_eq!(hit.len(), 4, "{hit:?}");
        let signals: HashSet<_> = strikes().map(|strike| strike.signal).collect();
        assert_eq!(signals.len(), 4, "{signals:?}");
    }

    #[test]
    fn a_worker_and_a_writer_are_only_killed() {
        let strikes = (0..300).flat_map(|round| Plan::new(1, round).lives);
        for strike in strikes.flat_map(|life| life.strikes) {
            let is_delicate = |role: &Role| matches!(role, Role::Worker | Role::Writer);
            let is_polite = strike.signal != Signal::SIGKILL;
            assert!(!(is_polite && strike.victims.iter().any(is_delicate)), "{strike:?}");
        }
    }
}
