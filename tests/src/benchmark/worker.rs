//! A worker that runs nothing. A job has ended well the moment it arrives, unless its command is
//! [`PACED`]: that one takes [`WORK`] of one of [`SLOTS`] slots.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio_util::codec::Decoder;
use torc_protocol::codec::{Codec, frame};
use torc_protocol::hello::Hello;
use torc_protocol::id::AttemptId;
use torc_protocol::resources::NodeResources;
use torc_protocol::result::{AttemptResult, Ending};
use torc_protocol::spec::Command;
use torc_protocol::time::Timestamp;
use torc_protocol::worker::{StartJob, WorkerEvent, WorkerRequest};

/// The command of a job that takes its time.
pub const PACED: &str = "paced";
/// How long such a job takes.
pub const WORK: Duration = Duration::from_millis(8);
/// How many of them are under way at a time.
pub const SLOTS: u32 = 8;
/// How many CPUs it says to have.
const CPUS: u32 = 64;

/// Speaks with torcd over stdin and stdout until that is gone.
pub fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the worker of the benchmark: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> anyhow::Result<()> {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let hello = Hello::ours().encode();
    output.write_all(&hello)?;
    output.flush()?;
    input.read_exact(&mut vec![0; hello.len()])?;
    let resources = NodeResources { host: "bench".to_owned(), cpus: CPUS, ..Default::default() };
    output.write_all(&frame(&WorkerEvent::Ready { resources, pid: std::process::id() })?)?;
    output.flush()?;
    // Read past the buffer of stdin, which would hide from `poll` what it has.
    let mut input = std::fs::File::from(input.as_fd().try_clone_to_owned()?);
    let mut codec = Codec::<WorkerRequest, ()>::default();
    let mut buffer = BytesMut::new();
    let mut bytes = vec![0; 64 * 1024];
    let mut slots = Slots::new();
    loop {
        let mut answer = Vec::new();
        if is_readable(&input, slots.next_end())? {
            let length = input.read(&mut bytes)?;
            if length == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(&bytes[..length]);
            while let Some(request) = codec.decode(&mut buffer)? {
                let WorkerRequest::Start { jobs, .. } = request else { continue };
                for job in jobs {
                    if is_paced(&job) {
                        slots.begin(job.attempt);
                    } else {
                        answer.extend_from_slice(&finished(job.attempt, Duration::ZERO)?);
                    }
                }
            }
        }
        while let Some(attempt) = slots.ended() {
            answer.extend_from_slice(&finished(attempt, WORK)?);
        }
        output.write_all(&answer)?;
        output.flush()?;
    }
}

/// Waits until there is something to read, or until `limit`.
fn is_readable(input: &impl AsFd, limit: Option<Instant>) -> nix::Result<bool> {
    let timeout = match limit {
        None => PollTimeout::NONE,
        Some(limit) => {
            let left = limit.saturating_duration_since(Instant::now());
            // Rounded up: it would turn without a rest otherwise.
            PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX)
        }
    };
    Ok(poll(&mut [PollFd::new(input.as_fd(), PollFlags::POLLIN)], timeout)? > 0)
}

fn is_paced(job: &StartJob) -> bool {
    matches!(&job.command, Command::Line(line) if line == PACED)
}

fn finished(attempt: AttemptId, took: Duration) -> anyhow::Result<Vec<u8>> {
    let now = Timestamp::now();
    let mut result = AttemptResult::bare(Ending::Exited(0), now);
    result.started_at = Timestamp(now.0 - i64::try_from(took.as_micros())?);
    Ok(frame(&WorkerEvent::Finished { attempt, result })?.to_vec())
}

/// The slots of jobs that take their time, each with its own clock: a slot loses time only when it
/// has nothing to do, not when this process comes late.
struct Slots {
    /// When each has done what it was given.
    free_at: BinaryHeap<Reverse<Instant>>,
    under_way: BinaryHeap<Reverse<(Instant, u64, u32)>>,
}

impl Slots {
    fn new() -> Self {
        let now = Instant::now();
        Self { free_at: (0..SLOTS).map(|_| Reverse(now)).collect(), under_way: BinaryHeap::new() }
    }

    fn begin(&mut self, attempt: AttemptId) {
        let now = Instant::now();
        let free_at = self.free_at.pop().map_or(now, |Reverse(at)| at.max(now));
        let ends_at = free_at + WORK;
        self.free_at.push(Reverse(ends_at));
        self.under_way.push(Reverse((ends_at, attempt.job.0, attempt.number.0)));
    }

    fn next_end(&self) -> Option<Instant> {
        self.under_way.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes a job whose time is over.
    fn ended(&mut self) -> Option<AttemptId> {
        if self.next_end()? > Instant::now() {
            return None;
        }
        self.under_way.pop().map(|Reverse((_, job, number))| AttemptId {
            job: torc_protocol::id::JobId(job),
            number: torc_protocol::id::AttemptNumber(number),
        })
    }
}
