//! How long requests wait while snapshots are taken, or cannot be.
//!
//! usage: `cargo run --release -p torc-tests --bin latency-bench [-- [jobs=N] [seconds=N] [frozen=N]
//! [home=tmpfs|memory] [verbs]]`
//!
//! A real torcd with a finished workflow of a million jobs and their results. Twenty clients ask it
//! all sorts of things at a steady rate that does not heed the answers: what comes late counts from
//! when it was due. Beside them a workflow runs a thousand jobs a second, as long as torcd hands them
//! out in time. So through four phases: nothing else happens; snapshots are taken one after the
//! other; the file system of the target is frozen with a snapshot in it; the target is full and a
//! snapshot is asked for each second.

mod dispatch;
mod fill;
mod load;
mod place;
mod report;
mod trouble;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use torc_protocol::request::Shutdown;
use torc_tests::benchmark::{self, Torcd};
use torc_tests::client::Client;

use crate::dispatch::Dispatch;
use crate::place::Place;
use crate::report::{Phase, Report};
use crate::trouble::Trouble;

/// What is measured, and for how long.
struct Options {
    jobs: u32,
    /// How long each phase is, but that of the freeze.
    phase: Duration,
    frozen: Duration,
    homes: Vec<Home>,
    by_verb: bool,
}

/// Where the database lives.
#[derive(Clone, Copy)]
enum Home {
    Tmpfs,
    Memory,
}

impl Home {
    fn name(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Memory => ":memory:",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Tmpfs => &["--in-memory"],
            Self::Memory => &["--database", ":memory:"],
        }
    }
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            jobs: 1_000_000,
            phase: Duration::from_secs(30),
            frozen: Duration::from_secs(60),
            homes: vec![Home::Tmpfs, Home::Memory],
            by_verb: false,
        };
        for argument in arguments {
            match argument.split_once('=') {
                Some(("jobs", number)) => options.jobs = number.parse()?,
                Some(("seconds", number)) => options.phase = Duration::from_secs(number.parse()?),
                Some(("frozen", number)) => options.frozen = Duration::from_secs(number.parse()?),
                Some(("home", "tmpfs")) => options.homes = vec![Home::Tmpfs],
                Some(("home", "memory")) => options.homes = vec![Home::Memory],
                None if argument == "verbs" => options.by_verb = true,
                _ => bail!("'{argument}' is not understood"),
            }
        }
        Ok(options)
    }
}

fn main() -> ExitCode {
    if let Some(code) = benchmark::stand_in() {
        return code;
    }
    let measured = Options::read(std::env::args().skip(1)).and_then(|options| {
        let report = Report::new(options.by_verb);
        options.homes.iter().try_for_each(|home| measure(*home, &options, &report))
    });
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(home: Home, options: &Options, report: &Report) -> anyhow::Result<()> {
    let place = Place::new()?;
    let torcd = Torcd::start(home.arguments(), &place.target())?;
    let mut client = Client::connect(torcd.socket())?;
    fill::workflow(&mut client, options.jobs).context("cannot fill the database")?;
    let dispatch = Dispatch::begin(torcd.socket(), 3 * options.phase + options.frozen)?;
    for trouble in [Trouble::None, Trouble::BackToBack, Trouble::Frozen, Trouble::Full] {
        let length = if trouble == Trouble::Frozen { options.frozen } else { options.phase };
        let Some(running) = trouble.begin(torcd.socket(), &place)? else { continue };
        dispatch.restart();
        let answers = load::run(torcd.socket(), length, options.jobs)?;
        let jobs = dispatch.so_far()?;
        let phase = Phase { home: home.name(), name: trouble.name(), note: running.end()? };
        report.phase(&phase, &answers, &jobs);
    }
    client.send(Shutdown::default())?;
    while client.part::<Shutdown>()?.is_some() {}
    drop(dispatch);
    torcd.wait()
}
