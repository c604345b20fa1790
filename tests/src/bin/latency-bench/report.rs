//! The table.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::dispatch::Pace;
use crate::load::{Answer, Verb};

/// A phase that has ended.
pub(crate) struct Phase {
    /// Where the database was.
    pub(crate) home: &'static str,
    /// What happened.
    pub(crate) name: &'static str,
    /// What else there is to tell.
    pub(crate) note: String,
}

/// Prints a line for each phase as it ends.
pub(crate) struct Report {
    by_verb: bool,
}

impl Report {
    /// Prints the head.
    pub(crate) fn new(by_verb: bool) -> Self {
        println!(
            "| database | phase | requests | p50 ms | p99 ms | max ms | jobs/s | longest gap ms | |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        Self { by_verb }
    }

    /// Prints the line of a phase.
    pub(crate) fn phase(&self, phase: &Phase, answers: &[Answer], pace: &Pace) {
        let Phase { home, name, note } = phase;
        let all = Waits::of(answers.iter().map(|answer| answer.took));
        let Pace { rate, longest_gap } = pace;
        println!(
            "| {home} | {name} | {} | {} | {} | {} | {rate:.0} | {} | {note} |",
            answers.len(),
            all.at(0.5),
            all.at(0.99),
            all.at(1.0),
            milliseconds(*longest_gap),
        );
        if self.by_verb {
            self.verbs(answers);
        }
    }

    fn verbs(&self, answers: &[Answer]) {
        let mut verbs: BTreeMap<Verb, Vec<Duration>> = BTreeMap::new();
        for answer in answers {
            verbs.entry(answer.verb).or_default().push(answer.took);
        }
        for (verb, took) in verbs {
            let waits = Waits::of(took.into_iter());
            let (half, most, all) = (waits.at(0.5), waits.at(0.99), waits.at(1.0));
            println!("    {:<14} {half:>9} {most:>9} {all:>9}", format!("{verb:?}"));
        }
    }
}

/// How long answers have taken, the shortest first.
struct Waits(Vec<Duration>);

impl Waits {
    fn of(all: impl Iterator<Item = Duration>) -> Self {
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        Self(all)
    }

    /// Returns in milliseconds what this share of them did not exceed.
    fn at(&self, share: f64) -> String {
        let place = (self.0.len() as f64 * share).ceil() as usize;
        let wait = self.0.get(place.max(1) - 1).copied().unwrap_or_default();
        milliseconds(wait)
    }
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}
