//! Scripts: inputs in; what the worker is sent, what is recorded, told and answered out.
//!
//! The store is a real one, the worker is a fake: its requests are read, its events are made up.

mod attempts;
mod broken;
mod copying;
mod ending;
mod holding;
mod hooks;
mod jobs;
mod removing;
mod restarting;
mod restoring;
mod submitting;
mod watching;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use torc_protocol::event::{Event, EventKind};
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::{Cancel, JobSelector, WorkflowSelector};
use torc_protocol::resources::NodeResources;
use torc_protocol::response::{ErrorCode, RequestError};
use torc_protocol::result::{AttemptResult, Ending, Output, StopCause, Usage};
use torc_protocol::spec::{
    Command, Environment, JobContext, JobSettings, JobSpec, RetryRule, RunOptions, WorkflowSpec,
};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{JobView, ResultView, WorkflowView};
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

use super::input::{Begun, Input, Reply};
use super::{Dispatcher, Parts};
use crate::event_bus::Subscription;
use crate::nodes::{LocalNode, Node, NodeEvent};
use crate::store::home::Home;
use crate::store::moving::Mover;
use crate::store::private_dir::Purpose;
use crate::store::query::results;
use crate::store::residence::Residence;
use crate::store::tables::{job, workflow};
use crate::store::writer::Writer;

type Answer<T> = oneshot::Receiver<Result<T, RequestError>>;

struct DispatcherTest {
    dispatcher: Dispatcher,
    requests: UnboundedReceiver<WorkerRequest>,
    /// The requests of workers that were started later.
    later: Receiver<UnboundedReceiver<WorkerRequest>>,
    /// How often a snapshot was asked for.
    saves: Arc<AtomicUsize>,
    dir: TempDir,
}

impl DispatcherTest {
    /// A dispatcher on SQLite's own memory whose worker has so many CPUs.
    fn cpus(cpus: u32) -> Self {
        let mut test = Self::without_worker(&Home::Memory);
        test.worker_is_ready(cpus);
        test
    }

