//! Handlers against a client on a socket, a dispatcher on a thread, and a fake worker.

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use futures_util::FutureExt;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use torc_protocol::connection::ClientSide;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId};
use torc_protocol::request::{
    GetJob, JobSelector, ListJobs, Logs, Ping, Request, Snapshot, SnapshotWait, Submit,
    SubmitCommit, SubmitJobs,
};
use torc_protocol::resources::NodeResources;
use torc_protocol::response::{SubmitAccepted, WatchItem};
use torc_protocol::result::{AttemptResult, Ending};
use torc_protocol::spec::{Command, Environment, JobContext, JobSettings, JobSpec, WorkflowSpec};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::view::{JobView, SnapshotStatusView};
use torc_protocol::worker::{WorkerEvent, WorkerRequest};

use super::*;
use crate::config::Pace;
use crate::dispatcher::{Dispatcher, Parts};
use crate::lines::Lines;
use crate::nodes::{Node, NodeEvent};
use crate::seats::{Limits, Seat, Seats};
use crate::session;
use crate::snapshot::snapshotter::{self, Snapshotter};
use crate::snapshot::source::Source;
use crate::store::home::Home;
use crate::store::moving::Mover;
use crate::store::private_dir::Purpose;
use crate::store::tables::snapshot::Author;
use crate::store::writer::Writer;

mod clients;

/// Far longer than anything here takes that comes to an end.
const LIMIT: Duration = Duration::from_secs(20);

struct Daemon {
    handlers: std::sync::Arc<Handlers>,
    requests: UnboundedReceiver<WorkerRequest>,
    seats: Seats,
    _inputs: Sender<Input>,
    _snapshotter: Snapshotter,
    _dir: TempDir,
}

impl Daemon {
    /// A daemon whose worker has one CPU, and whose snapshotter never gets to anything.
    fn start() -> Self {
        Self::with(Limits::new(64), None)
    }

    /// The same with these limits, whose snapshots are as `status` says.
    fn with(limits: Limits, status: Option<watch::Receiver<SnapshotStatusView>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::File(dir.path().join("torc.db"));
        let (node, requests) = Node::fake();
        let node = LocalNode::new(node);
        let (inputs, receiver) = channel();
        let store = Writer::open(&home, None).unwrap();
        let residence = Residence::open(&home, dir.path()).unwrap();
        let purpose = Purpose { target: dir.path().join("snapshot.db"), private: true };
        let parts = Parts {
            store,
            node: node.clone(),
            start_worker: Box::new(|| Err(std::io::Error::other("there is no other"))),
            journal: dir.path().join("begun"),
            host: "here".to_owned(),
            socket: String::new(),
            mover: Mover::new(&home, residence.clone(), purpose),
            changed: std::sync::Arc::default(),
            save: Box::new(|| {}),
        };
        std::thread::spawn(move || Dispatcher::new(parts).run(&receiver));
        let handle = DispatcherHandle::new(inputs.clone());
        let word = String::new;
        let (snapshotter, snapshots) = Snapshotter::new(snapshotter::Parts {
            dispatcher: handle.clone(),
            source: Source::resident(residence.clone()),
            author: Author { instance: word(), host: word(), boot_id: word(), pid: 1 },
            last: None,
            target: dir.path().join("snapshot.db"),
            database: residence.clone(),
            pace: watch::channel(Pace { keep: 1, interval: None }).1,
            stdout: Lines::to(std::io::sink(), "nowhere").unwrap(),
        });
        let snapshots = status.map_or(snapshots, SnapshotHandle::fake);
        let identity = Identity {
            socket: PathBuf::new(),
            in_memory: false,
            host: word(),
            started_at: Timestamp(0),
            log: word(),
            unit: None,
        };
        let writing = Some(Writing { dispatcher: handle, node, snapshots });
        let (shutdown, _) = unbounded_channel();
        let handlers = Handlers { writing, residence, shutdown, identity }.into();
        let seats = Seats::new(limits);
        let daemon = Self {
            handlers,
            requests,
            seats,
            _inputs: inputs,
            _snapshotter: snapshotter,
            _dir: dir,
        };
        let resources = NodeResources { cpus: 1, ..NodeResources::default() };
        daemon.worker_says(WorkerEvent::Ready { resources, pid: 1 });
        daemon
    }

    fn worker_says(&self, event: WorkerEvent) {
        let dispatcher = &self.handlers.writing.as_ref().unwrap().dispatcher;
        dispatcher.send(Input::Node(NodeEvent::Message(event)));
    }

    /// Connects; the task ends when the session does.
    async fn connect(&self) -> (ClientSide<UnixStream>, tokio::task::JoinHandle<()>) {
        let (ours, session) = self.raw().await;
        (ClientSide::open(ours).await.unwrap(), session)
    }

