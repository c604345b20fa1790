//! The dispatcher's thread.

use std::collections::HashSet;
use std::sync::mpsc::{Receiver, channel};

use tokio::sync::oneshot;
use torc_protocol::id::AttemptId;

use crate::dispatcher::input::Input;
use crate::dispatcher::restore::{RestoreError, Unfinished};
use crate::dispatcher::{Dispatcher, Parts};

/// Starts a dispatcher on a thread of its own, and waits until that has gone on with what was
/// unfinished, as `Dispatcher::restore` does. Returns what is closed when the thread has ended,
/// whatever ended it.
///
/// # Errors
///
/// When there is no thread for it, or what was unfinished cannot be gone on with.
pub fn start(
    parts: Parts,
    inputs: Receiver<Input>,
    unfinished: Unfinished,
    begun: HashSet<AttemptId>,
) -> Result<oneshot::Receiver<()>, RestoreError> {
    let (alive, gone) = oneshot::channel();
    let (restored, outcome) = channel();
    std::thread::Builder::new().name("dispatcher".to_owned()).spawn(move || {
        let _alive: oneshot::Sender<()> = alive;
        let mut dispatcher = Dispatcher::new(parts);
        let outcome = dispatcher.restore(unfinished, &begun);
        let is_restored = outcome.is_ok();
        // Whoever starts it waits for this.
        let _ = restored.send(outcome);
        if is_restored {
            dispatcher.run(&inputs);
        }
    })?;
    outcome.recv().map_err(|_| RestoreError::Ended)??;
    Ok(gone)
}
