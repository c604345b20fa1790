//! How long a transaction waits while the database is copied for a snapshot.
//!
//! usage: `cargo run --release -p torcd --example copy_latency [-- tmpfs|memory [JOBS]]`
//!
//! Makes a database of so many jobs that have all run once, and then records results at 1,000
//! transactions a second: for some seconds as they are, and while copies are made. The time of a
//! transaction is counted from the moment at which it was due, so whatever holds up one holds up
//! those behind it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::paths;
use torc_protocol::result::{AttemptResult, Ending, Output, StreamKind};
use torc_protocol::spec::{Command, JobSpec, WorkflowSpec};
use torc_protocol::status::JobStatus;
use torc_protocol::time::Timestamp;
use torc_protocol::view::JobCounts;
use torcd::store::home::Home;
use torcd::store::image::Copier;
use torcd::store::private_dir::{PrivateDir, Purpose};
use torcd::store::shadow::Shadow;
use torcd::store::sql::{Connection, SqlResult};
use torcd::store::tables::{attempt, job, output, workflow};
use torcd::store::writer::Writer;

const JOBS: u64 = 1_000_000;
const PERIOD: Duration = Duration::from_millis(1);
const BASELINE: Duration = Duration::from_secs(5);
/// So many copies are made, one after the other.
const COPIES: usize = 3;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let home = arguments.next().unwrap_or_else(|| "tmpfs".to_owned());
    let jobs = arguments.next().map_or(Ok(JOBS), |text| text.parse())?;
    println!("home    jobs      while            copies s     p50 ms   p99 ms   max ms");
    match home.as_str() {
        "tmpfs" => on_tmpfs(jobs),
        "memory" => in_memory(jobs),
        other => bail!("there is no home '{other}'"),
    }
}

fn on_tmpfs(jobs: u64) -> anyhow::Result<()> {
    let parent = paths::memory_dir().context("there is no tmpfs here")?;
    let purpose = Purpose { target: PathBuf::from("/nowhere"), private: true };
    let home = Home::Tmpfs(PrivateDir::create(&parent, &purpose)?);
    let staging = home.file().and_then(|file| Some(file.parent()?.to_owned()));
    let mut writer = Writer::open(&home, None)?;
    let workflow = fill(&mut writer, jobs)?;
    let mut copier = Copier::open(&home, &staging.context("a directory")?)?.context("a copier")?;
    let mut load = Load { workflow, jobs, next: 0 };
    let waits = load.alone(&mut writer)?;
    report("tmpfs", jobs, "nothing", None, waits);
    let (done, begun) = (AtomicBool::new(false), Instant::now());
    let waits = std::thread::scope(|scope| {
        let copying = scope.spawn(|| {
            let copied = (0..COPIES).try_for_each(|_| copier.copy("copy.db").map(drop));
            done.store(true, Ordering::Release);
            copied
        });
        let waits = load.run(&mut writer, || Ok(!done.load(Ordering::Acquire)))?;
        match copying.join() {
            Ok(copied) => copied?,
            Err(_) => bail!("the copier has broken down"),
        }
        Ok(waits)
    })?;
    report("tmpfs", jobs, "copying", Some(begun.elapsed()), waits);
    Ok(())
}

fn in_memory(jobs: u64) -> anyhow::Result<()> {
    let mut writer = Writer::open(&Home::Memory, None)?;
    let workflow = fill(&mut writer, jobs)?;
    let mut writer = writer.share();
    let source = writer.shared();
    let mut load = Load { workflow, jobs, next: 0 };
    let waits = load.alone(&mut writer)?;
    report("memory", jobs, "nothing", None, waits);
    let mut shadow = Shadow::new()?;
    for turn in ["first copy", "kept copy"] {
        let begun = Instant::now();
        let stepping = shadow.follow(&source)?;
        // As the dispatcher does: one step after each turn, and more while there is nothing else.
        let waits = load.run(&mut writer, || Ok(!stepping.step()?))?;
        drop(stepping);
        report("memory", jobs, turn, Some(begun.elapsed()), waits);
    }
    let (begun, done) = (Instant::now(), AtomicBool::new(false));
    let waits = std::thread::scope(|scope| {
        let leaving = scope.spawn(|| {
            let image = shadow.image("copy").map(drop);
            done.store(true, Ordering::Release);
            image
        });
        let waits = load.run(&mut writer, || Ok(!done.load(Ordering::Acquire)))?;
        match leaving.join() {
            Ok(image) => image?,
            Err(_) => bail!("the copier has broken down"),
        }
        Ok(waits)
    })?;
    report("memory", jobs, "image leaves", Some(begun.elapsed()), waits);
    Ok(())
}

