//! What clients are told that they did not ask for, and what becomes of those that do half of
//! something.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use torc_protocol::hello::Hello;
use torc_protocol::request::{Status, SubmitFiles, Watch, WorkflowSelector};
use torc_protocol::spec::FileSpec;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase};

use super::*;

fn failing(since: i64) -> SnapshotStatusView {
    let failure = SnapshotFailure {
        path: "/db/snapshot.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: Some(28),
        reason: "no space".to_owned(),
        kept: None,
    };
    let failing_since = Some(Timestamp(since));
    SnapshotStatusView { error: Some(failure), failing_since, ..SnapshotStatusView::default() }
}

/// Expects the warning of the spell that began then, and returns the changes that it tells of.
fn warned(response: &Response, since: i64) -> u64 {
    match response {
        Response::Degraded(status) if status.failing_since == Some(Timestamp(since)) => {
            status.changes_since
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn that_snapshots_fail_is_told_before_the_next_reply_and_once() {
    let (sender, status) = watch::channel(SnapshotStatusView::default());
    let mut daemon = Daemon::with(Limits::new(9), Some(status));
    daemon.submit(1, "true").await;
    let (mut client, _) = daemon.connect().await;
    assert_eq!(ask(&mut client, Ping).await, Response::Pong(Pong));
    for since in [7, 9] {
        sender.send_replace(failing(since));
        assert!(warned(&ask(&mut client, Ping).await, since) > 0);
        assert_eq!(receive(&mut client).await, Response::Pong(Pong));
        assert_eq!(ask(&mut client, Ping).await, Response::Pong(Pong));
        let (mut other, _) = daemon.connect().await;
        warned(&ask(&mut other, Status).await, since);
        assert!(matches!(receive(&mut other).await, Response::Status(_)));
        sender.send_replace(SnapshotStatusView::default());
        assert_eq!(ask(&mut client, Ping).await, Response::Pong(Pong));
    }
}

#[tokio::test]
async fn that_snapshots_fail_is_told_to_those_who_watch() {
    let (sender, status) = watch::channel(SnapshotStatusView::default());
    let mut daemon = Daemon::with(Limits::new(9), Some(status));
    daemon.submit(1, "true").await;
    let (mut client, _) = daemon.connect().await;
    let watch = Watch { workflow: WorkflowSelector::Latest, from_seq: None };
    ask(&mut client, watch).await;
    assert!(matches!(receive(&mut client).await, Response::Watch(WatchItem::CaughtUp { .. })));
    sender.send_replace(failing(7));
    daemon.job_ends(1);
    warned(&receive(&mut client).await, 7);
    assert!(matches!(receive(&mut client).await, Response::Watch(WatchItem::Events(_))));
}

/// A request whose frame has many bytes.
fn large() -> Request {
    let file = FileSpec { name: "x".repeat(1_000_000), path: String::new() };
    SubmitFiles { files: vec![file], user_data: Vec::new() }.into()
}

/// Says hello, and hears it.
async fn greeted(stream: &mut UnixStream) {
    stream.write_all(&Hello::ours().encode()).await.unwrap();
    let mut hello = vec![0; Hello::ours().encode().len()];
    stream.read_exact(&mut hello).await.unwrap();
}

#[tokio::test]
async fn a_request_that_has_begun_must_come_to_its_end() {
    let limits = Limits { transfer: Duration::from_millis(50), ..Limits::new(9) };
    let daemon = Daemon::with(limits, None);
    let frame = torc_protocol::codec::frame(large()).unwrap();
    for part in [1, 4, 5, 100, frame.len() - 1] {
        let (mut stream, session) = daemon.raw().await;
        greeted(&mut stream).await;
        // It may be cut off while it writes, on a machine that is very slow.
        let _ = stream.write_all(&frame[..part]).await;
        timeout(LIMIT, session).await.expect("it is not waited for").unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap_or(0), 0, "after {part} bytes");
    }
    // One that has not begun may take its time.
    let (mut client, _) = daemon.connect().await;
    tokio::time::sleep(3 * limits.transfer).await;
    assert_eq!(ask(&mut client, Ping).await, Response::Pong(Pong));
}

#[tokio::test]
async fn half_requests_take_only_so_much_memory_and_the_oldest_goes() {
    let limits = Limits { memory: 1_500_000, patience: Duration::ZERO, ..Limits::new(9) };
    let daemon = Daemon::with(limits, None);
    let frame = torc_protocol::codec::frame(large()).unwrap();
    let half = &frame[..frame.len() - 1];
    let (mut first, cut) = daemon.raw().await;
    greeted(&mut first).await;
    first.write_all(half).await.unwrap();
    let (mut second, _) = daemon.raw().await;
    greeted(&mut second).await;
    second.write_all(half).await.unwrap();
    timeout(LIMIT, cut).await.expect("the first is cut off").unwrap();
    second.write_all(&frame[half.len()..]).await.unwrap();
    // It is refused for what it asks, because it has begun no submission.
    let mut length = [0; 4];
    timeout(LIMIT, second.read_exact(&mut length)).await.expect("a reply").unwrap();
}

#[tokio::test]
async fn a_list_that_nobody_reads_holds_up_no_other() {
    let patience = Duration::from_millis(100);
    let limits = Limits { memory: 8_000_000, patience, ..Limits::new(9) };
    let mut daemon = Daemon::with(limits, None);
    daemon.submit(20, &"x".repeat(300_000)).await;
    // More than there are connections to the database.
    let mut stuck = Vec::new();
    for _ in 0..8 {
        let (mut client, _) = daemon.connect().await;
        client.send(ListJobs::default().into()).await.unwrap();
        stuck.push(client);
    }
    let (mut client, _) = daemon.connect().await;
    client.send(ListJobs::default().into()).await.unwrap();
    let mut listed = 0;
    loop {
        match receive(&mut client).await {
            Response::Jobs(jobs) => listed += jobs.len(),
            Response::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(listed, 20);
}

#[tokio::test]
async fn a_client_that_pipelines_without_reading_is_one_client_less() {
    let daemon = Daemon::start();
    let (mut stream, _) = daemon.raw().await;
    greeted(&mut stream).await;
    let ping = torc_protocol::codec::frame(Request::from(Ping)).unwrap();
    // Until nothing more goes in, because nothing comes out.
    let pings = ping.repeat(10_000);
    let flood = tokio::spawn(async move { while stream.write_all(&pings).await.is_ok() {} });
    let (mut client, _) = daemon.connect().await;
    for _ in 0..200 {
        assert_eq!(ask(&mut client, Ping).await, Response::Pong(Pong));
    }
    flood.abort();
}

#[tokio::test]
async fn where_all_work_the_next_is_told_so() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let turned_away = tokio::spawn(session::turn_away(theirs, 7));
    let mut client = ClientSide::open(ours).await.unwrap();
    match ask(&mut client, Ping).await {
        Response::Error(error) => {
            assert_eq!(error.code, ErrorCode::Unavailable);
            assert!(error.message.contains('7') && error.hint.is_some(), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
    timeout(LIMIT, turned_away).await.expect("it ends").unwrap();
}
