//! The life of a daemon as its supervisor is told of it: how it is, whenever that changes, and that
//! it is alive.
//!
//! Nothing is told while nothing changes, and how it is once a second at the most. It is alive when
//! the dispatcher has answered, through the same queue as everybody else's requests. The dispatcher
//! never waits for the file system of snapshots, so one that hangs does not make it dead.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::dispatcher::input::{DispatcherHandle, Input};
use crate::notify::{Notifier, status};
use crate::snapshot::snapshotter::SnapshotHandle;

/// How we are is told again after so long at the soonest.
const PAUSE: Duration = Duration::from_secs(1);
/// So often within the time after which we are taken for dead it is told that we are not.
const BEATS: u32 = 3;

/// What is told of.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// Who owns the truth.
    pub dispatcher: DispatcherHandle,
    /// Who takes the snapshots.
    pub snapshots: SnapshotHandle,
    /// Notified when the dispatcher has recorded something.
    pub changed: Arc<Notify>,
    /// The database is in memory.
    pub in_memory: bool,
}

impl Pulse {
    /// Tells that we are ready, and from then on how we are, until the dispatcher ends.
    pub async fn run(self, notifier: Notifier) {
        tokio::join!(self.follow(&notifier), self.beat(&notifier));
    }

    async fn follow(&self, notifier: &Notifier) {
        let mut snapshots = self.snapshots.watch();
        let mut told = String::new();
        loop {
            let asked = Instant::now();
            snapshots.mark_unchanged();
            let totals = self.dispatcher.ask(|reply| Input::Totals { reply });
            let Ok(totals) = totals.await else { return };
            let status = status::text(&totals, &self.snapshots.status(), self.in_memory);
            if told.is_empty() {
                notifier.ready(&status);
            } else if told != status {
                notifier.status(&status);
            }
            told = status;
            tokio::select! {
                () = self.changed.notified() => {}
                changed = snapshots.changed() => if changed.is_err() {
                    return;
                },
            }
            sleep_until(asked + PAUSE).await;
        }
    }

    async fn beat(&self, notifier: &Notifier) {
        let Some(limit) = notifier.watchdog() else { return };
        let mut beats = interval(limit / BEATS);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            if self.dispatcher.ask(|reply| Input::Totals { reply }).await.is_err() {
                return;
            }
            notifier.alive();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::watch;
    use torc_protocol::view::SnapshotStatusView;

    use super::*;
    use crate::dispatcher::input::Totals;
    use crate::notify::tests::{next, supervisor};

    struct Told {
        pulse: Pulse,
        inputs: mpsc::Receiver<Input>,
        status: watch::Sender<SnapshotStatusView>,
    }

    fn told() -> Told {
        let (sender, inputs) = mpsc::channel();
        let (status, receiver) = watch::channel(SnapshotStatusView::default());
        let pulse = Pulse {
            dispatcher: DispatcherHandle::new(sender),
            snapshots: SnapshotHandle::fake(receiver),
            changed: Arc::default(),
            in_memory: true,
        };
        Told { pulse, inputs, status }
    }

    /// Answers the next request as a dispatcher would, as long as there is one.
    fn answer(inputs: &mpsc::Receiver<Input>, changes: u64) -> bool {
        match inputs.recv() {
            Ok(Input::Totals { reply }) => {
                reply.send(Ok(Totals { changes, ..Totals::default() })).is_ok()
            }
            _ => false,
        }
    }

    #[tokio::test]
    async fn how_we_are_is_told_when_it_changes_and_not_more_than_once_a_second() {
        let (supervisor, notifier) = supervisor(None);
        let Told { pulse, inputs, status } = told();
        let changed = pulse.changed.clone();
        let answers = std::thread::spawn(move || {
            let mut answered = 0;
            while answer(&inputs, answered) {
                answered += 1;
            }
            answered
        });
        let running = tokio::spawn(pulse.run(notifier));
        let read =
            |supervisor| tokio::task::spawn_blocking(move || (next(&supervisor), supervisor));
        let (ready, supervisor) = read(supervisor).await.unwrap();
        assert_eq!(ready, "READY=1\nSTATUS=no job runs; no snapshot yet\n");
        // Nothing that is told has changed: it is asked for and not told.
        changed.notify_one();
        let phase = Some(torc_protocol::view::SnapshotPhase::Copy);
        tokio::time::sleep(2 * PAUSE).await;
        let begun = Instant::now();
        status.send_modify(|status| status.phase = phase);
        let (under_way, supervisor) = read(supervisor).await.unwrap();
        assert!(
            under_way.ends_with("no snapshot yet; the next is under way: copy\n"),
            "{under_way}"
        );
        status.send_modify(|status| status.phase = None);
        let (over, _supervisor) = read(supervisor).await.unwrap();
        assert!(over.ends_with("no snapshot yet\n"), "{over}");
        assert!(begun.elapsed() >= PAUSE, "{:?}", begun.elapsed());
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert!(answers.join().unwrap() <= 4, "once at the start, and once a change at the most");
    }

    #[tokio::test]
    async fn only_a_dispatcher_that_answers_is_alive() {
        let (supervisor, notifier) = supervisor(Some(Duration::from_millis(30)));
        let Told { pulse, inputs, .. } = told();
        let beating = tokio::spawn(async move { pulse.beat(&notifier).await });
        let heard = tokio::task::spawn_blocking(move || {
            assert!(answer(&inputs, 0));
            assert_eq!(next(&supervisor), "WATCHDOG=1\n");
            // It has asked again, and waits for that answer.
            let Ok(Input::Totals { reply }) = inputs.recv() else { panic!("no request") };
            supervisor.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            assert!(supervisor.recv(&mut [0; 64]).is_err(), "it is not alive");
            assert!(inputs.try_recv().is_err(), "it asks once");
            reply.send(Ok(Totals::default())).unwrap();
            supervisor.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            assert_eq!(next(&supervisor), "WATCHDOG=1\n");
        });
        heard.await.unwrap();
        beating.await.unwrap();
    }
}
