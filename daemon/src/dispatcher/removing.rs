//! What is removed from the database, a part at a time, and the room that it took.

use crate::dispatcher::Dispatcher;
use crate::store::sql::SqlResult;
use crate::store::tables::workflow;
use crate::sys;

/// So many rows of a table are removed in one turn, each with what goes with it. What comes in
/// meanwhile waits for that, some 10 ms.
const SLICE: usize = 1_000;

/// A workflow of so many jobs leaves so much memory that it is given back to the system.
const LARGE: u64 = 10_000;

/// Whether the database has room to give back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Slack {
    #[default]
    None,
    /// Something was removed: it is to be found out.
    Unknown,
    Much,
}

impl Dispatcher {
    /// Removes a part of what was given up from the database. The next daemon goes on with what is
    /// left of it.
    pub(super) fn remove_given_up(&mut self) -> SqlResult<()> {
        let Some(id) = self.given_up.last().copied() else { return Ok(()) };
        let connection = self.store.writing()?;
        if workflow::delete_some(connection, id, SLICE)? {
            self.given_up.pop();
            self.slack = Slack::Unknown;
        }
        Ok(())
    }

    /// Returns whether there is something to remove or to give back.
    pub(super) fn has_to_tidy(&self) -> bool {
        !self.given_up.is_empty() || self.slack != Slack::None || self.has_freed
    }

    /// Takes note that a workflow of so many jobs is no longer in memory.
    pub(super) fn note_freed(&mut self, jobs: u64) {
        self.has_freed |= jobs >= LARGE;
    }

    /// Gives back some of the room of what was removed. To be called between two turns.
    pub(super) fn give_back(&mut self) {
        if std::mem::take(&mut self.has_freed) {
            sys::memory::give_back();
        }
        if self.broken.is_some() || !self.given_up.is_empty() {
            return;
        }
        let is_more = match self.slack {
            Slack::None => return,
            Slack::Unknown => self.store.is_loose(),
            Slack::Much => self.store.tighten(),
        };
        self.slack = match is_more {
            Ok(true) => Slack::Much,
            Ok(false) => Slack::None,
            Err(error) => {
                // It stays as large as it is, which harms nobody.
                tracing::debug!("the database does not give back what it has no use for: {error}");
                Slack::None
            }
        };
    }
}
