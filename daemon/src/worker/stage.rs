//! One process of an attempt, from its start until nothing of it is left.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use nix::errno::Errno;
use nix::unistd::Pid;
use torc_protocol::id::AttemptId;
use torc_protocol::result::{Ending, Usage};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::worker::WorkerEvent;

use super::attempt::Attempt;
use super::environment::JobEnvironment;
use super::kernel;
use super::memory::{Limit, Seen};
use super::program::{Choice, Program};
use super::registry::{Deadline, Due};
use super::setup::Place;
use super::shared::Shared;
use super::spawn::{Beginning, Process, SpawnError, Spawner, Step};
use super::streams::Streams;

/// How much of a command a message repeats, in characters.
const SHOWN: usize = 200;

/// What is run.
pub(super) struct Stage<'a> {
    pub(super) choice: Choice,
    pub(super) environment: JobEnvironment,
    /// The attempt that the environment names.
    pub(super) mark: AttemptId,
    pub(super) place: &'a Place,
    pub(super) follow: Follow,
}

/// What comes after a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// The process of the attempt itself, which is the one that torcd hears of.
    Attempt,
    /// Nothing.
    Nothing,
}

/// How a process ended, and what it used.
pub(super) struct Ended {
    pub(super) ending: Ending,
    pub(super) usage: Usage,
}

impl Stage<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// The ending when no process could be made.
    pub(super) fn run(
        &self,
        shared: &Shared,
        attempt: &Arc<Attempt>,
        streams: &mut Streams,
        spawner: &mut Spawner,
    ) -> Result<Ended, Ending> {
        let run = Run { shared, attempt, begun_at: Timestamp::now(), begun: Instant::now() };
        let bytes = attempt.lane.memory_limit;
        let limit = bytes.map(|bytes| shared.memory.limit(attempt.id(), bytes));
        let mut limit = limit.transpose().map_err(cannot_limit)?;
        let process = self.start(run, &mut limit, streams, spawner)?;
        Ok(self.supervise(run, &process, limit, streams))
    }

    /// Makes the process; outside of the cgroup that it should have, where it cannot be made inside.
    fn start(
        &self,
        run: Run<'_>,
        limit: &mut Option<Limit<'_>>,
        streams: &Streams,
        spawner: &mut Spawner,
    ) -> Result<Process, Ending> {
        let [stdout, stderr] = streams.writers(&run.shared.null);
        let mut spawn = |program: &Program, limit: &Option<Limit<'_>>| {
            let beginning = Beginning {
                environment: self.environment.pointers(),
                directory: &self.place.directory,
                stdout,
                stderr,
                open_files: run.shared.open_files,
                cgroup: limit.as_ref().and_then(Limit::cgroup),
            };
            spawner.spawn(program, &beginning)
        };
        let mut program = &self.choice.program;
        let mut result = spawn(program, limit);
        if let (Err(SpawnError { step: Step::Clone, .. }), Some(kept)) = (&result, limit.as_mut())
            && kept.cgroup().is_some()
        {
            kept.leave_cgroup().map_err(cannot_limit)?;
            result = spawn(program, limit);
        }
        if let (Err(error), Some(fallback)) = (&result, &self.choice.fallback)
            && is_not_found(error)
        {
            program = fallback;
            result = spawn(program, limit);
        }
        result.map_err(|error| describe(&error, program, self.place))
    }

    /// Leads the process to its end.
    fn supervise(
        &self,
        run: Run<'_>,
        process: &Process,
        mut limit: Option<Limit<'_>>,
        streams: &mut Streams,
    ) -> Ended {
        let Run { shared, attempt, begun_at, begun } = run;
        attempt.set_running(process.pid);
        if self.follow == Follow::Nothing {
            let pid = process.pid.as_raw().cast_unsigned();
            shared.hold(WorkerEvent::Started { attempt: attempt.id(), pid, at: begun_at });
        }
        let timeout = run.schedule_timeout(process.pid);
        if let Some(limit) = &mut limit {
            limit.begin(attempt, self.mark, process.pid);
        }
        let mut failure = run.wait_for_end(process, streams).err();
        let wall = Span::from(begun.elapsed());
        drop(timeout);
        attempt.kill();
        if shared.strays.end(self.mark, process.pid) {
            shared.wake.wake();
        }
        let seen = limit.map_or_else(Seen::default, Limit::end);
        if seen.out_of_memory {
            attempt.note_out_of_memory();
        }
        match self.follow {
            Follow::Attempt => attempt.pause(),
            Follow::Nothing => attempt.release(),
        }
        let (ending, usage) = reap(process, wall, seen);
        if let Err(error) = streams.drain(attempt, &shared.outbox) {
            failure.get_or_insert(error);
        }
        let lost = failure.map(|error| Ending::Lost(format!("cannot follow it: {error}")));
        Ended { ending: lost.unwrap_or(ending), usage }
    }
}

