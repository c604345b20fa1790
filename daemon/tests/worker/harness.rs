//! A worker to talk to: the real binary on a socketpair.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command as Program, ExitStatus, Stdio};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio_util::codec::Decoder;
use torc_protocol::codec::{self, Codec};
use torc_protocol::hello::Hello;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::resources::NodeResources;
use torc_protocol::result::{AttemptResult, LogPart, Output, StopCause};
use torc_protocol::spec::{Command, Environment, JobContext, JobSettings, StdioMode};
use torc_protocol::time::Span;
use torc_protocol::worker::{StartExtra, StartJob, WorkerEvent, WorkerRequest};

/// How long an event may take on a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(30);

/// The workflow of all jobs here.
pub(crate) const WORKFLOW: WorkflowId = WorkflowId(3);

/// The lane that [`Worker::start`] uses.
pub(crate) const LANE: u32 = 1;

/// A worker, and the end of its connection that torcd has.
pub(crate) struct Worker {
    /// What was started. The worker itself is a child of it.
    guard: Child,
    pid: u32,
    stream: Option<UnixStream>,
    codec: Codec<WorkerEvent, ()>,
    buffer: BytesMut,
    /// Events that came while another was waited for.
    passed: Vec<WorkerEvent>,
    /// What it said about its node.
    pub(crate) resources: NodeResources,
    /// The working and output directory of its jobs.
    pub(crate) directory: TempDir,
}

