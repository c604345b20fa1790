//! The table, and whether all is flat.

use std::time::Duration;

use crate::peak::Peak;
use crate::sample::{Database, Sample};

/// What has settled is at most so many times what it was a quarter before.
const SETTLED: f64 = 1.02;
/// So many times as much slack has what is played so small that it does not get warm.
const SMALL: f64 = 4.0;
/// A mebibyte.
const MIB: f64 = 1_048_576.0;

/// What must not grow, in which unit, and how much it may.
struct Measure {
    name: &'static str,
    of: fn(&Sample) -> f64,
    /// The median of the last quarter may be so many times that of the first,
    ratio: f64,
    /// or so much more: small numbers jump.
    slack: f64,
    /// It depends on how fast the machine is.
    is_timing: bool,
}

const fn count(name: &'static str, of: fn(&Sample) -> f64, ratio: f64, slack: f64) -> Measure {
    Measure { name, of, ratio, slack, is_timing: false }
}

const fn timing(name: &'static str, of: fn(&Sample) -> f64, ratio: f64, slack: f64) -> Measure {
    Measure { name, of, ratio, slack, is_timing: true }
}

const MEASURES: [Measure; 17] = [
    count("torcd, MiB (RSS)", |it| it.torcd.rss as f64 / MIB, 1.1, 4.0),
    count("torcd, MiB (PSS)", |it| it.torcd.pss as f64 / MIB, 1.1, 4.0),
    count("torcd, descriptors", |it| it.torcd.descriptors as f64, 1.0, 8.0),
    count("torcd, threads", |it| it.torcd.threads as f64, 1.0, 4.0),
    count("worker, MiB (RSS)", |it| it.worker.rss as f64 / MIB, 1.1, 2.0),
    count("worker, MiB (PSS)", |it| it.worker.pss as f64 / MIB, 1.1, 2.0),
    // Some for each job that runs at the moment.
    count("worker, descriptors", |it| it.worker.descriptors as f64, 1.0, 12.0),
    count("worker, threads", |it| it.worker.threads as f64, 1.0, 2.0),
    count("database, pages", |it| it.database.pages as f64, 1.1, 1_024.0),
    // It is cut when what frees its pages is brought in from the log, which may come later.
    timing("database, MiB", |it| it.database.bytes as f64 / MIB, 1.1, 4.0),
    count("free pages", |it| it.database.free as f64, 1.1, 1_024.0),
    count("snapshots on record", |it| it.database.snapshots as f64, 1.1, 64.0),
    count("files", |it| it.entries as f64, 1.0, 8.0),
    timing("snapshot, s", |it| it.snapshot.1.as_secs_f64(), 1.5, 0.2),
    timing("ms a job", |it| 1e3 / it.rate, 1.15, 0.0),
    timing("p50, ms", |it| at(&it.waits, 0.5), 1.25, 0.1),
    timing("p99, ms", |it| at(&it.waits, 0.99), 1.5, 2.0),
];

/// What was seen with the database in one home.
pub(crate) struct Report {
    home: &'static str,
    counts_only: bool,
    samples: Vec<Sample>,
    is_compact: bool,
}

impl Report {
    /// Prints the head of the table.
    pub(crate) fn new(home: &'static str, counts_only: bool) -> Self {
        println!("\n## {home}\n");
        println!(
            "| jobs | jobs/s | p50 ms | p99 ms | max ms | torcd MiB | fds | threads | worker MiB \
             | fds | threads | database MiB | log MiB | free pages | snapshot MiB | s | on record \
             | files |"
        );
        println!("|{}", "---|".repeat(18));
        Self { home, counts_only, samples: Vec::new(), is_compact: true }
    }

    /// Prints a line.
    pub(crate) fn sample(&mut self, jobs: u64, sample: Sample) {
        line(&jobs.to_string(), &sample);
        self.samples.push(sample);
    }