/// A run of a stage.
#[derive(Clone, Copy)]
struct Run<'a> {
    shared: &'a Shared,
    attempt: &'a Arc<Attempt>,
    begun_at: Timestamp,
    begun: Instant,
}

impl<'a> Run<'a> {
    fn schedule_timeout(self, group: Pid) -> Option<Deadline<'a>> {
        let id = self.attempt.id();
        let at = self.begun.checked_add(self.attempt.lane.timeout?)?;
        let due = Due::Timeout(group);
        self.shared.schedule(at, id, due);
        Some(Deadline::new(&self.shared.registry, at, id, due))
    }

    /// Waits until the leader has ended and, when the attempt is being stopped, until the rest of
    /// its group has too: the leader may be a shell that dies at once, while what it started uses
    /// its grace. SIGKILL by the main thread bounds that.
    fn wait_for_end(self, process: &Process, streams: &mut Streams) -> io::Result<()> {
        let Self { shared, attempt, .. } = self;
        while !streams.pump(&process.pidfd, attempt, &shared.outbox)? {}
        while attempt.stopped().is_some()
            && let Some(member) = shared.strays.member(process.pid)
        {
            while !streams.pump(&member, attempt, &shared.outbox)? {}
        }
        Ok(())
    }
}

fn reap(process: &Process, wall: Span, seen: Seen) -> (Ending, Usage) {
    match kernel::reap(process.pid) {
        Ok((ending, usage)) => {
            let peak_memory = usage.peak_memory.max(seen.peak);
            (ending, Usage { wall, peak_memory, ..usage })
        }
        Err(error) => {
            (Ending::Lost(format!("cannot learn how it ended: {error}")), Usage::default())
        }
    }
}

fn cannot_limit(error: io::Error) -> Ending {
    Ending::NotStarted(125, format!("cannot limit its memory: {error}"))
}

fn is_not_found(error: &SpawnError) -> bool {
    let errno = error.error.raw_os_error().map(Errno::from_raw);
    error.step == Step::Execute && matches!(errno, Some(Errno::ENOENT | Errno::ENOTDIR))
}

/// Returns the ending for a process that could not be made.
fn describe(error: &SpawnError, program: &Program, place: &Place) -> Ending {
    let name = program.arguments.first().map(|name| name.to_string_lossy()).unwrap_or_default();
    let name: String = name.chars().take(SHOWN).collect();
    let directory = place.directory.to_string_lossy();
    let error_text = &error.error;
    let (code, text) = match error.step {
        Step::Execute if is_not_found(error) => (127, format!("command not found: {name}")),
        Step::Execute => (126, format!("cannot execute {name}: {error_text}")),
        Step::Directory => {
            (125, format!("cannot enter the working directory {directory}: {error_text}"))
        }
        Step::Prepare => (125, format!("cannot prepare a process: {error_text}")),
        Step::Clone => (125, format!("cannot make a process: {error_text}")),
    };
    Ending::NotStarted(code, text)
}
