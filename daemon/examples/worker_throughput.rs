//! How many jobs a second a worker runs, and what that costs it.
//!
//! usage: `cargo run --release -p torcd --example worker_throughput -- TORCD [JOBS [WIDTH [LINE]]]`
//!
//! Talks to `TORCD worker` as torcd does, keeps its lane filled, and prints jobs/s and the CPU time
//! that the worker itself took for a job.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command as Program, Stdio};
use std::time::Instant;

use anyhow::{Context, ensure};
use bytes::{Bytes, BytesMut};
use tokio_util::codec::Decoder;
use torc_protocol::codec::{self, Codec};
use torc_protocol::hello::Hello;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::spec::{Command, Environment, JobContext, JobSettings};
use torc_protocol::worker::{StartJob, WorkerEvent, WorkerRequest};

/// How many jobs beyond its width the lane is given.
const AHEAD: u64 = 16;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let torcd = arguments.next().context("the first argument is the torcd to measure")?;
    let jobs: u64 = arguments.next().map_or(Ok(5_000), |text| text.parse())?;
    let width: u32 = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let line = arguments.next().unwrap_or_else(|| "true".to_owned());
    let (mut stream, theirs) = UnixStream::pair()?;
    let mut guard = Program::new(torcd)
        .arg("worker")
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    let hello = Hello::ours().encode();
    stream.write_all(&hello)?;
    stream.read_exact(&mut vec![0; hello.len()])?;
    let mut send = stream.try_clone()?;
    for request in opening(width)? {
        send.write_all(&codec::frame(request)?)?;
    }
    let start = Instant::now();
    let worker = only_child(guard.id())?;
    let before = cpu_time(worker)?;
    send.write_all(&codec::frame(queue(1..=AHEAD + u64::from(width), &line))?)?;
    let mut queued = AHEAD + u64::from(width);
    let mut finished = 0;
    let mut events = Codec::<WorkerEvent, ()>::default();
    let mut buffer = BytesMut::new();
    let mut bytes = vec![0; 65536];
    while finished < jobs {
        let length = stream.read(&mut bytes)?;
        ensure!(length > 0, "the worker ended");
        buffer.extend_from_slice(&bytes[..length]);
        let mut ended = 0;
        while let Some(event) = events.decode(&mut buffer)? {
            if let WorkerEvent::Finished { result, .. } = event {
                ensure!(result.return_code() == 0, "a job failed: {}", result.reason());
                ended += 1;
            }
        }
        finished += ended;
        let next = (queued + 1)..=(queued + ended).min(jobs);
        if !next.is_empty() {
            queued = *next.end();
            send.write_all(&codec::frame(queue(next, &line))?)?;
        }
    }
    let elapsed = start.elapsed().as_secs_f64();
    let after = cpu_time(worker)?;
    let per_job = |ticks: u64| ticks as f64 * 10_000.0 / jobs as f64;
    println!(
        "{:.0} jobs/s; worker: {:.0} us user + {:.0} us system a job",
        jobs as f64 / elapsed,
        per_job(after.0 - before.0),
        per_job(after.1 - before.1),
    );
    drop((stream, send));
    guard.wait()?;
    Ok(())
}

/// Returns what is sent before the first job.
fn opening(width: u32) -> anyhow::Result<[WorkerRequest; 2]> {
    let mut environment = Vec::new();
    for (name, value) in std::env::vars() {
        environment.extend_from_slice(format!("{name}={value}\0").as_bytes());
    }
    let directory = std::env::current_dir()?.display().to_string();
    let context = JobContext {
        environment: Environment(Bytes::from(environment)),
        working_dir: directory.clone(),
        output_dir: directory,
    };
    let workflow = WorkflowId(1);
    let settings = JobSettings::default();
    Ok([
        WorkerRequest::Context { workflow, context, socket: String::new() },
        WorkerRequest::Lane { lane: 1, width, workflow, settings },
    ])
}

fn queue(jobs: std::ops::RangeInclusive<u64>, line: &str) -> WorkerRequest {
    let job = |number| StartJob {
        attempt: AttemptId { job: JobId(number), number: AttemptNumber(1) },
        name: format!("job{number}"),
        command: Command::Line(line.to_owned()),
        extra: None,
    };
    WorkerRequest::Start { lane: 1, jobs: jobs.map(job).collect() }
}

/// Returns the worker of a guard.
fn only_child(guard: u32) -> anyhow::Result<u32> {
    let children = std::fs::read_to_string(format!("/proc/{guard}/task/{guard}/children"))?;
    children.trim().parse().context("the guard has not one child")
}

/// Returns user and system time of a process without its children, in ticks of 10 ms.
fn cpu_time(process: u32) -> anyhow::Result<(u64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let fields = stat.rsplit_once(')').context("no name in stat")?.1;
    let mut fields = fields.split_whitespace().skip(11);
    let mut next = || fields.next().context("stat is too short")?.parse().context("no number");
    Ok((next()?, next()?))
}
