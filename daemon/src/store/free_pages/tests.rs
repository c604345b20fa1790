use std::fs;

use super::*;
use crate::store::home::Home;
use crate::store::image::Copier;
use crate::store::writer::Writer;

/// Puts so many pages of something into a database, and removes it again.
fn come_and_go(connection: &Connection, pages: u32) {
    let sql = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
               INSERT INTO meta SELECT 'x' || i, hex(zeroblob(2000)) FROM n";
    connection.execute(sql, [pages]).unwrap();
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('zz', 'last')", []).unwrap();
    connection.execute("DELETE FROM meta WHERE key LIKE 'x%'", []).unwrap();
}

fn pages(connection: &Connection) -> u64 {
    number(connection, "page_count").unwrap()
}

#[test]
fn what_was_deleted_is_given_back_in_steps_and_the_file_gets_shorter() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    for home in [Home::File(path.clone()), Home::Memory] {
        let mut writer = Writer::open(&home, None).unwrap();
        assert!(!writer.is_loose().unwrap());
        come_and_go(writer.reading(), 3_000);
        let many = pages(writer.reading());
        assert!(many > 3_000 && writer.is_loose().unwrap());
        let mut steps = 1;
        while writer.tighten().unwrap() {
            steps += 1;
        }
        assert!(steps >= 3_000 / STEP, "{steps}");
        assert!(!writer.is_loose().unwrap());
        assert!(pages(writer.reading()) < 100);
        let last = "SELECT value FROM meta WHERE key = 'zz'";
        let last: String = writer.reading().query_row(last, [], |row| row.get(0)).unwrap();
        assert_eq!(last, "last");
        let before = writer.changes();
        writer.commit().unwrap();
        assert_eq!(writer.changes(), before, "that is no change");
    }
    assert!(fs::metadata(path).unwrap().len() < 100 * 4_096);
}

#[test]
fn few_free_pages_stay_for_what_comes_next() {
    let writer = Writer::open(&Home::Memory, None).unwrap();
    come_and_go(writer.reading(), 500);
    assert!(number(writer.reading(), "freelist_count").unwrap() > 400);
    assert!(!writer.is_loose().unwrap());
}

#[test]
fn a_database_that_cannot_be_made_shorter_is_left_alone_and_its_copies_can() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("t.db");
    let home = Home::File(path.clone());
    drop(home.open_writer(None).unwrap());
    let plain = Connection::open(&path).unwrap();
    plain.execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM").unwrap();
    drop(plain);
    let writer = Writer::open(&home, None).unwrap();
    come_and_go(writer.reading(), 3_000);
    assert!(!writer.is_loose().unwrap());
    let mut copier = Copier::open(&home, dir.path()).unwrap().unwrap();
    let mut copy = copier.copy("copy").unwrap();
    let whole = dir.path().join("whole.db");
    std::io::copy(&mut copy, &mut fs::File::create(&whole).unwrap()).unwrap();
    let copied = Writer::open(&Home::File(whole), None).unwrap();
    come_and_go(copied.reading(), 3_000);
    assert!(copied.is_loose().unwrap());
}
