//! Two weeks of a service in miniature: many workflows come and go, and nothing may grow or get slower.
//!
//! usage: `cargo run --release -p torc-tests --bin endurance -- [--jobs N] [--workflow N] [--keep N]
//! [--peak N] [--samples N] [--snapshot-seconds N] [--home tmpfs|disk] [--counts-only]`
//!
//! - `users`: two who submit workflows, watch them, and delete the oldest that have ended.
//! - `looks`: one who asks for this and that all the time, each time on a new connection.
//! - `peak`: early on a large workflow comes, is canceled and deleted.
//! - `sample`: what torcd takes of the machine. `report`: the table, and whether all is flat.
//!
//! It fails when the last quarter of the samples since then is worse than the first, or when what was
//! deleted is not given back in the end. `--counts-only` leaves out
//! what depends on how fast the machine is.

mod looks;
mod peak;
mod report;
mod sample;
mod users;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use torc_tests::benchmark::service::{Service, by_name};

use crate::looks::Looks;
use crate::report::Report;
use crate::sample::Sampler;
use crate::users::Users;

fn main() -> ExitCode {
    if let Some(code) = by_name() {
        return code;
    }
    let endured = Options::parse(env::args().skip(1)).and_then(|options| {
        let outcomes = options.homes.iter().map(|home| endure(*home, &options));
        outcomes.collect::<anyhow::Result<Vec<bool>>>()
    });
    match endured {
        Ok(outcomes) if outcomes.iter().all(|is_flat| *is_flat) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Where the database lives.
#[derive(Clone, Copy)]
enum Home {
    /// In a private directory in memory, with snapshots beside it on disk.
    Tmpfs,
    /// On disk, where it is its own snapshot.
    Disk,
}

impl Home {
    fn parse(name: &str) -> anyhow::Result<Self> {
        match name {
            "tmpfs" => Ok(Self::Tmpfs),
            "disk" => Ok(Self::Disk),
            _ => bail!("there is no home {name}: it is tmpfs or disk"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Disk => "disk",
        }
    }

    /// Returns what torcd is told of it, in its working directory.
    fn arguments(self) -> [&'static str; 4] {
        match self {
            Self::Tmpfs => ["--in-memory", "--snapshot", "torc.db", "--snapshot-keep=5"],
            Self::Disk => ["--database", "torc.db", "--snapshot", "torc.db"],
        }
    }
}

/// What the command line says.
pub(crate) struct Options {
    /// So many jobs in all, the peak aside.
    pub(crate) jobs: u64,
    /// So many in one workflow.
    pub(crate) workflow: u64,
    /// So many workflows that have ended are kept.
    pub(crate) keep: usize,
    /// So many jobs has the large workflow.
    pub(crate) peak: u64,
    samples: u64,
    /// Seconds between two snapshots.
    pub(crate) snapshot: u64,
    homes: Vec<Home>,
    pub(crate) counts_only: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            jobs: 200_000,
            workflow: 1_000,
            keep: 10,
            peak: 100_000,
            samples: 20,
            snapshot: 5,
            homes: vec![Home::Tmpfs, Home::Disk],
            counts_only: false,
        };
        while let Some(name) = arguments.next() {
            if name == "--counts-only" {
                options.counts_only = true;
                continue;
            }
            let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().with_context(|| format!("{name} {value}"));
            match name.as_str() {
                "--jobs" => options.jobs = number()?,
                "--workflow" => options.workflow = number()?.max(1),
                "--keep" => options.keep = number()? as usize,
                "--peak" => options.peak = number()?,
                "--samples" => options.samples = number()?.max(4),
                "--snapshot-seconds" => options.snapshot = number()?.max(1),
                "--home" => options.homes = vec![Home::parse(&value)?],
                _ => bail!("there is no option {name}"),
            }
        }
        Ok(options)
    }

    /// Returns after how many workflows each sample is taken.
    fn period(&self) -> u64 {
        (self.workflows() / self.samples).max(1)
    }

    /// Returns how many workflows there are.
    pub(crate) fn workflows(&self) -> u64 {
        self.jobs.div_ceil(self.workflow)
    }
}

/// Plays all of it with the database in one home, and returns whether all stayed flat.
fn endure(home: Home, options: &Options) -> anyhow::Result<bool> {
    let interval = format!("--snapshot-interval-seconds={}", options.snapshot);
    let arguments = home.arguments().map(OsString::from).into_iter();
    let stage = Service::start(arguments.chain([interval.into()]))?;
    let sampler = Sampler::new(&stage)?;
    let users = Arc::new(Users::new(&stage, options));
    let looks = Looks::begin(&stage, &users);
    let mut report = Report::new(home.name(), options.counts_only);
    let (ended, endings) = mpsc::channel();
    thread::scope(|scope| {
        let working: Vec<_> = (0..users::SUBMITTERS)
            .map(|_| {
                let (users, ended) = (&users, ended.clone());
                scope.spawn(move || users.work(&ended))
            })
            .collect();
        drop(ended);
        let sampled = take_samples(&endings, options, &sampler, &looks, &mut report);
        // Those who work end by themselves, also when a sample could not be taken.
        endings.iter().for_each(drop);
        for one in working {
            one.join().map_err(|_| anyhow!("one who submits has panicked"))??;
        }
        sampled
    })?;
    looks.end()?;
    users.delete_all()?;
    let left = sampler.when_compact()?;
    report.at_the_end(&left);
    stage.end()?;
    Ok(report.verdict())
}

fn take_samples(
    endings: &mpsc::Receiver<Instant>,
    options: &Options,
    sampler: &Sampler<'_>,
    looks: &Looks,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut last = Instant::now();
    for (ended, at) in (1..).zip(endings) {
        if looks.has_failed() {
            break;
        }
        if ended % options.period() == 0 {
            let jobs = options.period() * options.workflow;
            let rate = jobs as f64 / at.saturating_duration_since(last).as_secs_f64();
            report.sample(ended * options.workflow, sampler.take(rate, looks.take())?);
            last = at;
        }
        if ended == options.workflows() / 10 && options.peak > 0 {
            report.peak(&peak::play(sampler, looks, options.peak)?);
            looks.take();
        }
    }
    Ok(())
}
