//! How long it takes to submit and to run large graphs of jobs, and how much memory that takes.
//!
//! usage: `cargo run --release -p torc-tests --bin graph-bench [-- JOBS…]`
//!
//! A real torcd with its database in memory, submitted to over its socket. Only the worker is
//! another: this program plays it too, and reports each job as ended the moment it gets it. So what
//! is measured is all that torcd does for a job: take it in, record it, decide what is ready, hand it
//! out, record how it ended, and tell whoever watches.

mod client;
mod shape;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use torc_protocol::request::{Shutdown, Snapshot, SnapshotWait, Status};
use torc_protocol::response::{Response, SnapshotProgress};
use torc_tests::benchmark::{self, Torcd};

use crate::client::Client;
use crate::shape::Shape;

/// The sizes when none are named.
const SIZES: [u32; 3] = [10_000, 100_000, 1_000_000];

fn main() -> ExitCode {
    if let Some(code) = benchmark::stand_in() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match measure_all(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(sizes: &[String]) -> anyhow::Result<()> {
    let sizes: Vec<u32> = match sizes {
        [] => SIZES.to_vec(),
        sizes => sizes.iter().map(|size| size.parse()).collect::<Result<_, _>>()?,
    };
    println!(
        "{:<8} {:>9} {:>9} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8}",
        "graph", "jobs", "edges", "submit", "run", "jobs/s", "B/job", "tmpfs/job", "snapshot"
    );
    for shape in [Shape::Chain, Shape::Fan, Shape::Layers] {
        for size in &sizes {
            measure(shape, *size)?;
        }
    }
    Ok(())
}

fn measure(shape: Shape, jobs: u32) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let torcd = Torcd::start(&["--in-memory"], &dir.path().join("torc.db"))?;
    let before = torcd.memory("VmRSS")?;
    let mut client = Client::connect(torcd.socket())?;
    let begun = Instant::now();
    let edges = client.submit(shape, jobs)?;
    let submitted = begun.elapsed();
    client.watch_to_the_end(u64::from(jobs))?;
    let run = begun.elapsed() - submitted;
    let per_job = |bytes: u64| bytes / u64::from(jobs);
    let memory = torcd.memory("VmHWM")?.saturating_sub(before);
    let mut client = Client::connect(torcd.socket())?;
    let stored = client.database_bytes()?;
    let snapshot = client.snapshot()?;
    println!(
        "{:<8} {jobs:>9} {edges:>9} {:>7.2}s {:>7.2}s {:>9.0} {:>9} {:>9} {:>7.2}s",
        shape.name(),
        submitted.as_secs_f64(),
        run.as_secs_f64(),
        f64::from(jobs) / run.as_secs_f64(),
        per_job(memory),
        per_job(stored),
        snapshot.as_secs_f64(),
    );
    client.end()?;
    torcd.wait()
}

impl Client {
    /// Returns how much room the database takes in memory, its log included.
    fn database_bytes(&mut self) -> anyhow::Result<u64> {
        let Response::Status(status) = self.ask(Status)? else {
            anyhow::bail!("that is no status");
        };
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let database = PathBuf::from(&status.database);
        Ok(size(&database) + size(Path::new(&format!("{}-wal", status.database))))
    }

    fn snapshot(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.send(Snapshot { wait: SnapshotWait::Forever, path: None })?;
        loop {
            match self.receive()? {
                Response::Snapshot(SnapshotProgress::Failed(failure)) => {
                    anyhow::bail!("{}: {}", failure.path, failure.reason);
                }
                Response::End => return Ok(begun.elapsed()),
                _ => {}
            }
        }
    }

    fn end(&mut self) -> anyhow::Result<()> {
        self.send(Shutdown::default())?;
        while self.receive()? != Response::End {}
        Ok(())
    }
}
