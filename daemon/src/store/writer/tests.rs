use std::path::PathBuf;

use tempfile::TempDir;
use torc_protocol::request::WorkflowSelector;
use torc_protocol::spec::WorkflowSpec;
use torc_protocol::time::Timestamp;

use super::*;
use crate::store::reader::Reader;
use crate::store::tables::{snapshot, workflow};

fn fixture() -> (TempDir, Home) {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::File(PathBuf::from(dir.path()).join("torc.db"));
    (dir, home)
}

fn draft(connection: &Connection, name: &str) -> rusqlite::Result<torc_protocol::id::WorkflowId> {
    let spec = WorkflowSpec { name: name.to_owned(), ..WorkflowSpec::default() };
    workflow::insert_draft(connection, &spec, Timestamp(1))
}

fn submit(connection: &Connection, name: &str) -> rusqlite::Result<()> {
    workflow::publish(connection, draft(connection, name)?, None, Timestamp(2))
}

fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM workflow ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect()
}

#[tokio::test]
async fn a_reader_sees_only_what_is_committed() {
    let (_dir, home) = fixture();
    let mut writer = Writer::open(&home, None).unwrap();
    let reader = Reader::open(&home).unwrap().unwrap();
    submit(writer.writing().unwrap(), "a").unwrap();
    assert_eq!(names(writer.reading()).unwrap(), ["a"]);
    assert!(reader.read(names).await.unwrap().is_empty());
    writer.commit().unwrap();
    assert_eq!(reader.read(names).await.unwrap(), ["a"]);
}

#[tokio::test]
async fn a_read_sees_one_state_however_long_it_takes() {
    let (_dir, home) = fixture();
    let mut writer = Writer::open(&home, None).unwrap();
    let reader = Reader::open(&home).unwrap().unwrap();
    let (go_on, wait) = std::sync::mpsc::channel();
    let (begun, begins) = tokio::sync::oneshot::channel();
    let reading = tokio::spawn(async move {
        reader
            .read(move |connection| {
                let before = names(connection)?;
                begun.send(()).unwrap();
                wait.recv().unwrap();
                Ok((before, names(connection)?))
            })
            .await
    });
    begins.await.unwrap();
    submit(writer.writing().unwrap(), "a").unwrap();
    writer.commit().unwrap();
    go_on.send(()).unwrap();
    assert_eq!(reading.await.unwrap().unwrap(), (vec![], vec![]));
}

#[tokio::test]
async fn a_reader_cannot_write() {
    let (_dir, home) = fixture();
    let _writer = Writer::open(&home, None).unwrap();
    let reader = Reader::open(&home).unwrap().unwrap();
    assert!(reader.read(|connection| submit(connection, "a")).await.is_err());
}

#[test]
fn what_fails_half_way_leaves_nothing_and_what_came_before_stays() {
    let mut writer = Writer::open(&Home::Memory, None).unwrap();
    writer.all_or_nothing(|connection| submit(connection, "a")).unwrap();
    let failed = writer.all_or_nothing(|connection| {
        submit(connection, "b")?;
        connection.execute_batch("INSERT INTO nowhere VALUES (1)")
    });
    assert!(failed.is_err());
    writer.all_or_nothing(|connection| submit(connection, "c")).unwrap();
    writer.commit().unwrap();
    assert_eq!(names(writer.reading()).unwrap(), ["a", "c"]);
    assert_eq!(writer.changes(), 1);
}

#[test]
fn only_commits_that_change_something_count_and_the_count_is_kept() {
    let (_dir, home) = fixture();
    let mut writer = Writer::open(&home, None).unwrap();
    let instance = writer.instance().to_owned();
    writer.commit().unwrap();
    assert_eq!(writer.changes(), 0);
    submit(writer.writing().unwrap(), "a").unwrap();
    writer.commit().unwrap();
    assert_eq!(writer.changes(), 1);
    writer.aside(snapshot::last_generation).unwrap();
    writer.commit().unwrap();
    assert_eq!(writer.changes(), 1);
    drop(writer);
    let writer = Writer::open(&home, None).unwrap();
    assert_eq!((writer.changes(), writer.instance()), (1, instance.as_str()));
}

