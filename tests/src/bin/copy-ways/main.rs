//! Ways to bring a database from memory to disk while it is written to, side by side.
//!
//! usage: `cargo run --release -p torc-tests --bin copy-ways [-- [JOBS] [WAY…]]`
//!
//! Each way has a process of its own, with so many jobs and as many results in its database. A
//! thread there makes a thousand transactions a second, and a late one counts from when it was due.
//! A copy is made to a sound disk, then one to a disk that answers nothing for its first five
//! seconds; then the process is killed while it makes one to a disk that is frozen, and others are
//! killed in the middle of transactions. All waits are those while a copy is made.
//!
//! This process serves the disk that freezes, starts the others, and looks at what they have left.

mod content;
mod measured;
mod owner;
mod pace;
mod ways;

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use torc_tests::benchmark;
use torc_tests::slow_disk::SlowDisk;

use crate::measured::Measured;
use crate::ways::Way;

/// How many jobs, when nobody says.
const JOBS: u32 = 1_000_000;
/// How long the disk does not answer.
const FREEZE: Duration = Duration::from_secs(5);
/// How long after the beginning of a copy to a frozen disk all hang that will.
const SETTLE: Duration = Duration::from_secs(2);
/// How often a process is killed.
const KILLS: u32 = 20;

fn main() -> ExitCode {
    if let Some(code) = benchmark::stand_in() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["owner", way, jobs, home] => owner::run(way, jobs, home),
        _ => compare(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &[String]) -> anyhow::Result<()> {
    let (jobs, names) = match arguments.split_first() {
        Some((first, rest)) if first.parse::<u32>().is_ok() => (first.parse()?, rest),
        _ => (JOBS, arguments),
    };
    let disk = SlowDisk::mount();
    println!(
        "| way | owner's longest pause | writer p99 | longest | frozen: pause | p99 | longest | \
         extra memory | durable after | left after SIGKILL | killed while frozen, gone after |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for way in Way::ALL {
        if names.is_empty() || names.iter().any(|name| name == way.name()) {
            let row = row(way, jobs, disk.as_ref()).with_context(|| way.name())?;
            println!("{row}");
        }
    }
    Ok(())
}

/// Measures one way, and returns its line of the table.
fn row(way: Way, jobs: u32, disk: Option<&SlowDisk>) -> anyhow::Result<String> {
    let (home, sound) = (tempfile::tempdir_in("/dev/shm")?, tempfile::tempdir()?);
    let mut owner = Owner::start(way, jobs, home.path())?;
    let calm = owner.copy(&sound.path().join("copy.db"), || {})?;
    let frozen = match disk {
        None => "– | – | –".to_owned(),
        Some(disk) => {
            disk.freeze();
            let frozen = owner.copy(&disk.path("copy.db"), || {
                thread::sleep(FREEZE);
                disk.thaw();
            })?;
            frozen.waits()
        }
    };
    let gone = match disk {
        None => "–".to_owned(),
        Some(disk) => format!("{:.2} s", owner.killed_while_frozen(disk)?.as_secs_f64()),
    };
    let left = survival(way)?;
    Ok(format!(
        "| {} | {} | {frozen} | {} MB | {:.1} s | {left} | {gone} |",
        way.describe(),
        calm.waits(),
        calm.memory >> 20,
        calm.durable_after.as_secs_f64(),
    ))
}

/// Kills a process of this way again and again, and returns what was left of what it had
/// acknowledged.
fn survival(way: Way) -> anyhow::Result<String> {
    let (mut acknowledged, mut lost) = (0, 0);
    for kill in 0..KILLS {
        let home = tempfile::tempdir_in("/dev/shm")?;
        let mut owner = Owner::start(way, 1_000, home.path())?;
        let last = owner.transactions_until_killed(Duration::from_millis(u64::from(50 + kill)))?;
        match content::found(&way.file(home.path()))? {
            None => return Ok("all gone".to_owned()),
            Some(found) => {
                acknowledged += last;
                lost += last.saturating_sub(found);
            }
        }
    }
    Ok(format!("{lost} of {acknowledged} lost, {KILLS} kills"))
}

/// The process that owns a database.
struct Owner {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Owner {
    /// Starts one, and waits until its database is filled.
    fn start(way: Way, jobs: u32, home: &Path) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["owner", way.name(), &jobs.to_string()])
            .arg(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take().context("no stdin")?;
        let answers = BufReader::new(process.stdout.take().context("no stdout")?).lines();
        let mut owner = Self { process, orders, answers };
        owner.expect("ready")?;
        Ok(owner)
    }

    fn answer(&mut self) -> anyhow::Result<String> {
        Ok(self.answers.next().context("the owner of the database has ended")??)
    }

    fn expect(&mut self, word: &str) -> anyhow::Result<()> {
        let answer = self.answer()?;
        if answer == word { Ok(()) } else { bail!("'{answer}' in place of '{word}'") }
    }

    /// Has it copy its database, does something when that has begun, and returns what it measured.
    fn copy(&mut self, to: &Path, meanwhile: impl FnOnce()) -> anyhow::Result<Measured> {
        writeln!(self.orders, "copy {}", to.display())?;
        self.expect("copying")?;
        meanwhile();
        Measured::parse(&self.answer()?)
    }

    /// Has it make transactions as fast as it can, kills it, and returns how many it had
    /// acknowledged.
    fn transactions_until_killed(&mut self, after: Duration) -> anyhow::Result<u64> {
        writeln!(self.orders, "transactions")?;
        self.expect("1")?;
        thread::sleep(after);
        self.kill()?;
        let mut last = 1;
        while let Some(Ok(line)) = self.answers.next() {
            last = line.parse().unwrap_or(last);
        }
        Ok(last)
    }

    /// Has it copy its database to a frozen disk, kills it, and returns how long it took to be gone.
    fn killed_while_frozen(&mut self, disk: &SlowDisk) -> anyhow::Result<Duration> {
        disk.freeze();
        writeln!(self.orders, "copy {}", disk.path("copy.db").display())?;
        self.expect("copying")?;
        disk.wait_for_a_victim();
        // The first is who looks for the file; those who write it come later.
        thread::sleep(SETTLE);
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(FREEZE);
                disk.thaw();
            });
            let begun = Instant::now();
            self.kill()?;
            Ok(begun.elapsed())
        })
    }

    fn kill(&mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
