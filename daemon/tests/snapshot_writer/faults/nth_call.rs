//! Every call of the writer fails once, in every way that it can.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicUsize, Ordering};

use torc_protocol::view::SnapshotPhase;
use torcd::snapshot_writer::event::WriterEvent;

use super::disk::{Answer, Call, Hook, Hooked, Log, Op};
use super::findings::State;
use super::images::Images;
use super::scene::{Outcome, Scenario, Scene, each};

const EINTR: i32 = 4;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ESTALE: i32 = 116;
const EDQUOT: i32 = 122;

/// How a call can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// With this error.
    Once(i32),
    /// With this error, and every call after it as well.
    ForGood(i32),
    /// It does half of what was asked, and goes on.
    Short,
    /// It does half of what was asked, and the next one fails.
    ShortThen(i32),
    /// It writes nothing, and says so.
    Nothing,
}

const FAULTS: [Fault; 12] = [
    Fault::Once(EIO),
    Fault::Once(ENOSPC),
    Fault::Once(EDQUOT),
    Fault::Once(EACCES),
    Fault::Once(ESTALE),
    Fault::Once(EROFS),
    Fault::Once(EINTR),
    Fault::ForGood(EIO),
    Fault::ForGood(ESTALE),
    Fault::Short,
    Fault::ShortThen(ENOSPC),
    Fault::Nothing,
];

impl Fault {
    /// Returns whether a call can fail so.
    fn is_possible(self, op: Op) -> bool {
        match self {
            Self::Once(_) | Self::ForGood(_) => true,
            Self::Short => matches!(op, Op::Write | Op::Read),
            Self::ShortThen(_) | Self::Nothing => op == Op::Write,
        }
    }

    fn errno(self) -> Option<i32> {
        match self {
            Self::Once(errno) | Self::ForGood(errno) | Self::ShortThen(errno) => Some(errno),
            Self::Short | Self::Nothing => None,
        }
    }
}

/// Fails the `at`th call, counted from 0.
#[derive(Debug)]
pub(super) struct Failing {
    at: usize,
    fault: Fault,
    count: Cell<usize>,
    /// All calls; what failed first is the `at`th.
    calls: RefCell<Vec<Call>>,
}

impl Failing {
    pub(super) fn new(at: usize, fault: Fault) -> Self {
        Self { at, fault, count: Cell::new(0), calls: RefCell::default() }
    }

    /// Returns the call that was the first to fail, and those that came after it.
    fn hit(&self) -> Option<(Call, Vec<Call>)> {
        let calls = self.calls.borrow();
        let hit = self.at + usize::from(matches!(self.fault, Fault::ShortThen(_)));
        calls.get(hit).cloned().map(|call| (call, calls[hit + 1..].to_vec()))
    }
}

impl Hook for Failing {
    fn before(&self, call: &Call) -> Answer {
        let number = self.count.replace(self.count.get() + 1);
        self.calls.borrow_mut().push(call.clone());
        match self.fault {
            Fault::Once(errno) if number == self.at => Answer::Fail(errno),
            Fault::ForGood(errno) if number >= self.at => Answer::Fail(errno),
            Fault::Short | Fault::ShortThen(_) if number == self.at => Answer::Half,
            Fault::ShortThen(errno) if number == self.at + 1 => Answer::Fail(errno),
            Fault::Nothing if number == self.at => Answer::Lie,
            _ => Answer::Do,
        }
    }
}

/// Returns what the writer calls in a scenario when nothing fails.
pub(super) fn calls(images: &Images, scenario: Scenario) -> Vec<Call> {
    let disk = Hooked { hook: Log::default(), links: scenario.links };
    let outcome = Scene::new(images, scenario).write_on(&disk, scenario.there + 1);
    outcome.result.unwrap();
    disk.hook.0.into_inner()
}

/// Has one call fail, and returns what is wrong afterwards, and after the next writer.
fn fail_one(images: &Images, scenario: Scenario, at: usize, fault: Fault) -> Vec<String> {
    let scene = Scene::new(images, scenario);
    let disk = Hooked { hook: Failing::new(at, fault), links: scenario.links };
    let outcome = scene.write_on(&disk, scenario.there + 1);
    let mut state = State::seen(&scene.target);
    // A directory as it was in the beginning is loaded, and followed by a writer, once for each call.
    let is_other = fault == FAULTS[0] || state.names != scene.before.names;
    if is_other {
        state = State::of(&scene.target);
    }
    let acknowledged = scenario.there + u64::from(outcome.result.is_ok());
    let mut findings = state.findings(acknowledged);
    findings.extend(state.losses(&scene.before, scenario.keep));
    findings.extend(untouched(&scene, &state, &outcome));
    if let Some((call, later)) = disk.hook.hit() {
        findings.extend(report(&scene, &outcome, fault, &call));
        findings.extend(repeated(&call, &later));
        findings.extend(given_up(&scene, &outcome, fault, &call, &later));
        if !matches!(fault, Fault::ForGood(_)) && !state.temporary().is_empty() {
            findings.push(format!("a temporary file stays: {:?}", state.temporary()));
        }
    } else {
        findings.push("the call never came".to_owned());
    }
    if is_other {
        findings.extend(go_on(&scene, &state));
    }
    findings
}