    fn without_worker(home: &Home) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (node, requests) = Node::fake();
        let (started, later) = channel();
        let store = Writer::open(home, None).unwrap();
        let residence = Residence::open(home, dir.path()).unwrap();
        let purpose = Purpose { target: dir.path().join("snapshot.db"), private: true };
        let saves = Arc::new(AtomicUsize::new(0));
        let counted = saves.clone();
        let parts = Parts {
            store,
            node: LocalNode::new(node),
            start_worker: Box::new(move || {
                let (node, requests) = Node::fake();
                started.send(requests).map_err(std::io::Error::other)?;
                Ok(node)
            }),
            journal: dir.path().join("begun"),
            host: "here".to_owned(),
            socket: "/run/torcd.sock".to_owned(),
            mover: Mover::new(home, residence, purpose),
            changed: std::sync::Arc::default(),
            save: Box::new(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            }),
        };
        Self { dispatcher: Dispatcher::new(parts), requests, later, saves, dir }
    }

    /// Lets inputs come in together.
    fn turn(&mut self, inputs: impl IntoIterator<Item = Input>) {
        inputs.into_iter().for_each(|input| self.dispatcher.apply(input));
        self.dispatcher.finish_turn();
    }

    /// Lets one input come in, and returns its answer.
    fn ask<T>(&mut self, input: impl FnOnce(Reply<T>) -> Input) -> Result<T, RequestError> {
        let (input, mut answer) = asked(input);
        self.turn([input]);
        answer.try_recv().expect("an answer in the turn that asks")
    }

    fn worker_is_ready(&mut self, cpus: u32) {
        let resources = NodeResources { host: "here".to_owned(), cpus, ..Default::default() };
        self.turn([event(WorkerEvent::Ready { resources, pid: 1 })]);
    }

    fn worker_dies(&mut self) {
        self.turn([Input::Node(NodeEvent::Gone { reason: "the worker was killed".to_owned() })]);
    }

    /// Listens to the worker that was started after the present one.
    fn next_worker(&mut self) {
        self.requests = self.later.try_recv().expect("another worker");
    }

    fn begin(&mut self, spec: WorkflowSpec) -> Result<WorkflowId, RequestError> {
        match self.begin_as(None, spec)? {
            Begun::Draft(id) => Ok(id),
            Begun::Existing(id) => panic!("workflow {id} has no key"),
        }
    }

    fn begin_as(&mut self, key: Option<&str>, spec: WorkflowSpec) -> Result<Begun, RequestError> {
        let key = key.map(str::to_owned);
        self.ask(|reply| Input::Begin { spec: Box::new(spec), key, reply })
    }

    fn add(&mut self, draft: WorkflowId, jobs: Vec<JobSpec>) -> Result<(), RequestError> {
        self.ask(|reply| Input::AddJobs { draft, jobs, reply })
    }

    /// Submits a workflow and watches it.
    fn submit(&mut self, spec: WorkflowSpec, jobs: Vec<JobSpec>) -> (WorkflowId, Subscription) {
        let draft = self.begin(spec).unwrap();
        self.add(draft, jobs).unwrap();
        let watch = true;
        let (submitted, live) = self.ask(|reply| Input::Commit { draft, watch, reply }).unwrap();
        assert_eq!(submitted.workflow_id, draft);
        (draft, live.unwrap())
    }

    fn cancel(&mut self, workflow: WorkflowId, jobs: &[&str]) -> Result<(u64, u64), RequestError> {
        let workflow = WorkflowSelector::Id(workflow);
        let jobs = jobs.iter().map(|job| JobSelector::Name(workflow.clone(), (*job).to_owned()));
        let request = Cancel { workflow: workflow.clone(), jobs: jobs.collect(), grace: None };
        let canceled = self.ask(|reply| Input::Cancel { request, reply })?;
        Ok((canceled.canceled, canceled.stopping))
    }

    /// Returns what the worker was sent since the last look, as words.
    fn sent(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.requests.try_recv().ok()).map(|r| words(&r)).collect()
    }

    fn workflow(&self, id: WorkflowId) -> Option<WorkflowView> {
        let selector = WorkflowSelector::Id(id);
        workflow::find(self.dispatcher.store.reading(), &selector).unwrap()
    }

    fn job(&self, id: u64) -> JobView {
        job::by_id(self.dispatcher.store.reading(), JobId(id)).unwrap().unwrap()
    }

    /// Returns a job as `status attempts`.
    fn stands(&self, id: u64) -> String {
        let job = self.job(id);
        format!("{} {}", job.status, job.attempts)
    }

    fn results(&self, id: u64) -> Vec<ResultView> {
        results::of_job(self.dispatcher.store.reading(), JobId(id)).unwrap()
    }

    /// Looks whether what the engine, the worker's side and the counts of the database say agree.
    fn check_counts(&self, id: WorkflowId) {
        let mut counts = self.workflow(id).unwrap().jobs;
        let states = job::states(self.dispatcher.store.reading(), id).unwrap();
        assert_eq!(counts.total, states.len() as u64);
        for job in states {
            let count = counts.of(job.status);
            *count = count.checked_sub(1).expect("no more jobs in a state than are counted");
        }
    }
}

fn asked<T>(input: impl FnOnce(Reply<T>) -> Input) -> (Input, Answer<T>) {
    let (reply, answer) = oneshot::channel();
    (input(reply), answer)
}

fn event(event: WorkerEvent) -> Input {
    Input::Node(NodeEvent::Message(event))
}

fn attempt(job: u64, number: u32) -> AttemptId {
    AttemptId { job: JobId(job), number: AttemptNumber(number) }
}

fn started(job: u64, number: u32) -> Input {
    let attempt = attempt(job, number);
    event(WorkerEvent::Started { attempt, pid: 100 + job as u32, at: Timestamp(1_000) })
}

fn ended(job: u64, number: u32, ending: Ending, stopped: Option<StopCause>) -> Input {
    let result = AttemptResult {
        stopped,
        started_at: Timestamp(1_000),
        usage: Usage { wall: Span(1_000), ..Usage::default() },
        stdout: Output::Inline(format!("out of {job}").into()),
        ..AttemptResult::bare(ending, Timestamp(2_000))
    };
    event(WorkerEvent::Finished { attempt: attempt(job, number), result })
}

