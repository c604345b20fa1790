use std::sync::mpsc::channel;

use super::*;
use crate::store::home::Home;

/// A snapshotter of a database in memory to `/db/snapshot.db`, which it never gets as far as touching.
fn snapshotter(dispatcher: DispatcherHandle) -> (Snapshotter, SnapshotHandle) {
    let memory = Residence::open(&Home::Memory, Path::new("/")).unwrap();
    snapshotter_of(memory, dispatcher)
}

fn snapshotter_of(
    database: Residence,
    dispatcher: DispatcherHandle,
) -> (Snapshotter, SnapshotHandle) {
    let (_, pace) = watch::channel(Pace { keep: 5, interval: None });
    snapshotter_at(pace, database, dispatcher)
}

fn snapshotter_at(
    pace: watch::Receiver<Pace>,
    database: Residence,
    dispatcher: DispatcherHandle,
) -> (Snapshotter, SnapshotHandle) {
    let word = String::new;
    Snapshotter::new(Parts {
        dispatcher,
        source: Source::resident(database.clone()),
        author: Author { instance: word(), host: word(), boot_id: word(), pid: 1 },
        target: PathBuf::from("/db/snapshot.db"),
        last: None,
        database,
        pace,
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
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("torc.db");
    let home = Home::File(path.clone());
    drop(home.open_writer(None).unwrap());
    let database = Residence::open(&home, dir.path()).unwrap();
    let (snapshotter, handle) = snapshotter_of(database, DispatcherHandle::new(inputs));
    let mut progress = handle.request(Some(path));
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

#[tokio::test]
async fn no_snapshot_begins_before_the_copy_of_another_has_ended() {
    let (inputs, received) = channel();
    let (snapshotter, handle) = snapshotter(DispatcherHandle::new(inputs));
    let mut asked = [handle.request(None), handle.request(Some(PathBuf::from("/elsewhere")))];
    let dispatcher = std::thread::spawn(move || {
        let mut generation = 0;
        let words = received.iter().map(|input| match input {
            Input::BeginSnapshot { reply, .. } => {
                generation += 1;
                reply.send(Ok((Generation(generation), generation))).unwrap();
                "begin"
            }
            // Not made, for want of an answer.
            Input::Copy { .. } => "copy",
            Input::EndSnapshot { .. } => "end",
            _ => panic!("nothing else is asked"),
        });
        words.filter(|word| *word != "end").collect::<Vec<_>>()
    });
    let running = tokio::spawn(snapshotter.run());
    for progress in &mut asked {
        assert!(matches!(outcome(progress).await, SnapshotProgress::Failed(_)));
    }
    drop(handle);
    running.await.unwrap();
    assert_eq!(dispatcher.join().unwrap(), ["begin", "copy", "begin", "copy"]);
}

#[tokio::test]
async fn a_new_pace_counts_at_once() {
    let (inputs, received) = channel();
    let (pace, paces) =
        watch::channel(Pace { keep: 5, interval: Some(Duration::from_secs(3_600)) });
    let memory = Residence::open(&Home::Memory, Path::new("/")).unwrap();
    let (snapshotter, handle) = snapshotter_at(paces, memory, DispatcherHandle::new(inputs));
    let running = tokio::spawn(snapshotter.run());
    assert_eq!(handle.status().keep, 5);
    pace.send_replace(Pace { keep: 2, interval: Some(Duration::from_millis(1)) });
    // At a tick it asks whether anything has changed.
    let limit = Duration::from_secs(60);
    let asking = tokio::task::spawn_blocking(move || received.recv_timeout(limit));
    let asked = asking.await.unwrap();
    assert!(matches!(asked, Ok(Input::Totals { .. })));
    assert_eq!(handle.status().keep, 2);
    drop((handle, asked, pace));
    running.await.unwrap();
}