    /// Connects, and does not say hello.
    async fn raw(&self) -> (UnixStream, tokio::task::JoinHandle<()>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let handlers = self.handlers.clone();
        let seat = timeout(LIMIT, self.seats.take()).await.expect("a seat").expect("a free one");
        let session = tokio::spawn(async move {
            session::run(theirs, seat, &handlers, CancellationToken::new()).await;
        });
        (ours, session)
    }

    /// Submits jobs that run `command`, and waits until the worker is given the first.
    async fn submit(&mut self, count: usize, command: &str) {
        let (mut client, _) = self.connect().await;
        ask(&mut client, Submit { spec: empty_spec(), key: None }).await;
        for number in 0..count {
            let (name, command) = (number.to_string(), Command::Line(command.to_owned()));
            let job = JobSpec { name, command, ..JobSpec::default() };
            ask(&mut client, SubmitJobs { jobs: vec![job] }).await;
        }
        let submitted = ask(&mut client, SubmitCommit { watch: false }).await;
        assert!(matches!(submitted, Response::Submitted(_)), "{submitted:?}");
        self.until(|request| matches!(request, WorkerRequest::Start { .. })).await;
    }

    /// Waits until the worker is sent such a request.
    async fn until(&mut self, is_it: impl Fn(&WorkerRequest) -> bool) {
        let found = async { while !is_it(&self.requests.recv().await.unwrap()) {} };
        timeout(LIMIT, found).await.expect("the worker is asked");
    }

    fn job_ends(&self, job: u64) {
        let attempt = AttemptId { job: JobId(job), number: AttemptNumber(1) };
        let result = AttemptResult::bare(Ending::Exited(0), Timestamp(2));
        self.worker_says(WorkerEvent::Finished { attempt, result });
    }
}

async fn seat() -> Seat {
    Seats::new(Limits::new(1)).take().await.unwrap()
}

fn empty_spec() -> WorkflowSpec {
    WorkflowSpec {
        name: "w".to_owned(),
        context: JobContext {
            environment: Environment::default(),
            working_dir: "/".to_owned(),
            output_dir: "/".to_owned(),
        },
        settings: vec![JobSettings::default()],
        ..WorkflowSpec::default()
    }
}

async fn receive(client: &mut ClientSide<UnixStream>) -> Response {
    timeout(LIMIT, client.receive()).await.expect("a reply").unwrap().expect("a connection")
}

async fn ask(client: &mut ClientSide<UnixStream>, request: impl Into<Request>) -> Response {
    client.send(request.into()).await.unwrap();
    receive(client).await
}

fn logs(job: u64) -> Logs {
    let job = JobSelector::Id(JobId(job));
    let (stdout_offset, stderr_offset) = (u64::MAX, u64::MAX);
    Logs { job, attempt: None, stdout_offset, stderr_offset, limit: u32::MAX, wait: true }
}

