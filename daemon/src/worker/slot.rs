//! The life of a job, in a straight line, on a thread that it has for itself.
//!
//! Whatever stalls, be it the output directory, the working directory or the program file, stalls
//! this thread and no other.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use nix::errno::Errno;
use torc_protocol::result::{AttemptResult, Ending, Output, Usage};
use torc_protocol::spec::Command;
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::worker::WorkerEvent;

use super::attempt::{Attempt, Place};
use super::command_line::{self, Plan};
use super::environment::{JobEnvironment, c_string};
use super::kernel;
use super::registry::Due;
use super::shared::{Shared, Urgency};
use super::spawn::{Beginning, Process, Program, SpawnError, Spawner, Step};
use super::streams::Streams;

/// How much of a command a message repeats, in characters.
const SHOWN: usize = 200;

/// Runs one attempt after another, for ever.
pub(super) fn run(shared: &Shared) -> ! {
    let mut spawner = Spawner::new();
    shared.lanes.thread_came();
    let mut next = None;
    loop {
        let task = next.unwrap_or_else(|| shared.lanes.wait());
        let attempt = &task.attempt;
        let begun = Begun { at: Timestamp::now(), clock: Instant::now() };
        let run = || Life { shared, attempt, begun }.run(&mut spawner);
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
            let group = attempt.group();
            attempt.release();
            // An error means that it was reaped before the panic.
            let usage = group.and_then(|group| kernel::reap(group).ok()).map(|(_, usage)| usage);
            let ending = Ending::Lost("a defect in the worker; see the log of torcd".to_owned());
            Life { shared, attempt, begun }.result(ending, usage.unwrap_or_default(), [NONE, NONE])
        });
        if let Some(at) = attempt.lane.timeout.and_then(|timeout| begun.clock.checked_add(timeout))
        {
            shared.registry.unschedule(at, attempt.id(), Due::Timeout);
        }
        next = shared.lanes.give_back(task.lane);
        let urgency = if next.is_some() { Urgency::CanWait } else { Urgency::Now };
        shared.report(attempt, result, urgency);
    }
}

const NONE: Output = Output::None;

/// When it began, by both clocks.
#[derive(Clone, Copy)]
struct Begun {
    at: Timestamp,
    clock: Instant,
}

/// One attempt on this thread.
#[derive(Clone, Copy)]
struct Life<'a> {
    shared: &'a Shared,
    attempt: &'a Attempt,
    begun: Begun,
}

