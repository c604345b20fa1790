//! What must hold at a target, whatever happened: each breach is a finding.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;

use torcd::snapshot::load::{Loaded, load};
use torcd::snapshot_writer::rotation::older;
use torcd::store::verify::{VerifyError, verify};

/// What is at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Every name in its directory, and the inode behind it.
    pub(super) names: BTreeMap<String, u64>,
    /// The generation at the target itself: none when nothing is there, an error when it is not a
    /// whole snapshot.
    pub(super) newest: Option<Result<u64, String>>,
    /// Those under the names of older ones, newest first.
    pub(super) older: Vec<Result<u64, String>>,
    /// What a torcd that starts now begins with.
    pub(super) loaded: Result<Option<u64>, String>,
}

impl State {
    /// Looks at a target, and begins with what is there as torcd does.
    pub(super) fn of(target: &Path) -> Self {
        let seen = Self::seen(target);
        Self { loaded: loaded(target), ..seen }
    }

    /// Looks at a target only, and takes it that torcd begins with the newest name.
    pub(super) fn seen(target: &Path) -> Self {
        let names = fs::read_dir(target.parent().unwrap()).into_iter().flatten().map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().ino())
        });
        let newest = generation(target);
        Self {
            names: names.collect(),
            loaded: newest.clone().transpose(),
            newest,
            older: older(target).unwrap().values().filter_map(|path| generation(path)).collect(),
        }
    }

    /// Returns the generations that are there, each once, newest first.
    pub(super) fn generations(&self) -> Vec<u64> {
        let all: BTreeSet<_> = self.newest.iter().chain(&self.older).flatten().copied().collect();
        all.into_iter().rev().collect()
    }

    /// Returns the names of files that are not meant to stay.
    pub(super) fn temporary(&self) -> Vec<&String> {
        self.names.keys().filter(|name| name.starts_with('.')).collect()
    }

    /// What holds always, in the middle of everything: the target is a whole snapshot, and so is what
    /// torcd begins with, and neither is older than what was acknowledged; an older one is whole.
    /// `acknowledged` is 0 when nothing was.
    pub(super) fn findings(&self, acknowledged: u64) -> Vec<String> {
        let mut findings = Vec::new();
        match &self.newest {
            Some(Ok(generation)) if *generation >= acknowledged => {}
            None if acknowledged == 0 => {}
            other => {
                let there = format!("at the target: {other:?}");
                findings.push(format!("{acknowledged} was acknowledged, {there}"));
            }
        }
        match &self.loaded {
            Ok(generation) if generation.unwrap_or(0) >= acknowledged => {}
            other => findings.push(format!("{acknowledged} was acknowledged, loaded: {other:?}")),
        }
        for broken in self.older.iter().filter_map(|older| older.as_ref().err()) {
            findings.push(format!("an older one: {broken}"));
        }
        findings
    }

    /// What holds in addition when a writer with `keep` has ended or was killed, that found `before`:
    /// it costs the oldest one at most, and that only when there are too many.
    pub(super) fn losses(&self, before: &Self, keep: u32) -> Vec<String> {
        let there = self.generations();
        let stay = before.generations().into_iter().take(keep as usize - 1);
        stay.filter(|generation| !there.contains(generation))
            .map(|generation| format!("generation {generation} is gone: {there:?}"))
            .collect()
    }

    /// What holds when a writer with `keep` was not disturbed: the new one and the newest of those that
    /// were there `before`, and nothing else.
    pub(super) fn leftovers(&self, before: &Self, keep: u32, written: u64) -> Vec<String> {
        let mut expected = vec![written];
        expected.extend(before.generations());
        expected.truncate(keep as usize);
        let there = self.generations();
        let mut findings = Vec::new();
        if there != expected {
            findings.push(format!("there are {there:?}, and should be {expected:?}"));
        }
        if !self.temporary().is_empty() {
            findings.push(format!("a temporary file stays: {:?}", self.temporary()));
        }
        findings
    }

    /// What holds in addition where no power was cut: no older one is there twice, nor anything else.
    pub(super) fn doubles(&self) -> Option<String> {
        let expected = self.generations().len();
        (self.names.len() != expected).then(|| format!("more is there: {:?}", self.names))
    }
}

/// Returns the generation of a whole snapshot. A file is looked into once only: a file system in
/// memory gives no number twice.
fn generation(path: &Path) -> Option<Result<u64, String>> {
    type Known = Mutex<BTreeMap<(u64, u64, i64, i64), Option<Result<u64, String>>>>;
    static KNOWN: Known = Mutex::new(BTreeMap::new());
    let there = fs::symlink_metadata(path).ok()?;
    let key = (there.ino(), there.len(), there.mtime(), there.mtime_nsec());
    if let Some(known) = KNOWN.lock().unwrap().get(&key) {
        return known.clone();
    }
    let found = read_generation(path);
    KNOWN.lock().unwrap().insert(key, found.clone());
    found
}

fn read_generation(path: &Path) -> Option<Result<u64, String>> {
    match verify(path) {
        Ok(identity) => Some(Ok(identity.generation.0)),
        Err(VerifyError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(found) => Some(Err(format!("{}: {found}", path.display()))),
    }
}

/// Begins as torcd does, and looks that nothing had to be set aside.
fn loaded(target: &Path) -> Result<Option<u64>, String> {
    let dir = target.parent().and_then(Path::parent).unwrap();
    let into = dir.join("loaded");
    let loaded = load(target, &into).map_err(|error| error.to_string())?;
    match loaded {
        Loaded::Nothing => Ok(None),
        Loaded::Snapshot { generation, quarantined, .. } => {
            fs::remove_file(into).unwrap();
            if quarantined.is_empty() {
                Ok(Some(generation.0))
            } else {
                Err(format!("damaged: {quarantined:?}"))
            }
        }
    }
}