#[test]
fn what_is_taken_back_is_gone_and_does_not_count() {
    let mut writer = Writer::open(&Home::Memory, None).unwrap();
    submit(writer.writing().unwrap(), "a").unwrap();
    writer.roll_back();
    assert!(writer.reading().is_autocommit());
    writer.commit().unwrap();
    assert_eq!((names(writer.reading()).unwrap().len(), writer.changes()), (0, 0));
    submit(writer.writing().unwrap(), "b").unwrap();
    writer.commit().unwrap();
    assert_eq!((names(writer.reading()).unwrap().len(), writer.changes()), (1, 1));
}

#[test]
fn nothing_is_kept_of_a_transaction_that_was_rolled_back_behind_our_back() {
    let mut writer = Writer::open(&Home::Memory, None).unwrap();
    submit(writer.writing().unwrap(), "a").unwrap();
    // As SQLite does by itself when there is no room.
    writer.reading().execute_batch("ROLLBACK").unwrap();
    assert!(writer.all_or_nothing(|connection| submit(connection, "b")).is_err());
    assert!(writer.writing().is_err());
    assert!(writer.commit().is_err());
    assert!(names(writer.reading()).unwrap().is_empty());
    assert_eq!(writer.changes(), 0);
}

#[test]
fn the_error_that_rolls_a_transaction_back_is_the_one_that_is_told() {
    let mut writer = Writer::open(&Home::Memory, None).unwrap();
    let failed = writer.all_or_nothing(|connection| {
        connection.execute_batch("ROLLBACK")?;
        connection.execute_batch("INSERT INTO nowhere VALUES (1)")
    });
    assert!(failed.unwrap_err().to_string().contains("nowhere"));
}

#[test]
fn a_submission_that_never_ended_is_seen_by_nobody_and_is_there_to_be_removed() {
    let (_dir, home) = fixture();
    let mut writer = Writer::open(&home, None).unwrap();
    let id = draft(writer.writing().unwrap(), "draft").unwrap();
    submit(writer.writing().unwrap(), "a").unwrap();
    writer.commit().unwrap();
    drop(writer);
    let writer = Writer::open(&home, None).unwrap();
    let selector = WorkflowSelector::Name("draft".to_owned());
    assert_eq!(workflow::find(writer.reading(), &selector).unwrap(), None);
    assert_eq!(workflow::hidden(writer.reading()).unwrap(), [id]);
}

#[test]
fn what_has_no_room_says_so_even_when_the_transaction_is_asked_for_later() {
    let (_dir, home) = fixture();
    for (home, why) in [(&Home::Memory, "it holds 1 GiB"), (&home, "database or disk is full")] {
        let mut writer = Writer::open(home, None).unwrap();
        submit(writer.writing().unwrap(), "a").unwrap();
        writer.commit().unwrap();
        writer.refuse_to_grow();
        let long = "x".repeat(100_000);
        let failed = writer.all_or_nothing(|connection| submit(connection, &long)).unwrap_err();
        assert!(writer.explain(&failed).contains(why), "{failed}");
        let failed = writer.commit().unwrap_err();
        assert!(writer.explain(&failed).contains(why), "{failed}");
        let name = writer.at_last(names).expect("what is there can be read");
        assert_eq!(name, ["a"]);
    }
}

#[test]
fn a_database_on_disk_has_all_in_its_file_at_the_end_also_while_others_have_it_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let home = Home::File(path.clone());
    let mut writer = Writer::open(&home, None).unwrap();
    let reader = home.open_reader().unwrap().unwrap();
    meta::set(writer.writing().unwrap(), "a", "1").unwrap();
    writer.commit().unwrap();
    writer.settle();
    let alone = dir.path().join("alone.db");
    std::fs::copy(&path, &alone).unwrap();
    let copy = Connection::open(&alone).unwrap();
    assert_eq!(meta::get(&copy, "a").unwrap().as_deref(), Some("1"));
    drop((writer, reader));
}
