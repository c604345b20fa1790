//! The database moves between two turns, before there is no room left where it is.

use crate::dispatcher::Dispatcher;

impl Dispatcher {
    /// Moves the database when what the next turn writes may not fit where it is. Where it cannot,
    /// nothing more is begun: there is just room enough to bring what is recorded to safety.
    pub(super) fn make_room(&mut self) {
        if self.broken.is_some() || !self.mover.is_due() {
            return;
        }
        let before = self.mover.place();
        match self.mover.move_out(&mut self.store) {
            Ok(now) => {
                tracing::warn!(
                    "{before} has hardly any room left, so the database is now in {now}"
                );
                (self.save)();
            }
            Err(error) => {
                self.break_off(&format!("{before} has hardly any room left, and {error}"));
            }
        }
    }
}
