//! How a torcd that runs for weeks behaves while hardly anybody wants anything of it.
//!
//! usage: `cargo run --release -p torc-tests --bin service-bench -- [--calls N] [--at-once N]
//! [--idle-seconds N] [--snapshot-interval-seconds N]`
//!
//! How long one call of torcctl takes, one after the other: beside `torcctl --version`, which starts and
//! asks nobody, in turn. Whether all of many at once are answered. What an idle torcd takes of the
//! machine, and how often its threads wake up. It fails when a call fails, or an idle torcd wakes up.

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use torc_tests::benchmark::service::{Service, by_name};
use torc_tests::footprint::{Footprint, switches};

/// What is called, as a user writes it.
const CALLS: [&[&str]; 4] =
    [&["--version"], &["status"], &["jobs", "list"], &["api", "{\"ping\":{}}"]];
/// The jobs that are there to be listed.
const WORKFLOW: &str = "for n in $(seq 100); do echo true; done";
/// How long torcd may take to come to rest: threads that have nothing to do end after ten seconds.
const REST: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    if let Some(code) = by_name() {
        return code;
    }
    let measured = Options::parse(std::env::args().skip(1)).and_then(|options| measure(&options));
    match measured {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// What the command line says.
struct Options {
    calls: usize,
    at_once: usize,
    idle: Duration,
    /// So often a snapshot is due, when something has changed.
    interval: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let idle = Duration::from_secs(60);
        let mut options = Self { calls: 1_000, at_once: 200, idle, interval: None };
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
            let number: usize = value.parse().with_context(|| format!("{name} {value}"))?;
            match name.as_str() {
                "--calls" => options.calls = number.max(1),
                "--at-once" => options.at_once = number,
                "--idle-seconds" => options.idle = Duration::from_secs(number as u64),
                "--snapshot-interval-seconds" => options.interval = Some(value),
                _ => bail!("there is no option {name}"),
            }
        }
        Ok(options)
    }
}

/// Measures all of it, and returns whether it is as it should be.
fn measure(options: &Options) -> anyhow::Result<bool> {
    let interval = options.interval.as_deref();
    let service = Service::start(
        interval.into_iter().flat_map(|seconds| ["--snapshot-interval-seconds", seconds]),
    )?;
    let commands = Command::new("sh").args(["-c", WORKFLOW]).output()?.stdout;
    fs::write(service.work().join("commands"), commands)?;
    let ran = service.torcctl().args(["exec", "-C", "commands"]).output()?;
    ensure!(ran.status.success(), "the first jobs: {}", String::from_utf8_lossy(&ran.stderr));
    println!("| torcctl | calls | p50 ms | p99 ms | max ms | CPU ms |");
    println!("|---|---|---|---|---|---|");
    let mut failed = 0;
    for (arguments, Calls { mut took, cpu, failures }) in
        CALLS.iter().zip(in_turn(&service, options)?)
    {
        took.sort_unstable();
        let at = |share: f64| {
            let place = (took.len() as f64 * share).ceil() as usize;
            took[place.max(1) - 1].as_secs_f64() * 1e3
        };
        let (name, cpu) = (arguments.join(" "), cpu.as_secs_f64() * 1e3 / took.len() as f64);
        let (half, most, all) = (at(0.5), at(0.99), at(1.0));
        println!("| {name} | {} | {half:.2} | {most:.2} | {all:.1} | {cpu:.2} |", took.len());
        failed += failures;
    }
    println!();
    for arguments in &CALLS[1..] {
        failed += at_once(&service, arguments, options.at_once)?;
    }
    let is_quiet = idle(&service, options.idle)? || interval.is_some();
    service.end()?;
    println!("\n{failed} calls failed");
    Ok(failed == 0 && is_quiet)
}

/// How the calls of one kind went.
#[derive(Default)]
struct Calls {
    took: Vec<Duration>,
    cpu: Duration,
    failures: usize,
}

/// Calls each in turn, so that what else the machine does falls on all alike.
fn in_turn(service: &Service, options: &Options) -> anyhow::Result<[Calls; CALLS.len()]> {
    let mut all: [Calls; CALLS.len()] = Default::default();
    for _ in 0..options.calls {
        for (arguments, calls) in CALLS.iter().zip(&mut all) {
            let mut command = service.torcctl();
            command.args(*arguments).stdin(Stdio::null()).stdout(Stdio::null());
            let (before, begun) = (cpu_of_children()?, Instant::now());
            let status = command.status()?;
            calls.took.push(begun.elapsed());
            calls.cpu += cpu_of_children()?.saturating_sub(before);
            calls.failures += usize::from(!status.success());
        }
    }
    Ok(all)
}

/// Returns what processor time the children had that have ended.
fn cpu_of_children() -> anyhow::Result<Duration> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    let (user, system) = (usage.user_time(), usage.system_time());
    let seconds = u64::try_from(user.tv_sec() + system.tv_sec())?;
    let micros = u64::try_from(user.tv_usec() + system.tv_usec())?;
    Ok(Duration::from_secs(seconds) + Duration::from_micros(micros))
}

/// Calls so many at once, and returns how many failed.
fn at_once(service: &Service, arguments: &[&str], many: usize) -> anyhow::Result<usize> {
    let begun = Instant::now();
    let started = (0..many).map(|_| {
        let mut command = service.torcctl();
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    });
    let started = started.collect::<std::io::Result<Vec<_>>>()?;
    let mut failed = 0;
    for mut call in started {
        failed += usize::from(!call.wait()?.success());
    }
    let took = begun.elapsed().as_secs_f64() * 1e3;
    println!("{many} at once of `torcctl {}`: {failed} failed, {took:.0} ms", arguments.join(" "));
    Ok(failed)
}

/// Tells what torcd takes when nobody wants anything, and returns whether it never wakes up.
fn idle(service: &Service, length: Duration) -> anyhow::Result<bool> {
    thread::sleep(REST);
    let processes =
        [("torcd", service.torcd()), ("guard", service.guard()?), ("worker", service.worker()?)];
    let count = || processes.iter().map(|(_, pid)| switches(*pid)).collect::<Result<Vec<_>, _>>();
    let before = count()?;
    thread::sleep(length);
    let after = count()?;
    let seconds = length.as_secs();
    println!("\n| idle | RSS MiB | PSS MiB | descriptors | threads | wake-ups in {seconds} s |");
    println!("|---|---|---|---|---|---|");
    for (((name, pid), before), after) in processes.iter().zip(&before).zip(&after) {
        let Footprint { rss, pss, descriptors, threads } = Footprint::of(*pid)?;
        let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
        println!(
            "| {name} | {:.1} | {:.1} | {descriptors} | {threads} | {} |",
            mebibytes(rss),
            mebibytes(pss),
            after - before,
        );
    }
    Ok(before == after)
}
