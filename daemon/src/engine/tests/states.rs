//! The table of `docs/job-states.md`, row by row.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::{EngineTest, Outcome, SECOND, W, cpus, retries};
use crate::engine::action::Action;
use crate::engine::job::{Settings, State};
use crate::engine::submission::{Halt, Limit};

/// Read when it is asked for: the package that is published has no such page.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/job-states.md");
    std::fs::read_to_string(path).unwrap()
});

/// A row: a state, none for a new job; what happens; and the state that follows.
type Row = (Option<State>, &'static str, State);

fn state(name: &str) -> Option<State> {
    State::ALL.into_iter().find(|state| format!("{state:?}").to_lowercase() == name)
}

pub(super) fn rows() -> Vec<Row> {
    let table = PAGE.split("| state | event | next state |").nth(1).unwrap();
    let lines = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 3, "{line}");
        let before = state(cells[0]);
        assert!(before.is_some() || cells[0] == "new", "{line}");
        (before, cells[1], state(cells[2]).unwrap())
    };
    lines.map(row).collect()
}

/// Returns from which state to which other a job may go.
pub(super) fn changes() -> BTreeSet<(State, State)> {
    let changes = rows().into_iter().filter_map(|(before, _, after)| Some((before?, after)));
    changes.filter(|(before, after)| before != after).collect()
}

/// The job `x` that a row tells of, in the state where the row begins. It waits for `a` and `b` where
/// it waits for others; `c` is there to fail.
struct Case {
    t: EngineTest,
    before: Option<State>,
    event: &'static str,
}

impl Case {
    fn new(before: Option<State>, event: &'static str) -> Self {
        let waits = event.contains("a job that it waits for")
            || event.contains("job that it waits for completes")
            || event.contains("it waits for a job")
            || (before == Some(State::Blocked) && !event.contains("delay"));
        let mut t = EngineTest::graph(if waits { "a -> x; b -> x; c" } else { "a; b; c; x" });
        t = t.settings("x", |x| *x = settings(before, event));
        if event.contains("gives up") {
            let now = event.ends_with("at once");
            t = t.with(|next| next.halt = Some(Halt { after: 1, now }));
        }
        if event.contains("time of its workflow") || event.contains("time that is left") {
            t = t.with(|next| next.limit = Some(Limit { stop_at: 10 * SECOND }));
        }
        if event.contains("failed before") {
            t = t.given("a", State::Failed);
        }
        t = match before {
            // So that whatever is found out is told.
            None => t.given("x", State::Running),
            Some(state) if state.is_final() || state == State::Disabled => t.given("x", state),
            Some(_) => t,
        };
        Self { t, before, event }
    }

    /// Brings the job to where the row begins.
    fn begin(mut self) -> Self {
        let Some(before) = self.before else { return self };
        self.t = self.t.submitted();
        let t = &mut self.t;
        if before == State::Running {
            t.starts("x");
        } else if before == State::Blocked && self.event.contains("delay") {
            t.fails("x");
        } else if self.event.starts_with("the last job") {
            t.completes("a");
        }
        assert_eq!(t.engine.job(t.key("x")).map(|job| job.state), Some(before), "{}", self.event);
        t.out.clear();
        self
    }

