//! A file where a snapshot should be: is it looked at, loaded, opened and listed without harm?

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::request::{ListFiles, ListJobs, ListResults, ListUserData, ListWorkflows};
use torc_protocol::result::StreamKind;
use torc_protocol::view::Fate;
use torcd::snapshot::load::{self, Loaded};
use torcd::store::home::Home;
use torcd::store::lineage::Lineage;
use torcd::store::query::{QueryError, files, jobs, results, user_data, workflows};
use torcd::store::tables::{action, attempt, file, job, output, settings, snapshot, workflow};
use torcd::store::verify::{identify, peek, verify};
use torcd::store::writer::Writer;

use crate::fuzz::cells::{Choices, injure_cells, injure_pages};
use crate::fuzz::specimen;

/// So many workflows of a hostile database are looked into, and so many jobs.
const LOOKED_INTO: usize = 2;

/// A database whose pages were mutilated; bytes that begin as a database does are one as they are.
pub fn pages(bytes: &[u8]) {
    let dir = specimen::scratch();
    let place = dir.path().join("torc.db");
    let mut database = bytes.to_vec();
    if !bytes.starts_with(b"SQLite") {
        database = specimen::bytes().to_vec();
        injure_pages(&mut database, &mut Choices::new(bytes));
    }
    fs::write(&place, &database).expect("there is room");
    suffered(&place);
}

/// A database whose contents were mutilated, while its pages are whole.
pub fn cells(bytes: &[u8]) {
    let dir = specimen::scratch();
    let place = dir.path().join("torc.db");
    fs::write(&place, specimen::bytes()).expect("there is room");
    if injure_cells(&place, &mut Choices::new(bytes)).is_ok() {
        suffered(&place);
    }
}

/// Does with a file all that torcd does with one.
fn suffered(place: &Path) {
    let before = fs::read(place).expect("it can be read");
    let depths = [identify(place).map(drop), peek(place).map(drop), verify(place).map(drop)];
    assert!(depths.is_sorted_by_key(Result::is_err), "a deeper look found less: {depths:?}");
    if depths[0].is_ok() {
        read_only(place);
    }
    compared(place);
    let started = specimen::scratch();
    let into = started.path().join("torc.db");
    match load::load(place, &into) {
        Ok(Loaded::Snapshot { .. }) => {
            assert!(depths[2].is_ok(), "what does not pass was loaded");
            started_from(&into);
        }
        Ok(Loaded::Nothing) => assert!(before.is_empty()),
        Err(error) => {
            assert!(!error.to_string().is_empty() && !into.exists());
        }
    }
    assert_eq!(fs::read(place).expect("it is still there"), before, "it was changed");
    let dir = fs::read_dir(place.with_file_name("")).expect("it is a directory");
    assert_eq!(dir.count(), 1, "something was made beside it");
}

/// As `torcd --read-only` does.
fn read_only(place: &Path) {
    match Home::ReadOnly(place.to_owned()).open_reader() {
        Ok(reader) => listed(&reader.expect("a file has readers")),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// As a torcd does that has found two and needs the newer one.
fn compared(place: &Path) {
    let opened = [(); 2].map(|()| Lineage::open_snapshot(place));
    if let [Ok(one), Ok(other)] = &opened {
        let fate = one.fate(other);
        assert!(!matches!(fate, Ok(Fate::Newer)), "it is newer than itself");
    }
}

/// As a torcd does that goes on from it.
fn started_from(into: &Path) {
    let home = Home::File(into.to_owned());
    let Ok(writer) = Writer::open(&home, None) else { return };
    let connection = writer.reading();
    listed(connection);
    let _ = workflow::hidden(connection);
    for (view, _) in workflow::unfinished(connection).unwrap_or_default() {
        let _ = job::states(connection, view.id);
        let _ = settings::list(connection, view.id);
        let _ = settings::environment(connection, view.id);
        let _ = action::list(connection, view.id);
        let _ = attempt::mark_lost(connection, view.id, "gone", view.submitted_at);
        let _ = workflow::count_again(connection, view.id);
    }
}

/// Asks all that can be asked of a database.
fn listed(connection: &Connection) {
    let mut ids = Vec::new();
    let _ = workflows::list(connection, &ListWorkflows::default(), &mut |view| {
        ids.push(view.id);
        shown(&view) && ids.len() < LOOKED_INTO
    });
    if ids.is_empty() {
        // It may only be the list that is broken.
        ids.push(WorkflowId(1));
    }
    let _ = snapshot::last_generation(connection);
    for id in ids {
        let mut found = Vec::new();
        let _ = jobs::list(connection, id, &ListJobs::default(), &mut |view| {
            found.push(view.id);
            shown(&view)
        });
        let labelled = ListJobs { label: Some("x".to_owned()), ..ListJobs::default() };
        let _ = jobs::list(connection, id, &labelled, &mut |view| shown(&view));
        let _ = results::list(connection, id, &ListResults::default(), &mut |view| shown(&view));
        let _ = files::list(connection, id, &ListFiles::default(), &mut |view| shown(&view));
        let _ = user_data::list(connection, id, &ListUserData::default(), &mut |view| shown(&view));
        let _: Result<(), QueryError> = jobs::edges(connection, id, &mut |view| shown(&view));
        let _ = files::uses(connection, id, &mut |view| shown(&view));
        found.truncate(LOOKED_INTO);
        if found.is_empty() {
            found.push(JobId(1));
        }
        found.into_iter().for_each(|job| looked_into(connection, job));
    }
}

fn looked_into(connection: &Connection, job: JobId) {
    let _ = job::by_id(connection, job).map(|view| shown(&view));
    let _ = job::task(connection, job);
    let _ = job::depends_on(connection, job);
    let _ = job::first_failed_dependency(connection, job);
    let _ = file::paths(connection, job);
    let _ = file::uses(connection, job);
    let _ = results::of_job(connection, job);
    let attempt = AttemptId { job, number: AttemptNumber(1) };
    for offset in [0, 3, u64::MAX] {
        let _ = output::part(connection, attempt, StreamKind::Stdout, offset, 1 << 20);
    }
}

/// Writes a view as `--format json` does. Returns that more are wanted.
fn shown(view: &impl Serialize) -> bool {
    serde_json::to_writer(std::io::sink(), view).expect("a view can be shown");
    true
}