impl Worker {
    /// Starts one, greets it, and opens a lane of `width` with `settings`.
    pub(crate) fn new(width: u32, settings: JobSettings) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(LIMIT)).unwrap();
        let end = || Stdio::from(OwnedFd::from(theirs.try_clone().unwrap()));
        let guard = Program::new(env!("CARGO_BIN_EXE_torcd"))
            .arg("worker")
            .stdin(end())
            .stdout(end())
            .spawn()
            .unwrap();
        let mut worker = Self {
            guard,
            pid: 0,
            stream: Some(ours),
            codec: Codec::default(),
            buffer: BytesMut::new(),
            passed: Vec::new(),
            resources: NodeResources::default(),
            directory: tempfile::tempdir().unwrap(),
        };
        drop(theirs);
        worker.greet();
        (worker.resources, worker.pid) = worker.wait_for(|event| match event {
            WorkerEvent::Ready { resources, pid } => Some((resources.clone(), *pid)),
            _ => None,
        });
        worker.set_environment(b"PATH=/usr/local/bin:/usr/bin:/bin\0");
        worker.lane(width, settings);
        worker
    }

    /// Starts one with a lane of one and the default settings.
    pub(crate) fn plain() -> Self {
        Self::new(1, JobSettings::default())
    }

    /// Starts one with a lane of one in this mode.
    pub(crate) fn with_stdio(stdio: StdioMode) -> Self {
        Self::new(1, JobSettings { stdio, ..JobSettings::default() })
    }

    fn stream(&mut self) -> &mut UnixStream {
        self.stream.as_mut().unwrap()
    }

    fn greet(&mut self) {
        let ours = Hello::ours();
        self.stream().write_all(&ours.encode()).unwrap();
        let mut theirs = vec![0; ours.encode().len()];
        self.stream().read_exact(&mut theirs).unwrap();
        assert_eq!(theirs, ours.encode());
    }

    pub(crate) fn send(&mut self, request: WorkerRequest) {
        let frame = codec::frame(request).unwrap();
        self.stream().write_all(&frame).unwrap();
    }

    pub(crate) fn set_environment(&mut self, environment: &'static [u8]) {
        let path = self.path();
        let environment = Environment(Bytes::from_static(environment));
        let context = JobContext { environment, working_dir: path.clone(), output_dir: path };
        self.send(WorkerRequest::Context {
            workflow: WORKFLOW,
            context,
            socket: "/sock".to_owned(),
        });
    }

    pub(crate) fn lane(&mut self, width: u32, settings: JobSettings) {
        self.send(WorkerRequest::Lane { lane: LANE, width, workflow: WORKFLOW, settings });
    }

    pub(crate) fn path(&self) -> String {
        self.directory.path().to_str().unwrap().to_owned()
    }

    /// Queues a job.
    pub(crate) fn start(&mut self, job: u64, command: Command) {
        self.send(WorkerRequest::Start { lane: LANE, jobs: vec![start_job(job, command)] });
    }

    /// Queues a job that has more than others.
    pub(crate) fn start_extra(&mut self, job: u64, command: Command, extra: StartExtra) {
        let job = StartJob { extra: Some(Box::new(extra)), ..start_job(job, command) };
        self.send(WorkerRequest::Start { lane: LANE, jobs: vec![job] });
    }

    pub(crate) fn start_line(&mut self, job: u64, line: &str) {
        self.start(job, Command::Line(line.to_owned()));
    }

    /// Runs a command line as job 1, and returns its result.
    pub(crate) fn run(&mut self, line: &str) -> AttemptResult {
        self.start_line(1, line);
        self.finished(1)
    }

    /// Runs a command line as job 1 with more than others have, and returns its result.
    pub(crate) fn run_extra(&mut self, line: &str, extra: StartExtra) -> AttemptResult {
        self.start_extra(1, Command::Line(line.to_owned()), extra);
        self.finished(1)
    }

    pub(crate) fn stop(&mut self, job: u64, cause: StopCause, grace: Option<Span>) {
        self.send(WorkerRequest::Stop { attempts: vec![attempt(job)], cause, grace });
    }

    pub(crate) fn tail(&mut self, id: u64, job: u64, offset: u64, wait: bool) {
        self.send(WorkerRequest::Tail {
            id,
            attempt: attempt(job),
            stdout_offset: offset,
            stderr_offset: 0,
            limit: 1000,
            wait,
        });
    }

    /// Waits until a job has a process, and returns its id.
    pub(crate) fn started(&mut self, job: u64) -> u32 {
        self.wait_for(|event| match event {
            WorkerEvent::Started { attempt: id, pid, .. } if *id == attempt(job) => Some(*pid),
            _ => None,
        })
    }

    pub(crate) fn finished(&mut self, job: u64) -> AttemptResult {
        self.wait_for(|event| match event {
            WorkerEvent::Finished { attempt: id, result } if *id == attempt(job) => {
                Some(result.clone())
            }
            _ => None,
        })
    }

    pub(crate) fn tailed(&mut self, id: u64) -> Option<(LogPart, LogPart)> {
        self.wait_for(|event| match event {
            WorkerEvent::Tailed { id: of, parts } if *of == id => Some(parts.clone()),
            _ => None,
        })
    }

    /// Asks for the output of a running job until its stdout holds `text`; `id` is used up to
    /// `id + 1000`.
    pub(crate) fn wait_for_output(&mut self, id: u64, job: u64, text: &str) {
        let mut seen = Vec::new();
        for id in id..id + 1000 {
            self.tail(id, job, seen.len() as u64, true);
            let Some((LogPart::Bytes(bytes), _)) = self.tailed(id) else {
                panic!("job {job} ended or has no output in memory");
            };
            seen.extend_from_slice(&bytes);
            if String::from_utf8_lossy(&seen).contains(text) {
                return;
            }
        }
        panic!("{text:?} is not in {:?}", String::from_utf8_lossy(&seen));
    }

    /// Returns the first event from which `wanted` makes something; keeps the others for later.
    pub(crate) fn wait_for<T>(&mut self, wanted: impl Fn(&WorkerEvent) -> Option<T>) -> T {
        if let Some(at) = self.passed.iter().position(|event| wanted(event).is_some()) {
            return wanted(&self.passed.remove(at)).unwrap();
        }
        loop {
            let event = self.event().expect("the worker ended, and an event was waited for");
            match wanted(&event) {
                Some(found) => return found,
                None => self.passed.push(event),
            }
        }
    }

    /// Returns the next event, or none when the worker has closed the connection.
    pub(crate) fn event(&mut self) -> Option<WorkerEvent> {
        loop {
            if let Some(event) = self.codec.decode(&mut self.buffer).unwrap() {
                return Some(event);
            }
            let mut bytes = [0; 65536];
            match self.stream().read(&mut bytes).expect("no event came in time") {
                0 => return None,
                length => self.buffer.extend_from_slice(&bytes[..length]),
            }
        }
    }

    /// Returns all events that are left once the worker has drained.
    pub(crate) fn drain(&mut self, grace: Span) -> Vec<WorkerEvent> {
        self.send(WorkerRequest::Drain { grace });
        let mut events = std::mem::take(&mut self.passed);
        while let Some(event) = self.event() {
            events.push(event);
        }
        events
    }

    /// Closes the connection, as the end of torcd does.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    /// Returns the connection, to write what is no request.
    pub(crate) fn raw(&mut self) -> &mut UnixStream {
        self.stream()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn guard(&self) -> u32 {
        self.guard.id()
    }

    /// Waits for the end of the guard, which comes after that of the worker, and returns how it ended.
    pub(crate) fn exit_status(&mut self) -> ExitStatus {
        self.guard.wait().unwrap()
    }

    /// Kills the worker; its guard lives on.
    pub(crate) fn kill(&mut self) {
        kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGKILL).unwrap();
    }

    pub(crate) fn kill_guard(&mut self) {
        self.guard.kill().unwrap();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Closing the connection ends it and its jobs.
        self.stream = None;
        if std::thread::panicking() {
            let _ = self.guard.kill();
        }
        let _ = self.guard.wait();
    }
}

pub(crate) fn attempt(job: u64) -> AttemptId {
    AttemptId { job: JobId(job), number: AttemptNumber(1) }
}

/// Returns a job that has nothing but a command.
pub(crate) fn start_job(job: u64, command: Command) -> StartJob {
    StartJob { attempt: attempt(job), name: format!("job{job}"), command, extra: None }
}

/// Returns what was captured, as text.
pub(crate) fn text(output: &Output) -> String {
    match output {
        Output::Inline(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Output::None => String::new(),
        Output::File { .. } => panic!("it is in a file: {output:?}"),
    }
}

/// Returns whether a process is there and has not ended.
pub(crate) fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
