//! Watches: begun after the turn is recorded and published, so that nothing falls between the state
//! or the history that they begin with and the events that follow.

use torc_protocol::response::{ErrorCode, RequestError};

use crate::dispatcher::Dispatcher;
use crate::dispatcher::control::no_workflow;
use crate::dispatcher::input::Watching;
use crate::dispatcher::turn::{Turn, WatchRequest, not_recorded};
use crate::event_bus::WATCHERS;
use crate::store::tables::workflow;

impl Dispatcher {
    pub(super) fn start_watches(&mut self, watches: Vec<WatchRequest>) {
        for (selector, from_seq, reply) in watches {
            let found = workflow::find(self.store.reading(), &selector);
            let view = match found {
                Ok(Some(view)) => view,
                Ok(None) => {
                    Turn::refuse(reply, no_workflow(&selector));
                    continue;
                }
                Err(error) => {
                    Turn::refuse(reply, not_recorded(&error.to_string()));
                    continue;
                }
            };
            let id = view.id;
            let history = from_seq.and_then(|from| self.bus.history(id, from));
            let live = if self.active.contains_key(&id) {
                let Some(live) = self.bus.watch(id) else {
                    Turn::refuse(reply, too_many());
                    continue;
                };
                Some(live)
            } else {
                None
            };
            let watching = Watching {
                state: history.is_none().then_some(view),
                history: history.unwrap_or_default(),
                next_seq: self.bus.next_seq(),
                live,
            };
            // Whoever asked may have gone.
            let _ = reply.send(Ok(watching));
        }
    }
}

fn too_many() -> RequestError {
    let message = format!("{WATCHERS} clients watch workflows already, which is as many as can");
    RequestError::new(ErrorCode::Unavailable, message)
        .hint("look from time to time with `torcctl jobs list`, or end some that watch")
}

/// Refuses watches.
pub(super) fn refuse(watches: Vec<WatchRequest>, error: &RequestError) {
    for (_, _, reply) in watches {
        Turn::refuse(reply, error.clone());
    }
}