    /// Tells of the large workflow. What was seen before does not count: nothing was warm.
    pub(crate) fn peak(&mut self, peak: &Peak) {
        self.samples.clear();
        let Peak { jobs, database, memory, reply, gone, waits } = peak;
        println!(
            "\n{}: {jobs} jobs came, and the database had {:.1} MiB, torcd {:.1} MiB; deleting \
             them took {:.2} ms to the reply and {:.2} s until they were gone; meanwhile p99 {:.2} \
             ms, max {:.2} ms\n",
            self.home,
            database.bytes as f64 / MIB,
            *memory as f64 / MIB,
            milliseconds(*reply),
            gone.as_secs_f64(),
            at(waits, 0.99),
            at(waits, 1.0),
        );
    }

    /// Prints the line for when all workflows are deleted.
    pub(crate) fn at_the_end(&mut self, left: &Sample) {
        line("none left", left);
        self.is_compact = left.database.is_compact();
    }

    /// Prints how the last quarter of the samples compares to the first, and returns whether all
    /// is flat.
    pub(crate) fn verdict(&self) -> bool {
        println!("\n| {} | first quarter | last quarter | ratio | |", self.home);
        println!("|---|---|---|---|---|");
        let measures = MEASURES.iter().filter(|it| !(self.counts_only && it.is_timing));
        let mut is_flat = true;
        for measure in measures {
            let (first, last) = (self.quarter(1, measure.of), self.quarter(4, measure.of));
            let slack = measure.slack * if self.counts_only { SMALL } else { 1.0 };
            let before = self.quarter(3, measure.of);
            // A cache may fill late, when for the first time many ask at once; but then no more.
            let has_settled = last <= first + 2.0 * slack && last <= before * SETTLED;
            let is_fine = last <= first * measure.ratio || last <= first + slack || has_settled;
            is_flat &= is_fine;
            let word = if is_fine { "flat" } else { "GROWS" };
            let ratio = last / first;
            println!("| {} | {first:.2} | {last:.2} | {ratio:.2} | {word} |", measure.name);
        }
        if !self.is_compact {
            println!("\n{}: what was deleted is NOT GIVEN BACK", self.home);
        }
        println!(
            "\n{}: {}",
            self.home,
            if is_flat && self.is_compact { "flat" } else { "NOT FLAT" }
        );
        is_flat && self.is_compact
    }

    /// Returns the median of a quarter of the samples: the first, second, third or fourth.
    fn quarter(&self, number: usize, of: fn(&Sample) -> f64) -> f64 {
        let all = self.samples.len();
        let mut values: Vec<f64> =
            self.samples[all * (number - 1) / 4..all * number / 4].iter().map(of).collect();
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    }
}

fn line(name: &str, sample: &Sample) {
    let Sample { rate, waits, torcd, worker, database, snapshot, entries } = sample;
    let Database { bytes, log, free, snapshots, .. } = database;
    println!(
        "| {name} | {rate:.0} | {:.2} | {:.2} | {:.1} | {:.1} | {} | {} | {:.1} | {} | {} | {:.1} \
         | {:.1} | {free} | {:.1} | {:.2} | {snapshots} | {entries} |",
        at(waits, 0.5),
        at(waits, 0.99),
        at(waits, 1.0),
        torcd.pss as f64 / MIB,
        torcd.descriptors,
        torcd.threads,
        worker.pss as f64 / MIB,
        worker.descriptors,
        worker.threads,
        *bytes as f64 / MIB,
        *log as f64 / MIB,
        snapshot.0 as f64 / MIB,
        snapshot.1.as_secs_f64(),
    );
}

/// Returns in milliseconds what this share of the waits did not exceed.
fn at(waits: &[Duration], share: f64) -> f64 {
    let place = (waits.len() as f64 * share).ceil() as usize;
    waits.get(place.max(1) - 1).copied().map_or(0.0, milliseconds)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