impl Life<'_> {
    fn run(self, spawner: &mut Spawner) -> AttemptResult {
        if self.attempt.stopped().is_some() {
            // Between its place in the lane and this thread.
            return self.result(Ending::Withdrawn, Usage::default(), [NONE, NONE]);
        }
        let not_started = |ending| self.result(ending, Usage::default(), [NONE, NONE]);
        let lane = &self.attempt.lane;
        let place = match &lane.place {
            Ok(place) => place,
            Err(text) => return not_started(Ending::NotStarted(125, text.clone())),
        };
        let stem = place.file_stem(lane.workflow, self.attempt.id());
        match Streams::open(lane.stdio, &stem, self.attempt) {
            Ok(streams) => match self.start(place, &streams, spawner) {
                Ok(process) => self.supervise(&process, streams),
                Err(ending) => {
                    let outputs = streams.finish(self.attempt.tail.close());
                    self.result(ending, Usage::default(), outputs)
                }
            },
            Err(error) => {
                not_started(Ending::NotStarted(125, format!("cannot make a pipe: {error}")))
            }
        }
    }

    /// Makes the process.
    fn start(
        self,
        place: &Place,
        streams: &Streams,
        spawner: &mut Spawner,
    ) -> Result<Process, Ending> {
        let refuse = |text| Ending::NotStarted(125, text);
        let job = &self.attempt.job;
        let environment = JobEnvironment::new(&place.environment, job.attempt, &job.name);
        let environment = environment.map_err(refuse)?;
        let [stdout, stderr] = streams.writers(&self.shared.null);
        let beginning = Beginning {
            environment: environment.pointers(),
            directory: &place.directory,
            stdout,
            stderr,
            open_files: self.shared.open_files,
        };
        let (program, fallback) = programs(&job.command, place).map_err(refuse)?;
        let noted = self.shared.journal.note(self.attempt.id());
        noted.map_err(|error| refuse(format!("cannot note that it begins: {error}")))?;
        let result = match (spawner.spawn(&program, &beginning), &fallback) {
            (Err(error), Some(fallback)) if is_not_found(&error) => {
                spawner.spawn(fallback, &beginning)
            }
            (result, _) => result,
        };
        result.map_err(|error| describe(&error, &program, place))
    }

    /// Leads the process to its end.
    fn supervise(self, process: &Process, mut streams: Streams) -> AttemptResult {
        let Self { shared, attempt, begun } = self;
        attempt.set_running(process.pid);
        let pid = process.pid.as_raw().cast_unsigned();
        shared.hold(WorkerEvent::Started { attempt: attempt.id(), pid, at: begun.at });
        if let Some(at) = attempt.lane.timeout.and_then(|timeout| begun.clock.checked_add(timeout))
        {
            shared.schedule(at, attempt.id(), Due::Timeout);
        }
        let mut failure = self.wait_for_end(process, &mut streams).err();
        let wall = Span::from(begun.clock.elapsed());
        attempt.kill();
        if shared.strays.end(attempt.id(), process.pid) {
            shared.wake.wake();
        }
        attempt.release();
        let (ending, usage) = match kernel::reap(process.pid) {
            Ok((ending, usage)) => (ending, Usage { wall, ..usage }),
            Err(error) => {
                (Ending::Lost(format!("cannot learn how it ended: {error}")), Usage::default())
            }
        };
        if let Err(error) = streams.drain(attempt, &shared.outbox) {
            failure.get_or_insert(error);
        }
        let outputs = streams.finish(attempt.tail.close());
        let ending = match failure {
            Some(error) => Ending::Lost(format!("cannot follow it: {error}")),
            None => ending,
        };
        self.result(ending, usage, outputs)
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

    fn result(self, ending: Ending, usage: Usage, [stdout, stderr]: [Output; 2]) -> AttemptResult {
        AttemptResult {
            ending,
            stopped: self.attempt.stopped(),
            started_at: self.begun.at,
            finished_at: Timestamp::now(),
            usage,
            stdout,
            stderr,
        }
    }
}

/// Returns what to execute, and what instead when that is not found: with a `BASH_ENV`, a shell may
/// know the command as a function.
fn programs(command: &Command, place: &Place) -> Result<(Program, Option<Program>), String> {
    let environment = &place.environment;
    let line = match command {
        Command::Argv(words) => return Ok((direct(words, place)?, None)),
        Command::Line(line) => line,
    };
    match command_line::plan(line, |name| environment.has_function(name)) {
        Plan::Shell => Ok((shell(line, place)?, None)),
        Plan::Direct(words) if environment.has_bash_env => {
            Ok((direct(&words, place)?, Some(shell(line, place)?)))
        }
        Plan::Direct(words) => Ok((direct(&words, place)?, None)),
    }
}

fn direct(words: &[String], place: &Place) -> Result<Program, String> {
    let name = words.first().filter(|name| !name.is_empty()).ok_or("the command is empty")?;
    let candidates = place.environment.candidates(name.as_bytes());
    let c_strings = |strings: Vec<Vec<u8>>| -> Result<Vec<CString>, String> {
        strings.into_iter().map(|string| c_string(string, "the command")).collect()
    };
    Ok(Program {
        candidates: c_strings(candidates)?,
        arguments: c_strings(words.iter().map(|word| word.clone().into_bytes()).collect())?,
    })
}

fn shell(line: &str, place: &Place) -> Result<Program, String> {
    let shell = place.environment.shell();
    let name = shell.file_name().unwrap_or(shell.as_os_str()).as_bytes();
    let line = c_string(line.as_bytes().to_vec(), "the command")?;
    Ok(Program {
        candidates: vec![c_string(shell.as_os_str().as_bytes().to_vec(), "the path of the shell")?],
        arguments: vec![c_string(name.to_vec(), "the name of the shell")?, c"-c".to_owned(), line],
    })
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
