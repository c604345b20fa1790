//! What must hold, whatever was killed.

use std::fs;
use std::path::{Path, PathBuf};

use torc_protocol::status::JobStatus;
use torc_tests::torc::names_in;

use crate::evidence::Evidence;
use crate::figures::Kind;
use crate::ledger::{Ledger, of_job};
use crate::plan::{Home, Starter};
use crate::record::Record;
use crate::round::Round;
use crate::stage::Stage;

/// At most so many faults of one check are told.
const TOLD: usize = 5;

impl Round<'_> {
    /// Checks that all that was acknowledged is in `record`, which is called `place`.
    pub(crate) fn expect_all(&self, ledger: &Ledger, record: &Record, place: &str) {
        let mut lost = Vec::new();
        for (id, name) in &ledger.workflows {
            match record.workflows.get(id) {
                Some((its, _)) if its == name => {}
                other => lost.push(format!("workflow {id} ({name}) is {other:?} there")),
            }
        }
        for (attempt, expected) in &ledger.results {
            match record.attempts.get(attempt) {
                Some(there) if there.agrees(*expected) => {}
                other => lost.push(format!("{attempt:?}, {expected:?}, is {other:?} there")),
            }
        }
        let count = lost.len();
        for text in lost.into_iter().take(TOLD) {
            self.fault(Kind::Lost, format!("of {count} not in {place}: {text}"));
        }
    }

    /// Reads a file that is to be whole, and counts it.
    pub(crate) fn read(&self, path: &Path) -> Option<Record> {
        self.figures.files.add(1);
        match Record::read(path) {
            Ok(record) => Some(record),
            Err(error) => {
                self.fault(Kind::Unsound, format!("{error:#}"));
                None
            }
        }
    }

    /// Reads a file that a program says is on disk with all that was acknowledged.
    pub(crate) fn expect_durable(&self, path: &Path, said: &str) {
        if let Some(record) = self.read(path) {
            let ledger = self.ledger().clone();
            self.expect_all(&ledger, &record, &format!("{}, after {said}", path.display()));
            if record.generation < ledger.generation {
                let text = format!(
                    "{} has generation {}, {} was said to be on disk",
                    path.display(),
                    record.generation,
                    ledger.generation
                );
                self.fault(Kind::Lost, text);
            }
        }
    }

    /// Checks the files at the target while nobody, or anybody, writes there. With the database in
    /// place they cannot be read before it is closed.
    pub(crate) fn expect_files_whole(&self, is_silent: bool) {
        if self.plan.home == Home::InPlace {
            return;
        }
        let target = self.stage.target();
        let generation = self.ledger().generation;
        if target.exists() {
            let found = self.read(&target).map_or(generation, |record| record.generation);
            if found < generation {
                let text = format!("generation {generation} was on disk, now {found} is");
                self.fault(Kind::Lost, text);
            }
        } else if generation > 0 {
            self.fault(Kind::Lost, format!("generation {generation} was on disk, no file is"));
        }
        // Their names move while a writer works.
        if is_silent {
            let older = (1..=9).map(|number| self.stage.path(&format!("target/torc.db.{number}")));
            older.filter(|path| path.exists()).for_each(|path| drop(self.read(&path)));
        }
    }

    /// Checks what the jobs have left of themselves against the record.
    pub(crate) fn expect_agreement(&self, evidence: &Evidence, record: &Record) {
        let mut twice = Vec::new();
        let mut lost = Vec::new();
        for (attempt, trace) in &evidence.attempts {
            if trace.begun > 1 {
                twice.push(format!("{attempt:?} began {} times", trace.begun));
            }
            match record.attempts.get(attempt) {
                None => lost.push(format!("{attempt:?} ran, and is not on record")),
                Some(there) if there.status == Some(JobStatus::Completed) => {
                    if trace.code != Some(0) {
                        lost.push(format!("{attempt:?} is {there:?}, and left {trace:?}"));
                    }
                }
                Some(_) => {}
            }
        }
        for (id, job) in &record.jobs {
            let runs = || record.attempts.range(of_job(*id));
            let done = runs().filter(|(_, it)| it.status == Some(JobStatus::Completed));
            let done: Vec<_> = done.map(|(attempt, _)| attempt.number).collect();
            let last = evidence.attempts.range(of_job(*id)).next_back();
            let last = last.map_or(0, |(attempt, _)| attempt.number);
            match (job.status == JobStatus::Completed, &done[..]) {
                (true, [number]) if *number >= last => {}
                (false, []) => {}
                _ => twice.push(format!(
                    "{job:?} ({id}) completed in its attempts {done:?}, and ran up to {last}"
                )),
            }
        }
        twice.into_iter().take(TOLD).for_each(|text| self.fault(Kind::RunTwice, text));
        lost.into_iter().take(TOLD).for_each(|text| self.fault(Kind::Lost, text));
    }

    /// Checks that all that was begun has come to an end, as it must when nothing disturbs it.
    pub(crate) fn expect_ends(&self, record: &Record) {
        for (id, (name, status)) in &record.workflows {
            if status == "running" || status == "submitting" {
                self.fault(Kind::Conduct, format!("workflow {id} ({name}) is {status} for ever"));
            }
        }
        let open = record.jobs.iter().filter(|(_, job)| !job.status.is_final());
        for (id, job) in open.take(TOLD) {
            self.fault(Kind::Conduct, format!("job {id} is not at its end: {job:?}"));
        }
        // A service does not run again what was lost; `torcctl run latest` does.
        let is_service = self.plan.starter == Starter::Service;
        if let (false, true, Some((id, (_, status)))) =
            (is_service, self.plan.all_complete(), record.workflows.last_key_value())
            && status != "completed"
        {
            self.fault(Kind::Conduct, format!("workflow {id} is {status}, and could complete"));
        }
        let names = self.plan.workflows.len();
        if is_service && record.workflows.len() != names {
            let found = &record.workflows;
            self.fault(Kind::RunTwice, format!("of {names} submissions there are {found:?}"));
        }
    }

    /// Returns what is left of the round but what is wanted.
    pub(crate) fn strange_remains(&self) -> Vec<String> {
        let mut left = Vec::new();
        for dir in ["run/torc", "tmp"] {
            left.extend(files_below(&self.stage.path(dir)));
        }
        for (path, names) in self.stage.memory() {
            left.push(format!("{}: {names:?}", path.display()));
        }
        left.extend(strange(self.stage, "target", |name| {
            let number = name.strip_prefix("torc.db.").and_then(|rest| rest.parse().ok());
            name == "torc.db" || number.is_some_and(|number: u32| number < self.plan.keep)
        }));
        left.extend(strange(self.stage, "disk", |name| {
            name == "live.db" && self.plan.home == Home::Disk
        }));
        left
    }
}

fn strange(stage: &Stage, dir: &str, is_known: impl Fn(&str) -> bool) -> Vec<String> {
    let names = names_in(&stage.path(dir)).into_iter().filter(|name| !is_known(name));
    names.map(|name| format!("{dir}/{name}")).collect()
}

/// Returns all that is no directory.
fn files_below(dir: &Path) -> Vec<String> {
    let mut dirs: Vec<PathBuf> = vec![dir.to_owned()];
    let mut files = Vec::new();
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(entry.path());
            } else {
                files.push(entry.path().display().to_string());
            }
        }
    }
    files
}
