//! The warning of a torcd whose snapshots fail. It comes beside the replies to whatever was asked.
//!
//! It is said once an invocation, however many connections tell of it, and in quiet mode too: what
//! is recorded now may not be there tomorrow.

use std::fmt::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use torc_protocol::time::Timestamp;
use torc_protocol::view::{SnapshotFailure, SnapshotStatusView};

use crate::stderr;
use crate::style::{count, duration, local_time, one_line};

static SAID: AtomicBool = AtomicBool::new(false);

/// Warns the user, the first time that it is called.
pub fn warn(status: &SnapshotStatusView) {
    if !SAID.swap(true, Ordering::Relaxed) {
        stderr::say(&text(status, Timestamp::now()));
    }
}

fn text(status: &SnapshotStatusView, now: Timestamp) -> String {
    let mut text = "warning: snapshots fail".to_owned();
    // Writing to a string cannot fail, here and below.
    if let Some(since) = status.failing_since {
        let age = duration(now.since(since));
        let _ = write!(text, " since {} ({age})", local_time(since));
    }
    match (&status.error, &status.target) {
        (Some(failure), _) => drop(write!(text, ": {}", failed_step(failure))),
        (None, Some(target)) => drop(write!(text, " to get to {}", one_line(target))),
        (None, None) => {}
    }
    let _ = match &status.last {
        Some(last) => {
            let age = duration(now.since(last.finished_at));
            let (generation, path) = (last.generation, one_line(&last.path));
            write!(text, "\nthe last good one is generation {generation} in {path}, {age} old; ")
        }
        None => write!(text, "\nthere is no good one yet; "),
    };
    let changes = count(status.changes_since, "change");
    let _ = write!(
        text,
        "{changes} since\nhint: make room there, or save elsewhere with \
         `torcctl snapshot --wait --path PATH`; `torcctl status` shows when they succeed again"
    );
    text
}

/// Returns what failed: the step, the place, and why.
#[must_use]
pub fn failed_step(failure: &SnapshotFailure) -> String {
    let SnapshotFailure { path, phase, errno, reason, .. } = failure;
    let mut text = format!("step '{phase}' of {} failed: {}", one_line(path), one_line(reason));
    // The system's own words have the number already.
    if let Some(errno) = errno
        && !reason.contains("os error")
    {
        let _ = write!(text, " (os error {errno})");
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use torc_protocol::id::Generation;
    use torc_protocol::view::{SnapshotPhase, SnapshotView};

    use super::*;

    /// A torcd whose snapshots fail.
    pub(crate) fn failing() -> SnapshotStatusView {
        SnapshotStatusView {
            target: Some("/x/torc.db".to_owned()),
            last: Some(SnapshotView {
                generation: Generation(4),
                changes: 10,
                path: "/x/torc.db".to_owned(),
                bytes: 90_112,
                sha256: String::new(),
                started_at: Timestamp(0),
                finished_at: Timestamp(10_000_000),
                phases: Vec::new(),
            }),
            changes_since: 123,
            error: Some(SnapshotFailure {
                path: "/x/torc.db".to_owned(),
                phase: SnapshotPhase::Write,
                errno: Some(28),
                reason: "no space left on device".to_owned(),
                kept: None,
            }),
            failing_since: Some(Timestamp(40_000_000)),
            ..SnapshotStatusView::default()
        }
    }

    /// Returns the warning without the local time, which is another one elsewhere.
    fn warning(status: &SnapshotStatusView) -> String {
        let time = local_time(Timestamp(40_000_000));
        text(status, Timestamp(100_000_000)).replace(&time, "TIME")
    }

    #[test]
    fn the_warning_tells_what_fails_and_what_is_safe() {
        insta::assert_snapshot!(warning(&failing()), @r"
        warning: snapshots fail since TIME (1 m 00 s): step 'write' of /x/torc.db failed: no space left on device (os error 28)
        the last good one is generation 4 in /x/torc.db, 1 m 30 s old; 123 changes since
        hint: make room there, or save elsewhere with `torcctl snapshot --wait --path PATH`; `torcctl status` shows when they succeed again
        ");
    }

    #[test]
    fn without_a_good_one_that_is_said() {
        let status = SnapshotStatusView { last: None, changes_since: 1, ..failing() };
        let warning = warning(&status);
        assert!(warning.contains("\nthere is no good one yet; 1 change since\n"), "{warning}");
    }

    #[test]
    fn the_number_of_the_error_is_said_once() {
        let failure = failing().error.unwrap();
        let told = "step 'write' of /x/torc.db failed: no space left on device";
        assert_eq!(failed_step(&failure), format!("{told} (os error 28)"));
        let reason = "no space left on device (os error 28)".to_owned();
        assert_eq!(
            failed_step(&SnapshotFailure { reason, ..failure }),
            format!("{told} (os error 28)")
        );
    }
}