#[tokio::test]
async fn long_commands_are_listed_in_frames_that_hold_them() {
    let mut daemon = Daemon::start();
    daemon.submit(20, &"x".repeat(1_100_000)).await;
    let (mut client, _) = daemon.connect().await;
    client.send(ListJobs::default().into()).await.unwrap();
    let mut listed = Vec::new();
    loop {
        match receive(&mut client).await {
            Response::Jobs(jobs) => listed.extend(jobs.into_iter().map(|job| job.id.0)),
            Response::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(listed, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_reply_that_fits_into_no_frame_is_an_error_and_the_session_goes_on() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (client, other) = tokio::join!(Client::greet(theirs, seat().await), ClientSide::open(ours));
    let (mut client, mut other) = (client.unwrap(), other.unwrap());
    let name = "x".repeat(torc_protocol::codec::MAX_FRAME);
    let error = RequestError::new(ErrorCode::NotFound, name);
    let failure = Failure::from(client.send(error).await.unwrap_err());
    assert!(matches!(failure, Failure::Refused(_)), "{failure:?}");
    client.send(Pong).await.unwrap();
    assert_eq!(receive(&mut other).await, Response::Pong(Pong));
}

#[tokio::test]
async fn logs_do_not_wait_for_what_has_happened_before_they_watch() {
    let mut daemon = Daemon::start();
    daemon.submit(3, "true").await;
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (client, _other) =
        tokio::join!(Client::greet(theirs, seat().await), ClientSide::open(ours));
    let mut client = client.unwrap();
    let job = daemon.handlers.job(JobSelector::Id(JobId(1))).await.unwrap();
    daemon.job_ends(1);
    // What was read of the job is out of date by now, and no event of it will follow.
    let stale = JobView { status: JobStatus::Ready, attempts: 0, ..job };
    let waiting = super::logs::wait_for_start(&daemon.handlers, &stale, &mut client);
    timeout(LIMIT, waiting).await.expect("it does not wait").unwrap();
}

#[tokio::test]
async fn a_session_ends_when_its_client_goes_while_it_waits_for_output() {
    let mut daemon = Daemon::start();
    daemon.submit(1, "true").await;
    let (mut client, session) = daemon.connect().await;
    client.send(logs(1).into()).await.unwrap();
    daemon.until(|request| matches!(request, WorkerRequest::Tail { .. })).await;
    drop(client);
    timeout(LIMIT, session).await.expect("the session ends").unwrap();
}

#[tokio::test]
async fn output_beyond_all_offsets_is_empty_and_the_stream_has_ended() {
    let mut daemon = Daemon::start();
    daemon.submit(1, "true").await;
    daemon.job_ends(1);
    let (mut client, _) = daemon.connect().await;
    // Answered after what came before is recorded.
    assert!(matches!(ask(&mut client, torc_protocol::request::Status).await, Response::Status(_)));
    match ask(&mut client, logs(1)).await {
        Response::Logs(chunk) => assert!(chunk.ended && chunk.status == JobStatus::Completed),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_session_ends_when_its_client_goes_while_it_waits_for_a_snapshot() {
    let daemon = Daemon::start();
    let (mut client, session) = daemon.connect().await;
    client.send(Snapshot { wait: SnapshotWait::Forever, path: None }.into()).await.unwrap();
    drop(client);
    timeout(LIMIT, session).await.expect("the session ends").unwrap();
}

#[tokio::test]
async fn a_snapshot_is_waited_for_no_longer_than_asked() {
    let daemon = Daemon::start();
    let (mut client, _) = daemon.connect().await;
    let wait = SnapshotWait::AtMost(torc_protocol::time::Span(1_000));
    let reply = ask(&mut client, Snapshot { wait, path: None }).await;
    let expected = torc_protocol::response::SnapshotProgress::TimedOut(
        torc_protocol::view::SnapshotPhase::Waiting,
    );
    assert_eq!(reply, Response::Snapshot(expected));
    assert_eq!(receive(&mut client).await, Response::End);
    assert_eq!(ask(&mut client, Ping).await, Response::Pong(Pong));
}

#[tokio::test]
async fn a_number_that_no_job_can_have_is_not_found() {
    let daemon = Daemon::start();
    let (mut client, _) = daemon.connect().await;
    let reply = ask(&mut client, GetJob { job: JobSelector::Id(JobId(u64::MAX)) }).await;
    match reply {
        Response::Error(error) => assert_eq!(error.code, ErrorCode::NotFound),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_question_for_output_that_nobody_waits_for_is_forgotten() {
    let (node, mut requests) = Node::fake();
    let attempt = AttemptId { job: JobId(1), number: AttemptNumber(1) };
    let (stdout_offset, stderr_offset) = (0, 0);
    let request =
        crate::nodes::TailRequest { attempt, stdout_offset, stderr_offset, limit: 1, wait: true };
    assert!(node.tail(request).now_or_never().is_none());
    assert!(requests.try_recv().is_ok());
    assert_eq!(node.waiting_for_output(), 0);
    drop(requests);
    assert_eq!(node.tail(request).await, None);
}

#[tokio::test]
async fn who_submits_with_a_key_a_second_time_is_shown_the_first() {
    let daemon = Daemon::start();
    let (mut first, _) = daemon.connect().await;
    let (mut second, _) = daemon.connect().await;
    let submit = || Submit { spec: empty_spec(), key: Some("k".to_owned()) };
    for client in [&mut first, &mut second] {
        let begun = ask(client, submit()).await;
        assert_eq!(begun, Response::SubmitAccepted(SubmitAccepted { existing: None }));
    }
    let reply = ask(&mut first, SubmitCommit { watch: false }).await;
    assert!(matches!(&reply, Response::Submitted(first) if !first.existed), "{reply:?}");
    match ask(&mut second, SubmitCommit { watch: true }).await {
        Response::Submitted(told) => assert!(told.existed),
        other => panic!("{other:?}"),
    }
    match receive(&mut second).await {
        Response::Watch(WatchItem::State { workflow, .. }) => {
            assert_eq!(workflow.status, WorkflowStatus::Completed);
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(receive(&mut second).await, Response::Watch(WatchItem::CaughtUp { .. })));
    assert_eq!(receive(&mut second).await, Response::End);
    let existing = Some(torc_protocol::id::WorkflowId(1));
    let begun = ask(&mut first, submit()).await;
    assert_eq!(begun, Response::SubmitAccepted(SubmitAccepted { existing }));
}
