//! The wish to end once the jobs that run have ended by themselves.
//!
//! Until then nothing starts, and all else goes on: what is submitted is recorded, and left for the
//! next daemon. A client takes its wish back by closing its connection; when no wish is left, jobs
//! start again. That of a signal is for good.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch;
use torc_protocol::response::SnapshotProgress;

use crate::dispatcher::input::{DispatcherHandle, Input, Left};
use crate::handlers::shutdown::ShutdownRequest;

/// Those who wait, if anybody does.
pub(super) struct Waiting {
    dispatcher: Option<DispatcherHandle>,
    left: Option<watch::Receiver<Left>>,
    clients: Vec<ShutdownRequest>,
    /// It is not only clients who wait.
    for_good: bool,
}

impl Waiting {
    /// Nobody waits yet. Without a dispatcher nothing runs.
    pub(super) fn new(dispatcher: Option<DispatcherHandle>) -> Self {
        Self { dispatcher, left: None, clients: Vec::new(), for_good: false }
    }

    /// Waits for good.
    pub(super) fn begin_for_good(&mut self) {
        self.for_good = true;
        self.hold();
    }

    /// Waits as long as this client does.
    pub(super) fn begin(&mut self, client: ShutdownRequest) {
        if let Some(left) = &self.left {
            tell(&client, *left.borrow());
        }
        self.clients.push(client);
        self.hold();
    }

    fn hold(&mut self) {
        if let (Some(dispatcher), None) = (&self.dispatcher, &self.left) {
            let (left, receiver) = watch::channel(Left::default());
            tracing::info!("nothing is started any more: torcd ends when what runs has ended");
            dispatcher.send(Input::Hold { left });
            self.left = Some(receiver);
        }
    }

    /// Waits until somebody waits and nothing runs any more. Safe to drop and call again.
    pub(super) async fn end(&mut self) {
        loop {
            let Some(left) = &mut self.left else {
                if !self.is_wished() {
                    std::future::pending::<()>().await;
                }
                return;
            };
            let mut gone: FuturesUnordered<_> =
                self.clients.iter().map(|client| client.progress.closed()).collect();
            let left = tokio::select! {
                // Nothing may end for those who have gone, even if the last job ends just then.
                biased;
                Some(()) = gone.next() => None,
                changed = left.changed() => {
                    if changed.is_err() {
                        // The dispatcher is gone, which others see to.
                        std::future::pending::<()>().await;
                    }
                    Some(*left.borrow_and_update())
                }
            };
            drop(gone);
            if !self.is_wished() {
                self.take_back();
            } else if let Some(left) = left {
                if left.ended {
                    return;
                }
                self.clients.iter().for_each(|client| tell(client, left));
            }
        }
    }

    /// Forgets the clients who have gone, and returns whether anybody still waits.
    fn is_wished(&mut self) -> bool {
        self.clients.retain(|client| !client.progress.is_closed());
        self.for_good || !self.clients.is_empty()
    }

    fn take_back(&mut self) {
        self.left = None;
        if let Some(dispatcher) = &self.dispatcher {
            tracing::info!("jobs are started again: nobody waits for their end any more");
            dispatcher.send(Input::GoOn);
        }
    }

    /// Returns the clients who wait.
    pub(super) fn into_clients(self) -> Vec<ShutdownRequest> {
        self.clients
    }
}

fn tell(client: &ShutdownRequest, left: Left) {
    if left.running > 0 {
        // It may have gone.
        let _ = client.progress.send(SnapshotProgress::Jobs(left.running));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures_util::FutureExt;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::sync::oneshot;
    use torc_protocol::request::RunningJobs;

    use super::*;

    const ENDED: Left = Left { running: 0, ended: true };

    fn client() -> (ShutdownRequest, UnboundedReceiver<SnapshotProgress>) {
        let (progress, receiver) = unbounded_channel();
        let (told, _) = oneshot::channel();
        let running = RunningJobs::Wait;
        (ShutdownRequest { grace: None, running, progress, told }, receiver)
    }

    /// Somebody for whom two clients wait, and where the dispatcher tells what is left.
    struct Scene {
        waiting: Waiting,
        clients: Vec<UnboundedReceiver<SnapshotProgress>>,
        left: watch::Sender<Left>,
        inputs: mpsc::Receiver<Input>,
    }

    fn scene() -> Scene {
        let (sender, inputs) = mpsc::channel();
        let mut waiting = Waiting::new(Some(DispatcherHandle::new(sender)));
        let mut clients = Vec::new();
        for _ in 0..2 {
            let (request, receiver) = client();
            waiting.begin(request);
            clients.push(receiver);
        }
        let Ok(Input::Hold { left }) = inputs.try_recv() else { panic!("nothing is held") };
        assert!(inputs.try_recv().is_err(), "it is held once");
        Scene { waiting, clients, left, inputs }
    }

    #[test]
    fn nothing_ends_for_those_who_have_gone() {
        // Often, because it is chance which of two that are ready is looked at first.
        for _ in 0..64 {
            let mut scene = scene();
            scene.clients.clear();
            scene.left.send(ENDED).unwrap();
            assert_eq!(scene.waiting.end().now_or_never(), None);
            assert!(matches!(scene.inputs.try_recv(), Ok(Input::GoOn)));
            // The next one waits anew.
            let (request, _receiver) = client();
            scene.waiting.begin(request);
            assert!(matches!(scene.inputs.try_recv(), Ok(Input::Hold { .. })));
        }
    }

    #[test]
    fn it_ends_for_the_one_who_stays() {
        let mut scene = scene();
        scene.clients.pop();
        scene.left.send(Left { running: 3, ended: false }).unwrap();
        assert_eq!(scene.waiting.end().now_or_never(), None);
        assert_eq!(scene.clients[0].try_recv(), Ok(SnapshotProgress::Jobs(3)));
        scene.left.send(ENDED).unwrap();
        assert_eq!(scene.waiting.end().now_or_never(), Some(()));
        assert!(scene.inputs.try_recv().is_err(), "nothing is taken back");
    }

    #[test]
    fn the_wish_of_a_signal_stays_when_all_clients_have_gone() {
        let mut scene = scene();
        scene.waiting.begin_for_good();
        scene.clients.clear();
        assert_eq!(scene.waiting.end().now_or_never(), None);
        scene.left.send(ENDED).unwrap();
        assert_eq!(scene.waiting.end().now_or_never(), Some(()));
        assert!(scene.inputs.try_recv().is_err(), "nothing is taken back");
    }
}
