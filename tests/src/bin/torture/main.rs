//! Runs workflows, kills what runs them at moments that a seed decides, starts it again, and holds it
//! to what it has acknowledged.
//!
//! usage: `cargo run -p torc-tests --bin torture -- [--rounds N] [--seed S] [--round R] [--parallel N]
//! [--only WORD] [--keep]`
//!
//! - `plan`, `work`, `rng`: what happens in a round; the same seed gives the same.
//! - `stage`: its directories and processes. `life`: what is started in it, with its `clients` and the
//!   `killer`, who wait for moments that the `bell` tells of; `watch` rings it for files.
//! - `ledger`: what torc has acknowledged. `evidence`: what the jobs have left of themselves.
//!   `record`: what is in a database. `checks`: that they agree.
//!
//! The programs under test are this one under other names: cargo builds only this one for its run, and
//! so each can note its process before it does anything else.

mod bell;
mod checks;
mod clients;
mod evidence;
mod figures;
mod killer;
mod ledger;
mod life;
mod plan;
mod record;
mod rng;
mod round;
mod stage;
mod watch;
mod work;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::figures::Figures;
use crate::plan::Plan;
use crate::round::Round;
use crate::stage::{Noted, Stage};

fn main() -> ExitCode {
    let program = env::current_exe().ok();
    match program.as_deref().and_then(Path::file_name).and_then(|name| name.to_str()) {
        Some("torcd") => {
            Noted::this(env::args().nth(1).as_deref().unwrap_or_default());
            torcd::cli::main()
        }
        Some("torcctl") => torcctl::cli::main(),
        _ => match torture() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error:#}");
                ExitCode::from(2)
            }
        },
    }
}

/// What the command line says.
struct Options {
    rounds: u64,
    seed: u64,
    /// Only this round.
    round: Option<u64>,
    parallel: usize,
    /// Only rounds whose mode has this in its name.
    only: String,
    /// The directories of good rounds stay too.
    keep: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let parallel = thread::available_parallelism().map_or(1, usize::from);
        let mut options =
            Self { rounds: 20, seed: 1, round: None, parallel, only: String::new(), keep: false };
        while let Some(name) = arguments.next() {
            if name == "--keep" {
                options.keep = true;
                continue;
            }
            let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().with_context(|| format!("{name} {value}"));
            match name.as_str() {
                "--rounds" => options.rounds = number()?,
                "--seed" => options.seed = number()?,
                "--round" => options.round = Some(number()?),
                "--parallel" => options.parallel = number()?.max(1) as usize,
                "--only" => options.only = value,
                _ => bail!("there is no option {name}"),
            }
        }
        Ok(options)
    }

    fn plans(&self) -> Vec<Plan> {
        let rounds = match self.round {
            Some(round) => round..round + 1,
            None => 0..self.rounds,
        };
        let plans = rounds.map(|round| Plan::new(self.seed, round));
        plans.filter(|plan| plan.mode().contains(&self.only)).collect()
    }
}

/// Plays all rounds, and returns whether nothing was wrong in any.
fn torture() -> anyhow::Result<bool> {
    let options = Options::parse(env::args().skip(1))?;
    let begun = Instant::now();
    let home = PathBuf::from(format!("/tmp/torture-{}", std::process::id()));
    fs::create_dir(&home).with_context(|| format!("making {}", home.display()))?;
    let bin = home.join("bin");
    install(&bin)?;
    let (figures, plans, next, bad) =
        (Figures::default(), options.plans(), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..options.parallel {
            scope.spawn(|| {
                while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                    let root = home.join(format!("r{}", plan.round));
                    if !play(&options, plan, root, &bin, &figures) {
                        bad.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    println!("seed {}", options.seed);
    print!("{}", figures.summary(begun.elapsed()));
    fs::remove_dir_all(&bin)?;
    // It stays when a round does.
    let _ = fs::remove_dir(&home);
    Ok(bad.load(Ordering::Relaxed) == 0)
}

/// Puts this program where it has the names of those under test.
fn install(bin: &Path) -> anyhow::Result<()> {
    fs::create_dir(bin)?;
    let this = env::current_exe()?;
    let torcd = bin.join("torcd");
    fs::hard_link(&this, &torcd).or_else(|_| fs::copy(&this, &torcd).map(drop))?;
    fs::hard_link(&torcd, bin.join("torcctl"))?;
    Ok(())
}

/// Plays a round, tells what is wrong, and returns whether nothing is.
fn play(options: &Options, plan: &Plan, root: PathBuf, bin: &Path, figures: &Figures) -> bool {
    let begun = Instant::now();
    let stage = match Stage::new(root.clone(), bin.to_owned()) {
        Ok(stage) => stage,
        Err(error) => {
            println!("round {}: {error:#}", plan.round);
            return false;
        }
    };
    stage.log(&format!("seed {} round {} {plan}", options.seed, plan.round));
    let faults = Round::new(plan, &stage, figures).play();
    figures.rounds.add(1);
    figures.found(&faults);
    stage.kill_all();
    stage.collect_memory();
    let place = root.display().to_string();
    if faults.is_empty() {
        let took = begun.elapsed().as_secs_f64();
        println!("round {:>4} {:<16} {took:>6.2} s", plan.round, plan.mode());
        if !options.keep
            && let Err(error) = stage.remove()
        {
            println!("round {}: cannot remove {place}: {error}", plan.round);
        }
        return true;
    }
    let again = format!("--seed {} --round {}", options.seed, plan.round);
    println!("\nround {} FAILED ({again}); its directory stays: {place}\n{plan}", plan.round);
    for fault in &faults {
        println!("  {:?}: {}", fault.kind, fault.text);
    }
    println!();
    false
}
