//! The power is cut at every moment of a series of snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::disk::{Answer, Call, Hooked, Log, Op};
use super::findings::State;
use super::images::Images;
use super::power::{Content, Files, History, Recorder};
use super::scene::{Scenario, Scene};

/// So many snapshots are taken, one after the other.
const SERIES: u64 = 5;

/// What came of cutting the power.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    pub(super) moments: usize,
    pub(super) states: usize,
    pub(super) findings: BTreeSet<String>,
}

/// Takes snapshots at a place where there is none, on a disk that does what `answer` says, and cuts
/// the power at each moment. `answer` gets the target with the call.
pub(super) fn cut_everywhere(
    images: &Images,
    scenario: Scenario,
    answer: impl Fn(&Scene<'_>, u64, &Call) -> Answer,
) -> Cuts {
    let scene = Scene::new(images, scenario);
    let dir = scene.target.parent().unwrap();
    let mut history = if scenario.dir { History::with_directory(dir) } else { History::default() };
    for generation in 1..=SERIES {
        let recorder = Recorder::new(|call: &Call| answer(&scene, generation, call), history);
        let disk = Hooked { hook: recorder, links: scenario.links };
        let outcome = scene.write_on(&disk, generation);
        history = disk.hook.into_history();
        if outcome.result.is_ok() {
            history.acknowledge(generation);
        }
    }
    let mut ruins = Ruins::new(images, scenario, &history);
    let mut cuts = Cuts::default();
    let mut seen = BTreeSet::new();
    cuts.moments = history.each_cut(dir, |acknowledged, files| {
        let files = ruins.relevant(files);
        if seen.insert((acknowledged, files.clone())) {
            let found = ruins.look_at(&files).findings(acknowledged);
            cuts.findings.extend(found);
        }
    });
    cuts.states = ruins.known.len();
    cuts.findings.extend(ruins.findings);
    cuts
}

/// What power cuts leave, looked at once each.
struct Ruins<'h> {
    images: &'h Images,
    scenario: Scenario,
    history: &'h History,
    known: BTreeMap<Files, State>,
    /// A file for each content.
    contents: BTreeMap<Content, PathBuf>,
    dir: TempDir,
    /// What was wrong after the next snapshot.
    findings: Vec<String>,
}

impl<'h> Ruins<'h> {
    fn new(images: &'h Images, scenario: Scenario, history: &'h History) -> Self {
        let (known, contents) = (BTreeMap::new(), BTreeMap::new());
        let dir = images.scratch();
        Self { images, scenario, history, known, contents, dir, findings: Vec::new() }
    }

    /// Makes one of those that differ in the contents of temporary files, which nobody reads.
    fn relevant(&self, files: Files) -> Files {
        files.map(|files| {
            let file = |(name, content): (std::ffi::OsString, Content)| {
                let is_temporary = name.to_string_lossy().starts_with('.');
                (name, if is_temporary { content.emptied() } else { content })
            };
            files.into_iter().map(file).collect()
        })
    }

    fn look_at(&mut self, files: &Files) -> State {
        if let Some(state) = self.known.get(files) {
            return state.clone();
        }
        let scene =
            Scene::new(self.images, Scenario { there: 0, dir: files.is_some(), ..self.scenario });
        for (name, content) in files.iter().flatten() {
            let path = self.file_of(*content);
            fs::hard_link(path, scene.target.with_file_name(name)).unwrap();
        }
        let state = State::of(&scene.target);
        self.known.insert(files.clone(), state.clone());
        // The next one comes after the reboot.
        let next = SERIES + 1;
        match scene.write(Log::default(), next).result {
            Ok(_) => {
                let after = State::seen(&scene.target);
                self.findings.extend(after.findings(next));
                self.findings.extend(after.leftovers(&state, self.scenario.keep, next));
            }
            Err(failure) => self.findings.push(format!("the next one fails: {}", failure.reason)),
        }
        state
    }

    fn file_of(&mut self, content: Content) -> PathBuf {
        let number = self.contents.len();
        let path = self.contents.entry(content).or_insert_with(|| {
            let path = self.dir.path().join(format!("content-{number}"));
            fs::write(&path, self.history.bytes(content)).unwrap();
            path
        });
        path.clone()
    }
}

/// Returns every way to begin where there is no snapshot. A directory that is there was made a moment
/// ago by somebody who synced nothing, as torcd does for its lease.
pub(super) fn beginnings() -> impl Iterator<Item = Scenario> {
    [1, 3].into_iter().flat_map(|keep| {
        [(true, true), (true, false), (false, true)].map(|(links, dir)| Scenario {
            keep,
            there: 0,
            links,
            dir,
        })
    })
}

#[test]
fn whenever_the_power_is_cut_what_was_acknowledged_is_there() {
    let images = Images::new();
    let (mut moments, mut states) = (0, 0);
    for scenario in beginnings() {
        let cuts = cut_everywhere(&images, scenario, |_, _, _| Answer::Do);
        assert!(cuts.findings.is_empty(), "{scenario:?}: {:#?}", cuts.findings);
        moments += cuts.moments;
        states += cuts.states;
    }
    println!(
        "the power is cut: {} series of {SERIES} snapshots, {moments} moments, {states} different \
         directories, each followed by a writer: all green",
        beginnings().count()
    );
    assert!(moments > 300 && states > 100, "{moments} moments, {states} states");
}

#[test]
fn snapshots_that_fail_in_between_cost_nothing_either() {
    let images = Images::new();
    let mut states = 0;
    for scenario in beginnings().filter(|scenario| scenario.keep > 1) {
        for op in [Op::Sync, Op::Rename, Op::SyncDir] {
            let cuts = cut_everywhere(&images, scenario, |scene, generation, call| {
                let is_last = match op {
                    Op::Rename => call.name.as_ref() == Some(&scene.target),
                    _ => true,
                };
                let fails = call.op == op && is_last && [3, 4].contains(&generation);
                if fails { Answer::Fail(5) } else { Answer::Do }
            });
            assert!(cuts.findings.is_empty(), "{scenario:?}, {op:?}: {:#?}", cuts.findings);
            states += cuts.states;
        }
    }
    println!("the power is cut among failures: {states} different directories: all green");
}
