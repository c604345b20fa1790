//! A target with snapshots at it, and a writer in this very process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use bytes::BytesMut;
use tempfile::TempDir;
use tokio_util::codec::Decoder;
use torc_protocol::codec::Codec;
use torc_protocol::id::Generation;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase};
use torcd::snapshot_writer::event::{WriterEvent, WriterReport};
use torcd::snapshot_writer::rotation::numbered;
use torcd::snapshot_writer::{Args, write_with};

use super::disk::{Hook, Hooked};
use super::findings::State;
use super::images::Images;

/// What there is before, and what is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    /// How many snapshots stay.
    pub(super) keep: u32,
    /// How many there are: generation `there` at the target, the one before as `.1`, and so on.
    pub(super) there: u64,
    /// Whether the file system has hard links.
    pub(super) links: bool,
    /// Whether the directory is there. It is where there are snapshots.
    pub(super) dir: bool,
}

impl Scenario {
    /// Returns every combination that makes a difference.
    pub(super) fn all() -> Vec<Self> {
        let places = [(0, false), (0, true), (1, true), (3, true), (5, true)];
        let scenarios = [1, 3].into_iter().flat_map(|keep| {
            [true, false]
                .into_iter()
                .flat_map(move |links| places.map(|(there, dir)| Self { keep, there, links, dir }))
        });
        scenarios.collect()
    }
}

/// How a writer ended, and what it said on the way.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) result: Result<WriterReport, SnapshotFailure>,
    pub(super) events: Vec<WriterEvent>,
}

impl Outcome {
    /// Returns the last step that was told.
    pub(super) fn phase(&self) -> SnapshotPhase {
        let phase = |event: &WriterEvent| match event {
            WriterEvent::Phase(phase) => Some(*phase),
            _ => None,
        };
        self.events.iter().rev().find_map(phase).unwrap()
    }
}

/// A scenario that was set up.
#[derive(Debug)]
pub(super) struct Scene<'i> {
    pub(super) images: &'i Images,
    pub(super) scenario: Scenario,
    pub(super) target: PathBuf,
    /// As it was set up.
    pub(super) before: State,
    dir: TempDir,
}

impl<'i> Scene<'i> {
    pub(super) fn new(images: &'i Images, scenario: Scenario) -> Self {
        let dir = images.scratch();
        let target = dir.path().join("out").join("torc.db");
        if scenario.dir {
            fs::create_dir(target.parent().unwrap()).unwrap();
        }
        for generation in 1..=scenario.there {
            let number = u32::try_from(scenario.there - generation).unwrap();
            let path = if number == 0 { target.clone() } else { numbered(&target, number) };
            fs::hard_link(images.path(generation), path).unwrap();
        }
        let before = State::seen(&target);
        Self { images, scenario, target, before, dir }
    }

    /// Returns a directory that is not the target's.
    pub(super) fn outside(&self) -> &Path {
        self.dir.path()
    }

    /// Writes generation `generation` to a disk with that hook.
    pub(super) fn write(&self, hook: impl Hook, generation: u64) -> Outcome {
        self.write_on(&Hooked { hook, links: self.scenario.links }, generation)
    }

    pub(super) fn write_on<H: Hook>(&self, disk: &Hooked<H>, generation: u64) -> Outcome {
        let mut told = Vec::new();
        let result = self.write_telling(disk, generation, &mut told);
        Outcome { result, events: decode(&told) }
    }

    pub(super) fn write_telling<H: Hook>(
        &self,
        disk: &Hooked<H>,
        generation: u64,
        listener: impl io::Write,
    ) -> Result<WriterReport, SnapshotFailure> {
        let args = Args {
            target: self.target.clone(),
            keep: self.scenario.keep,
            generation: Generation(generation),
        };
        write_with(disk, &args, self.images.open(generation), listener)
    }
}

/// Returns the events of a writer, which may have been killed.
pub(super) fn decode(told: &[u8]) -> Vec<WriterEvent> {
    let (mut codec, mut told) = (Codec::<WriterEvent, ()>::default(), BytesMut::from(told));
    std::iter::from_fn(|| codec.decode(&mut told).unwrap()).collect()
}

/// Calls `play` for each scenario, two at a time.
pub(super) fn each(scenarios: Vec<Scenario>, play: impl Fn(Scenario) + Sync) {
    let waiting = Mutex::new(scenarios);
    let next = || waiting.lock().unwrap().pop();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(scenario) = next() {
                    play(scenario);
                }
            });
        }
    });
}