fn exits(job: u64, number: u32, code: i32) -> Input {
    ended(job, number, Ending::Exited(code), None)
}

fn withdrawn(job: u64, number: u32, cause: StopCause) -> Input {
    ended(job, number, Ending::Withdrawn, Some(cause))
}

fn spec() -> WorkflowSpec {
    WorkflowSpec {
        name: "w".to_owned(),
        context: JobContext {
            environment: Environment("A=1\0".into()),
            working_dir: "/".to_owned(),
            output_dir: "/out".to_owned(),
        },
        settings: vec![JobSettings::default()],
        ..WorkflowSpec::default()
    }
}

fn with_retries(retries: u32, retry_delay: Span) -> WorkflowSpec {
    let settings = JobSettings { retry: any(retries), retry_delay, ..JobSettings::default() };
    WorkflowSpec { settings: vec![settings], ..spec() }
}

/// The rule that tries everything again, so often.
fn any(max_retries: u32) -> Vec<RetryRule> {
    vec![RetryRule { any: true, max_retries, ..RetryRule::default() }]
}

fn with_limit(limit: u32, spec: WorkflowSpec) -> WorkflowSpec {
    let options = RunOptions { max_parallel_jobs: Some(limit), ..RunOptions::default() };
    WorkflowSpec { options, ..spec }
}

fn line(name: &str, line: &str) -> JobSpec {
    let command = Command::Line(line.to_owned());
    JobSpec { name: name.to_owned(), command, ..JobSpec::default() }
}

fn jobs(names: &[&str]) -> Vec<JobSpec> {
    names.iter().map(|name| line(name, "true")).collect()
}

fn words(request: &WorkerRequest) -> String {
    match request {
        WorkerRequest::Context { workflow, .. } => format!("context {workflow}"),
        WorkerRequest::Forget { workflow } => format!("forget {workflow}"),
        WorkerRequest::Lane { lane, width, .. } => format!("lane {lane} width {width}"),
        WorkerRequest::Start { lane, jobs } => {
            let jobs: Vec<_> = jobs.iter().map(|job| job.attempt.to_string()).collect();
            format!("start in {lane}: {}", jobs.join(" "))
        }
        WorkerRequest::Stop { attempts, cause, .. } if attempts.is_empty() => {
            format!("stop all: {cause:?}").to_lowercase()
        }
        WorkerRequest::Stop { attempts, cause, .. } => {
            let attempts: Vec<_> = attempts.iter().map(ToString::to_string).collect();
            format!("stop {}: {cause:?}", attempts.join(" ")).to_lowercase()
        }
        WorkerRequest::Withdraw { attempts, .. } => {
            let attempts: Vec<_> = attempts.iter().map(ToString::to_string).collect();
            format!("withdraw {}", attempts.join(" "))
        }
        WorkerRequest::Tail { .. } => "tail".to_owned(),
        WorkerRequest::Drain { .. } => "drain".to_owned(),
    }
}

/// Returns the events that have come, as words.
fn told(live: &mut Subscription) -> Vec<String> {
    let batches = std::iter::from_fn(|| live.try_recv().ok());
    batches.flat_map(|batch| batch.iter().map(event_words).collect::<Vec<_>>()).collect()
}

fn event_words(event: &Event) -> String {
    match &event.kind {
        EventKind::WorkflowSubmitted { jobs, .. } => format!("submitted {jobs}"),
        EventKind::JobStarted { job_id, attempt, .. } => format!("started {job_id}.{attempt}"),
        EventKind::JobFinished { job_id, attempt, status, .. } => {
            format!("finished {job_id}.{attempt}: {status}")
        }
        EventKind::JobsCanceled { count } => format!("canceled {count}"),
        EventKind::WorkflowRestarted { jobs, .. } => format!("restarted {jobs}"),
        EventKind::ActionFinished { name, status, .. } => format!("{name}: {status}"),
        EventKind::WorkflowFinished { status, .. } => format!("workflow {status}"),
    }
}

fn code<T>(answer: Result<T, RequestError>) -> ErrorCode {
    answer.err().expect("a refusal").code
}
