//! Copies of a database that only its owner can read: some pages after each turn, so that nobody
//! waits for them.

use std::ops::ControlFlow;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use tokio::sync::oneshot;
use torc_protocol::response::{ErrorCode, RequestError};

use crate::dispatcher::Dispatcher;
use crate::dispatcher::input::{Input, Reply};
use crate::store::shadow::Shadow;
use crate::store::sql::SqlError;

/// A copy that is asked for.
pub(super) struct CopyRequest {
    pub(super) into: Shadow,
    pub(super) reply: Reply<Shadow>,
}

impl Dispatcher {
    /// Makes a copy, and runs turns meanwhile. Ends early when one of them is the last.
    pub(super) fn copy_between_turns(
        &mut self,
        request: CopyRequest,
        inputs: &Receiver<Input>,
    ) -> ControlFlow<Option<oneshot::Sender<()>>> {
        let CopyRequest { mut into, reply } = request;
        let source = self.store.shared();
        let copied = match into.follow(&source) {
            Ok(stepping) => loop {
                match stepping.step() {
                    Ok(false) => self.run_turn(inputs, Duration::ZERO)?,
                    Ok(true) => break Ok(()),
                    Err(error) => break Err(error),
                }
            },
            Err(error) => Err(error),
        };
        // Whoever asked may have gone.
        let _ = reply.send(copied.map(|()| into).map_err(not_copied));
        ControlFlow::Continue(())
    }
}

fn not_copied(error: SqlError) -> RequestError {
    RequestError::new(ErrorCode::Internal, format!("the database cannot be copied: {error}"))
}
