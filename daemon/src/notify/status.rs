//! How a daemon is, in a line for people.

use torc_protocol::time::Timestamp;
use torc_protocol::view::SnapshotStatusView;

use crate::dispatcher::input::Totals;

/// Returns how a daemon is. A database that is not in memory needs no snapshot to be safe.
pub(super) fn text(totals: &Totals, snapshot: &SnapshotStatusView, in_memory: bool) -> String {
    format!("{}; {}", jobs(totals), record(totals, snapshot, in_memory))
}

fn jobs(totals: &Totals) -> String {
    let counts = &totals.jobs;
    let mut text = match counts.running {
        0 => "no job runs".to_owned(),
        1 => "1 job runs".to_owned(),
        more => format!("{more} jobs run"),
    };
    match counts.pending + counts.ready + counts.blocked {
        0 => {}
        1 => text.push_str(", 1 waits"),
        more => text = format!("{text}, {more} wait"),
    }
    if totals.held {
        text.push_str("; torcd starts none, and ends when none runs");
    }
    if totals.broken {
        text.push_str("; the database takes NO MORE CHANGES");
    }
    text
}

fn record(totals: &Totals, snapshot: &SnapshotStatusView, in_memory: bool) -> String {
    if let Some(since) = snapshot.failing_since {
        let reason = snapshot.error.as_ref().map_or("", |error| &error.reason);
        return format!("snapshots FAIL since {}: {reason}", moment(since));
    }
    let last = snapshot.last.as_ref().map(|last| {
        let name = format!("snapshot {} of {}", last.generation, moment(last.finished_at));
        (name, totals.changes.saturating_sub(last.changes))
    });
    let state = match (last, in_memory) {
        (None, true) => "no snapshot yet".to_owned(),
        (None, false) => "database on disk".to_owned(),
        (Some((name, _)), false) => format!("database on disk; {name}"),
        (Some((name, 0)), true) => format!("{name}, saved"),
        (Some((name, 1)), true) => format!("{name}, 1 change not yet saved"),
        (Some((name, changes)), true) => format!("{name}, {changes} changes not yet saved"),
    };
    match snapshot.phase {
        Some(phase) => format!("{state}; the next is under way: {phase}"),
        None => state,
    }
}

/// Returns the local time; with the date, unless it is of today.
fn moment(moment: Timestamp) -> String {
    let Ok(moment) = jiff::Timestamp::from_microsecond(moment.0) else { return "?".to_owned() };
    let zone = jiff::tz::TimeZone::system();
    let local = |at: jiff::Timestamp| at.to_zoned_datetime(zone.clone());
    let (moment, now) = (local(moment), local(jiff::Timestamp::now()));
    let format = if moment.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" };
    moment.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use torc_protocol::id::Generation;
    use torc_protocol::view::{JobCounts, SnapshotFailure, SnapshotPhase, SnapshotView};

    use super::*;

    fn totals(running: u64, waiting: u64, changes: u64) -> Totals {
        let jobs = JobCounts { running, blocked: waiting, ..JobCounts::default() };
        Totals { workflows: 1, jobs, changes, ..Totals::default() }
    }

    fn saved() -> SnapshotStatusView {
        let at = Timestamp(1_000_000);
        let last = SnapshotView {
            generation: Generation(17),
            changes: 100,
            path: "/x.db".to_owned(),
            bytes: 1,
            sha256: String::new(),
            started_at: at,
            finished_at: at,
            phases: Vec::new(),
        };
        SnapshotStatusView { last: Some(last), ..SnapshotStatusView::default() }
    }

    #[test]
    fn jobs_are_counted_in_words() {
        for (running, waiting, expected) in [
            (0, 0, "no job runs"),
            (0, 1, "no job runs, 1 waits"),
            (1, 0, "1 job runs"),
            (3, 120, "3 jobs run, 120 wait"),
        ] {
            assert_eq!(jobs(&totals(running, waiting, 0)), expected);
        }
    }

    #[test]
    fn what_keeps_jobs_from_starting_is_told() {
        let held = Totals { held: true, ..totals(2, 0, 0) };
        assert_eq!(jobs(&held), "2 jobs run; torcd starts none, and ends when none runs");
        let broken = Totals { broken: true, ..totals(0, 0, 0) };
        assert_eq!(jobs(&broken), "no job runs; the database takes NO MORE CHANGES");
    }

    #[test]
    fn what_is_not_saved_is_told_of_a_database_in_memory() {
        let none = SnapshotStatusView::default();
        assert_eq!(record(&totals(0, 0, 7), &none, true), "no snapshot yet");
        assert_eq!(record(&totals(0, 0, 7), &none, false), "database on disk");
        let long_ago = moment(Timestamp(1_000_000));
        for (changes, expected) in
            [(100, "saved"), (101, "1 change not yet saved"), (314, "214 changes not yet saved")]
        {
            let text = record(&totals(0, 0, changes), &saved(), true);
            assert_eq!(text, format!("snapshot 17 of {long_ago}, {expected}"));
        }
        let on_disk = record(&totals(0, 0, 314), &saved(), false);
        assert_eq!(on_disk, format!("database on disk; snapshot 17 of {long_ago}"));
    }

    #[test]
    fn the_step_and_the_failure_are_told() {
        let busy = SnapshotStatusView { phase: Some(SnapshotPhase::Sync), ..saved() };
        let text = record(&totals(0, 0, 100), &busy, true);
        assert!(text.ends_with(", saved; the next is under way: sync"), "{text}");
        let failure = SnapshotFailure {
            path: "/x.db".to_owned(),
            phase: SnapshotPhase::Write,
            errno: Some(28),
            reason: "no space left on device".to_owned(),
            kept: None,
        };
        let since = Timestamp::now();
        let failing =
            SnapshotStatusView { error: Some(failure), failing_since: Some(since), ..busy };
        let text = text_of(&failing);
        assert_eq!(
            text,
            format!("no job runs; snapshots FAIL since {}: no space left on device", moment(since))
        );
    }

    fn text_of(snapshot: &SnapshotStatusView) -> String {
        text(&totals(0, 0, 100), snapshot, true)
    }
}
