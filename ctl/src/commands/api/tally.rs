//! The exit code of all requests together: that of the last bad end, unless a snapshot is not on disk.

use torc_protocol::request::SnapshotWait;
use torc_protocol::response::SnapshotProgress;

use crate::commands::snapshot::Outcome;
use crate::error::{CliError, ErrorKind};
use crate::exit_code;

/// What the replies so far come to.
#[derive(Debug, Default)]
pub(super) struct Tally {
    code: u8,
}

impl Tally {
    /// Counts an error. A record that is not safe is told, whatever comes after it.
    pub(super) fn add(&mut self, error: &CliError) {
        if self.code != exit_code::NOT_DURABLE {
            self.code = error.exit_code();
        }
    }

    /// Counts what a snapshot has come to, and returns whether that is settled.
    pub(super) fn add_snapshot(&mut self, progress: SnapshotProgress) -> bool {
        // One that is queued is not settled: nobody knows yet.
        let Some(outcome) = Outcome::of(progress, SnapshotWait::Forever) else { return false };
        if let Err(error) = outcome.check() {
            self.add(&error);
        }
        true
    }

    /// Returns the exit code, or the error that ended it all, which may not hide that a snapshot is
    /// not on disk.
    ///
    /// # Errors
    ///
    /// When `outcome` is one.
    pub(super) fn end(self, outcome: Result<(), CliError>) -> Result<u8, CliError> {
        match outcome {
            Ok(()) => Ok(self.code),
            Err(error) if self.code != exit_code::NOT_DURABLE => Err(error),
            // To nobody nothing is said.
            Err(error) if error.kind == ErrorKind::BrokenPipe => Ok(self.code),
            Err(mut error) => {
                error.kind = ErrorKind::NotDurable;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use torc_protocol::view::{SnapshotFailure, SnapshotPhase};

    use super::*;

    fn of(kinds: &[ErrorKind]) -> Tally {
        let mut tally = Tally::default();
        kinds.iter().for_each(|kind| tally.add(&CliError::new(*kind, "it failed")));
        tally
    }

    fn lost(kind: ErrorKind) -> Result<(), CliError> {
        Err(CliError::new(kind, "it has gone"))
    }

    fn code(ended: Result<u8, CliError>) -> u8 {
        ended.unwrap_or_else(|error| error.exit_code())
    }

    #[test]
    fn the_last_bad_end_counts_unless_a_snapshot_is_not_on_disk() {
        use ErrorKind::{BrokenPipe, NoDaemon, NotDurable, NotFound, Refused};
        assert_eq!(code(of(&[]).end(Ok(()))), exit_code::DONE);
        assert_eq!(code(of(&[NotFound, Refused]).end(Ok(()))), exit_code::REFUSED);
        assert_eq!(code(of(&[NotDurable, Refused]).end(Ok(()))), exit_code::NOT_DURABLE);
        assert_eq!(code(of(&[NotFound]).end(lost(NoDaemon))), exit_code::NO_DAEMON);
        assert_eq!(code(of(&[NotFound]).end(lost(NotDurable))), exit_code::NOT_DURABLE);
        assert_eq!(code(of(&[NotFound]).end(lost(BrokenPipe))), exit_code::DONE);
        for end in [lost(NoDaemon), lost(BrokenPipe)] {
            assert_eq!(code(of(&[NotDurable, NotFound]).end(end)), exit_code::NOT_DURABLE);
        }
    }

    #[test]
    fn what_a_snapshot_has_come_to_counts_when_it_is_settled() {
        let failure = SnapshotFailure {
            path: "torc.db".to_owned(),
            phase: SnapshotPhase::Write,
            errno: None,
            reason: "no room".to_owned(),
            kept: None,
        };
        for (progress, is_settled, expected) in [
            (SnapshotProgress::Queued, false, exit_code::DONE),
            (SnapshotProgress::Phase(SnapshotPhase::Sync), false, exit_code::DONE),
            (SnapshotProgress::Jobs(3), false, exit_code::DONE),
            (SnapshotProgress::Nothing, true, exit_code::DONE),
            (SnapshotProgress::TimedOut(SnapshotPhase::Sync), true, exit_code::TIMED_OUT),
            (SnapshotProgress::Failed(failure), true, exit_code::NOT_DURABLE),
        ] {
            let mut tally = Tally::default();
            assert_eq!(tally.add_snapshot(progress.clone()), is_settled, "{progress:?}");
            assert_eq!(code(tally.end(Ok(()))), expected, "{progress:?}");
        }
    }
}