/// Stores a workflow whose jobs have all run once.
fn fill(writer: &mut Writer, jobs: u64) -> anyhow::Result<WorkflowId> {
    let connection = writer.writing()?;
    let spec = WorkflowSpec { name: "w".to_owned(), ..WorkflowSpec::default() };
    let workflow = workflow::insert_draft(connection, &spec, Timestamp(1))?;
    for number in 1..=jobs {
        let command = Command::Line(format!("./simulate --seed {number} --out out/{number}.dat"));
        let job = JobSpec { name: format!("job-{number}"), command, ..JobSpec::default() };
        let id = job::insert(connection, workflow, &job, &[])?;
        record(connection, id, 1)?;
    }
    workflow::publish(connection, workflow, None, Timestamp(2))?;
    writer.commit()?;
    Ok(workflow)
}

/// Stores what an attempt gave.
fn record(connection: &Connection, id: JobId, number: u32) -> SqlResult<()> {
    let attempt = AttemptId { job: id, number: AttemptNumber(number) };
    let result = AttemptResult::bare(Ending::Exited(0), Timestamp(2));
    attempt::put_result(connection, attempt, "node-17", Some(4_711), &result)?;
    output::put(connection, attempt, StreamKind::Stdout, &Output::Inline("done\n".into()))?;
    job::set(connection, id, JobStatus::Completed, number, Some(0))
}

/// Results as they come in.
struct Load {
    workflow: WorkflowId,
    jobs: u64,
    next: u64,
}

impl Load {
    /// Records results while nothing else goes on: what was stored at the beginning is at rest.
    fn alone<C: std::borrow::Borrow<Connection>>(
        &mut self,
        writer: &mut Writer<C>,
    ) -> anyhow::Result<Vec<Duration>> {
        let begun = Instant::now();
        self.run(writer, || Ok(begun.elapsed() < BASELINE))?;
        let begun = Instant::now();
        self.run(writer, || Ok(begun.elapsed() < BASELINE))
    }

    /// Records results, one each period, until `go_on` says no; it is asked whenever there is
    /// nothing else to do, and after each. Returns how long each was in coming.
    fn run<C: std::borrow::Borrow<Connection>>(
        &mut self,
        writer: &mut Writer<C>,
        mut go_on: impl FnMut() -> anyhow::Result<bool>,
    ) -> anyhow::Result<Vec<Duration>> {
        let mut waits = Vec::new();
        let mut due = Instant::now();
        while go_on()? {
            if Instant::now() < due {
                std::thread::sleep(Duration::from_micros(50));
                continue;
            }
            self.next += 1;
            // Far apart, as jobs that end are not those that began one after the other.
            let id = JobId(self.next.wrapping_mul(7_919) % self.jobs + 1);
            let connection = writer.writing()?;
            record(connection, id, 2)?;
            workflow::set_counts(connection, self.workflow, &JobCounts::default())?;
            writer.commit()?;
            waits.push(due.elapsed());
            due += PERIOD;
        }
        Ok(waits)
    }
}

fn report(home: &str, jobs: u64, what: &str, took: Option<Duration>, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    let at = |part: f64| {
        let index = ((waits.len() as f64 * part) as usize).min(waits.len().saturating_sub(1));
        waits.get(index).map_or(f64::NAN, |wait| wait.as_secs_f64() * 1e3)
    };
    let took = took.map_or_else(|| "-".to_owned(), |took| format!("{:.2}", took.as_secs_f64()));
    println!(
        "{home:<7} {jobs:<9} {what:<16} {took:>8} {:>10.3} {:>8.3} {:>8.3}",
        at(0.5),
        at(0.99),
        at(1.0)
    );
}
