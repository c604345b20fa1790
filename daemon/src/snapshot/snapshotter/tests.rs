use std::sync::mpsc::channel;

use super::*;
use crate::store::home::Home;
use crate::store::residence::Residence;

/// A snapshotter of `/db/torc.db` to `/db/snapshot.db`, which never gets as far as touching either.
fn snapshotter(dispatcher: DispatcherHandle) -> (Snapshotter, SnapshotHandle) {
    let word = String::new;
    Snapshotter::new(Parts {
        dispatcher,
        source: Source::resident(Residence::open(&Home::Memory, Path::new("/")).unwrap()),
        author: Author { instance: word(), host: word(), boot_id: word(), pid: 1 },
        target: PathBuf::from("/db/snapshot.db"),
        last: None,
        database: Some(PathBuf::from("/db/torc.db")),
        keep: 5,
        interval: None,
        stdout: Lines::to(std::io::sink(), "nowhere").unwrap(),
    })
}

/// A dispatcher that has ended.
fn nobody() -> DispatcherHandle {
    DispatcherHandle::new(channel().0)
}

async fn outcome(progress: &mut mpsc::UnboundedReceiver<SnapshotProgress>) -> SnapshotProgress {
    loop {
        match progress.recv().await.expect("an outcome before the end") {
            SnapshotProgress::Phase(_) => {}
            last => return last,
        }
    }
}

#[tokio::test]
async fn whoever_asks_is_told_when_the_dispatcher_has_ended() {
    let (snapshotter, handle) = snapshotter(nobody());
    let mut asked = [handle.request(None), handle.request(Some(PathBuf::from("/elsewhere")))];
    let running = tokio::spawn(snapshotter.run());
    for progress in &mut asked {
        let outcome = outcome(progress).await;
        assert!(matches!(outcome, SnapshotProgress::Failed(_)), "{outcome:?}");
    }
    assert!(handle.status().error.is_some());
    drop(handle);
    running.await.unwrap();
}

#[tokio::test]
async fn whoever_asks_is_told_when_the_snapshotter_has_ended() {
    let (snapshotter, handle) = snapshotter(nobody());
    let mut waits = handle.request(None);
    drop(snapshotter);
    assert!(waits.recv().await.is_none());
    assert!(handle.request(None).recv().await.is_none());
}

#[tokio::test]
async fn the_target_by_name_is_the_target() {
    let (snapshotter, handle) = snapshotter(nobody());
    let mut named = handle.request(Some(PathBuf::from("/db/snapshot.db")));
    let running = tokio::spawn(snapshotter.run());
    outcome(&mut named).await;
    // One by the way would say nothing of the state of the target, and remove the older ones.
    assert!(handle.status().error.is_some());
    drop(handle);
    running.await.unwrap();
}

#[tokio::test]
async fn nothing_is_written_over_the_database_itself() {
    let (inputs, received) = channel();
    let (snapshotter, handle) = snapshotter(DispatcherHandle::new(inputs));
    let mut progress = handle.request(Some(PathBuf::from("/db/torc.db")));
    let running = tokio::spawn(snapshotter.run());
    match outcome(&mut progress).await {
        SnapshotProgress::Failed(failure) => {
            assert_eq!(failure.reason, "the database itself lives there");
        }
        other => panic!("{other:?}"),
    }
    assert!(received.try_recv().is_err(), "it is not even begun");
    drop(handle);
    running.await.unwrap();
}