    /// Lets it happen, and returns the state that is told next of the job.
    fn next(mut self) -> State {
        let t = &mut self.t;
        let x = t.key("x");
        let (what, _) = self.event.split_once(", and").unwrap_or((self.event, ""));
        match what {
            "it waits for a job that has not ended"
            | "it waits for none"
            | "a job that it waits for has failed before" => self.t = self.t.submitted(),
            "there is room" => ["a", "b", "c"].into_iter().for_each(|name| t.completes(name)),
            "the last job that it waits for completes" => t.completes("b"),
            "another job that it waits for completes" | "a job that it waits for completes" => {
                t.completes("a");
            }
            "a job that it waits for fails" => {
                t.fails("a");
                t.completes("b");
            }
            "a job that it waits for is canceled" => {
                t.engine.cancel_job(t.key("a"), &mut t.out);
                t.ends("a", Outcome::Withdrawn, 0);
            }
            "a job that it waits for is terminated" => t.ends("a", Outcome::Stopped, 1),
            "the delay of its retry is over" => t.later(SECOND),
            "its run time is longer than the time that is left" => {
                t.later(6 * SECOND);
                t.completes("a");
            }
            "the time of its workflow is over" => t.later(10 * SECOND),
            "so many jobs have failed that its workflow gives up"
            | "so many jobs have failed that its workflow gives up at once" => t.fails("c"),
            "it is disabled" => assert!(t.engine.disable(x, &mut t.out).is_some()),
            "it is enabled" => assert!(t.engine.enable(x, &mut t.out).is_some()),
            "it is canceled" => assert!(t.engine.cancel_job(x, &mut t.out).is_some()),
            "its workflow is canceled" => assert!(t.engine.cancel(W, &mut t.out).is_some()),
            "torcd stops" => t.engine.stop(&mut t.out),
            "torcd stops, to run it again" => {
                t.engine.stop(&mut t.out);
                t.out.clear();
                t.ends("x", Outcome::Interrupted, 1);
            }
            "torcd waits for the jobs that run" => {
                t.engine.hold(&mut t.out);
                let withdraws =
                    |action: &Action| matches!(action, Action::Withdraw { job, .. } if *job == x);
                if t.out.iter().any(withdraws) {
                    t.ends("x", Outcome::Withdrawn, 0);
                }
            }
            "its worker is lost" => {
                t.engine.worker_gone();
                let runs = self.before == Some(State::Running);
                t.ends("x", if runs { Outcome::Failure } else { Outcome::Withdrawn }, 0);
            }
            "its process starts" => t.starts("x"),
            "it ends with exit code 0" => t.completes("x"),
            "it ends with another code" | "it cannot be started" => t.fails("x"),
            "it fails in a way that another try cannot mend" => {
                t.ends("x", Outcome::Unretryable, 1);
            }
            "it runs longer than it may" => t.ends("x", Outcome::TimedOut, 1),
            other => panic!("nobody knows how this happens: {other}"),
        }
        self.stop_if_told();
        self.told()
    }

    /// Does what the worker does when it is told to stop the job.
    fn stop_if_told(&mut self) {
        let x = self.t.key("x");
        let stops = |action: &Action| matches!(action, Action::Stop { job, .. } if *job == x);
        if self.t.out.iter().any(stops) {
            let runs = self.before == Some(State::Running);
            self.t.ends("x", if runs { Outcome::Stopped } else { Outcome::Withdrawn }, 1);
        }
    }

    /// Returns the state that was told first of the job; nothing is told when it stays.
    fn told(&self) -> State {
        let x = self.t.key("x");
        let waited = self.before.is_some_and(State::is_waiting);
        let told = self.t.out.iter().find_map(|action| match action {
            Action::Set { job, state, .. } if *job == x => Some(*state),
            Action::Assign { job, .. } if *job == x => Some(State::Pending),
            Action::CancelWaiting(..) if waited => Some(State::Canceled),
            _ => None,
        });
        told.or(self.before).unwrap()
    }
}

/// Returns the settings of the job that a row tells of.
fn settings(before: Option<State>, event: &str) -> Settings {
    let delayed = event.contains("delay");
    let again = u32::from(delayed || event.contains("may be tried again"));
    // A ready job has no room: `a`, `b` and `c` run.
    let need = cpus(if before == Some(State::Ready) { 4 } else { 1 });
    Settings {
        need,
        retry_delay: if delayed { SECOND } else { 0 },
        cancel_on_failure: !event.contains("is false"),
        runtime: event.starts_with("its run time").then_some(5 * SECOND),
        ..retries(again)
    }
}

#[test]
fn every_row_of_the_page_is_what_the_engine_does() {
    let rows = rows();
    assert!(rows.len() > 50, "the table is found");
    for (before, event, after) in rows {
        let next = Case::new(before, event).begin().next();
        assert_eq!(next, after, "{before:?}: {event}");
    }
}

#[test]
fn the_page_names_every_state() {
    let named: BTreeSet<State> = rows().into_iter().map(|(_, _, after)| after).collect();
    assert_eq!(named.len(), State::ALL.len());
    for state in State::ALL {
        let name = format!("{state:?}").to_lowercase();
        assert!(PAGE.contains(&format!("| `{name}` |")), "{name}");
    }
}