/// Has another writer come, which is not disturbed, and returns what is wrong after it.
pub(super) fn go_on(scene: &Scene<'_>, state: &State) -> Vec<String> {
    let (next, keep) = (scene.scenario.there + 2, scene.scenario.keep);
    match scene.write(Log::default(), next).result {
        Ok(_) => {
            let after = State::seen(&scene.target);
            let mut findings = after.findings(next);
            findings.extend(after.leftovers(state, keep, next));
            findings.extend(after.doubles());
            findings
        }
        Err(failure) => vec![format!("the next one fails: {}", failure.reason)],
    }
}

/// Until the last step nothing that was there is touched.
fn untouched(scene: &Scene<'_>, state: &State, outcome: &Outcome) -> Option<String> {
    let failed =
        outcome.result.as_ref().is_err_and(|failure| failure.phase != SnapshotPhase::Publish);
    let mut there = state.names.clone();
    there.retain(|name, _| !name.starts_with('.'));
    (failed && there != scene.before.names)
        .then(|| format!("touched: {:?}, now {there:?}", scene.before.names))
}

/// A failure says which file, which step, and what the system said.
fn report(scene: &Scene<'_>, outcome: &Outcome, fault: Fault, call: &Call) -> Vec<String> {
    let mut findings = Vec::new();
    let mut expect = |holds: bool, what: &str| {
        if !holds {
            findings.push(format!("{what} in {:?} for {call:?}", outcome.result));
        }
    };
    match &outcome.result {
        Ok(report) => {
            let is_last = outcome.events.last() == Some(&WriterEvent::Done(report.clone()));
            expect(is_last, "the end is not told");
        }
        Err(failure) => {
            let is_last = outcome.events.last() == Some(&WriterEvent::Failed(failure.clone()));
            expect(is_last, "the end is not told");
            expect(failure.path == scene.target.to_str().unwrap(), "the target is not named");
            expect(failure.phase == outcome.phase(), "the step is another");
            expect(failure.errno == fault.errno(), "the number is another");
            let named = call.name.iter().chain([&call.path]).any(|path| {
                failure.reason.contains(path.to_str().unwrap())
                    || (call.op == Op::List
                        && failure.reason.contains(scene.target.to_str().unwrap()))
            });
            expect(named, "the file is not named");
            let text = fault.errno().map(|errno| format!("os error {errno}"));
            expect(text.is_none_or(|text| failure.reason.contains(&text)), "no reason");
        }
    }
    findings
}

/// A sync that failed is never repeated for the same file, nor is a close.
fn repeated(call: &Call, later: &[Call]) -> Option<String> {
    let is_final = matches!(call.op, Op::Sync | Op::Close);
    (is_final && later.contains(call)).then(|| format!("repeated: {call:?}"))
}

/// What nothing depends on may fail, and what was interrupted is repeated; all else ends the writer.
fn given_up(
    scene: &Scene<'_>,
    outcome: &Outcome,
    fault: Fault,
    call: &Call,
    later: &[Call],
) -> Option<String> {
    let dir = scene.target.parent().unwrap();
    let is_published = !later.iter().any(|call| call.op == Op::SyncDir && call.path == dir)
        && (call.op, call.path.as_path()) != (Op::SyncDir, dir);
    let is_harmless = matches!(call.op, Op::FreeBytes | Op::ForgetCached)
        // A directory that is not ours.
        || (call.op == Op::SyncDir && call.path != dir && fault == Fault::Once(EACCES));
    let is_repeated = matches!(
        call.op,
        Op::LookAtDir
            | Op::List
            | Op::Look
            | Op::Create
            | Op::Write
            | Op::Open
            | Op::Read
            | Op::Close
    );
    let goes_on = match fault {
        Fault::Once(EINTR) => is_harmless || is_repeated,
        Fault::Once(_) => is_harmless,
        Fault::Short => true,
        Fault::ForGood(_) | Fault::ShortThen(_) | Fault::Nothing => false,
    };
    let is_done = outcome.result.is_ok();
    (!is_published && is_done != goes_on).then(|| format!("{call:?} gave {:?}", outcome.result))
}

#[test]
fn whichever_call_fails_what_was_acknowledged_is_there_and_the_next_one_succeeds() {
    let images = Images::new();
    let (points, runs) = (AtomicUsize::new(0), AtomicUsize::new(0));
    each(Scenario::all(), |scenario| {
        let calls = calls(&images, scenario);
        for (at, call) in calls.iter().enumerate() {
            for fault in FAULTS.into_iter().filter(|fault| fault.is_possible(call.op)) {
                let findings = fail_one(&images, scenario, at, fault);
                let place = format!("{scenario:?}, {fault:?} at {at}, {call:?}");
                assert!(findings.is_empty(), "{place}:\n{}", findings.join("\n"));
                runs.fetch_add(1, Ordering::Relaxed);
            }
        }
        points.fetch_add(calls.len(), Ordering::Relaxed);
    });
    images.assert_intact();
    let (points, runs) = (points.into_inner(), runs.into_inner());
    println!(
        "a call fails: {} scenarios, {points} points, {} kinds, {runs} faults, \
         the next writer after each: all green",
        Scenario::all().len(),
        FAULTS.len()
    );
    assert!(points > 500 && runs > 5000, "{points} points, {runs} runs");
}
