//! Each protection is taken out once, and what it protects from is found: so the loops that find
//! nothing look at the right things.
//!
//! A protection that is a call is taken out by a disk that only says it did it; one that is the choice
//! of a call, by a disk that does another.

use std::cell::Cell;

use torc_protocol::view::SnapshotPhase;

use super::disk::{Answer, Answering, Call, Log, Op};
use super::findings::State;
use super::images::Images;
use super::power_cut::{beginnings, cut_everywhere};
use super::scene::{Outcome, Scenario, Scene};

const EIO: i32 = 5;

/// Cuts the power everywhere on a disk that gives another answer to some calls, and insists that the
/// loss of something acknowledged is found in each scenario.
fn notices(
    what: &str,
    scenarios: impl Iterator<Item = Scenario>,
    answer: impl Fn(&Scene<'_>, &Call) -> Answer,
) {
    let images = Images::new();
    let mut examples = Vec::new();
    for scenario in scenarios {
        let cuts = cut_everywhere(&images, scenario, |scene, _, call| answer(scene, call));
        let is_loss = |finding: &String| {
            finding.contains(" was acknowledged") && !finding.starts_with("0 was")
        };
        let loss = cuts.findings.into_iter().find(is_loss);
        examples.push(loss.unwrap_or_else(|| panic!("{scenario:?}: nobody notices {what}")));
    }
    println!("{what}: noticed in {} series, as in `{}`", examples.len(), examples[0]);
}

#[test]
fn the_checker_notices_when_the_directory_is_not_synced() {
    notices("no sync of the directory", beginnings(), |scene, call| {
        let is_it = call.op == Op::SyncDir && Some(call.path.as_path()) == scene.target.parent();
        if is_it { Answer::Lie } else { Answer::Do }
    });
}

#[test]
fn the_checker_notices_when_the_directories_above_are_not_synced() {
    notices("no sync of the directories above", beginnings(), |scene, call| {
        let is_it = call.op == Op::SyncDir && Some(call.path.as_path()) != scene.target.parent();
        if is_it { Answer::Lie } else { Answer::Do }
    });
}

#[test]
fn the_checker_notices_when_the_file_is_not_synced() {
    notices("no sync of the file", beginnings(), |_, call| {
        if call.op == Op::Sync { Answer::Lie } else { Answer::Do }
    });
}

#[test]
fn the_checker_notices_when_the_target_is_renamed_away_first() {
    let rotating = |scenario: &Scenario| scenario.keep > 1 && scenario.links;
    notices("the target renamed away", beginnings().filter(rotating), |_, call| {
        if call.op == Op::Link { Answer::Rename } else { Answer::Do }
    });

    // And with the power on: the writer fails, or is killed, right after it.
    let images = Images::new();
    let scene = Scene::new(&images, Scenario { keep: 3, there: 2, links: true, dir: true });
    let is_over = Cell::new(false);
    let outcome = scene.write(
        Answering(|call: &Call| match call.op {
            _ if is_over.get() => Answer::Fail(EIO),
            Op::Link => {
                is_over.set(true);
                Answer::Rename
            }
            _ => Answer::Do,
        }),
        3,
    );
    assert_eq!(outcome.result.unwrap_err().errno, Some(EIO));
    let findings = State::of(&scene.target).findings(2);
    assert_eq!(findings, ["2 was acknowledged, at the target: None"]);
}

/// Writes to a disk that spoils a block, with the reading back and the look at the pages as they are,
/// or of a file that is not spoilt.
fn write_spoilt(scene: &Scene<'_>, reads_back: bool, looks: bool) -> Outcome {
    let sound = scene.images.path(2);
    let writes = Cell::new(0);
    scene.write(
        Answering(|call: &Call| match call.op {
            Op::Write if writes.replace(writes.get() + 1) == 1 => Answer::Flip,
            Op::Open if !reads_back => Answer::Instead(sound.clone()),
            Op::Verify if !looks => Answer::Instead(sound.clone()),
            _ => Answer::Do,
        }),
        2,
    )
}

#[test]
fn the_checker_notices_when_nothing_is_verified() {
    let images = Images::new();
    for keep in [1, 2] {
        let scenario = Scenario { keep, there: 1, links: true, dir: true };
        for (reads_back, looks, reason) in [
            (true, true, "is not what was written"),
            (true, false, "is not what was written"),
            (false, true, "does not pass"),
        ] {
            let scene = Scene::new(&images, scenario);
            let failure = write_spoilt(&scene, reads_back, looks).result.unwrap_err();
            assert_eq!(failure.phase, SnapshotPhase::Verify);
            assert!(failure.reason.contains(reason), "{}", failure.reason);
            assert_eq!(State::of(&scene.target), scene.before);
        }
        let scene = Scene::new(&images, scenario);
        write_spoilt(&scene, false, false).result.unwrap();
        let findings = State::of(&scene.target).findings(2);
        assert!(
            findings.iter().any(|found| found.contains("at the target: Some(Err(")),
            "{findings:?}"
        );
    }
}

#[test]
fn writers_that_fail_at_the_last_step_again_and_again_cost_no_older_snapshot() {
    let images = Images::new();
    for links in [true, false] {
        let scene = Scene::new(&images, Scenario { keep: 3, there: 3, links, dir: true });
        for generation in 4..8 {
            let last = Answering(|call: &Call| match &call.name {
                Some(name) if *name == scene.target => Answer::Fail(EIO),
                _ => Answer::Do,
            });
            scene.write(last, generation).result.unwrap_err();
            let state = State::of(&scene.target);
            assert_eq!(state.findings(3), [""; 0]);
            assert_eq!(state.losses(&scene.before, 3), [""; 0]);
        }
        scene.write(Log::default(), 8).result.unwrap();
        assert_eq!(State::of(&scene.target).generations(), [8, 3, 2]);
    }
}
