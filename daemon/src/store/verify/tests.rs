use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::store::migrate::migrate;

/// Makes a database of ours that knows of `generations` snapshots.
fn database(path: &Path, generations: u64) {
    let mut connection = Connection::open(path).unwrap();
    migrate(&mut connection).unwrap();
    connection.execute("INSERT INTO meta (key, value) VALUES ('instance', 'abc')", []).unwrap();
    for generation in 1..=generations {
        connection
            .execute(
                "INSERT INTO snapshot (instance, host, boot_id, pid, changes, started_at, path)
                 VALUES ('abc', 'here', 'boot', 1, ?1 * 10, 0, '')",
                [generation],
            )
            .unwrap();
    }
}

fn fixture() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("torc.db");
    (dir, path)
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn a_whole_database_is_described() {
    let (_dir, path) = fixture();
    database(&path, 3);
    let expected = Identity {
        instance: "abc".to_owned(),
        generation: Generation(3),
        changes: 30,
        schema_version: SCHEMA_VERSION,
        write_ahead: false,
    };
    assert_eq!(verify(&path).unwrap(), expected);
    assert_eq!(peek(&path).unwrap(), expected);
}

#[test]
fn a_database_that_was_never_snapshotted_has_generation_0() {
    let (_dir, path) = fixture();
    database(&path, 0);
    assert_eq!(verify(&path).unwrap().generation, Generation(0));
}

#[test]
fn a_file_is_left_byte_identical_and_alone() {
    let (dir, path) = fixture();
    database(&path, 1);
    Connection::open(&path).unwrap().pragma_update(None, "journal_mode", "wal").unwrap();
    let before = fs::read(&path).unwrap();
    assert!(verify(&path).unwrap().write_ahead);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_path_may_hold_what_means_something_in_a_uri() {
    let dir = tempfile::tempdir().unwrap();
    let directory = dir.path().join("50% of a?b#c=d&vfs=memdb");
    fs::create_dir(&directory).unwrap();
    let path = directory.join(OsStr::from_bytes(b"t\xC3\xB6rc \xFF.db"));
    database(&dir.path().join("plain"), 2);
    fs::rename(dir.path().join("plain"), &path).unwrap();
    assert_eq!(verify(&path).unwrap().generation, Generation(2));
}

#[test]
fn what_is_no_database_of_ours_is_told_apart() {
    let (dir, path) = fixture();
    fs::write(&path, "").unwrap();
    assert!(matches!(verify(&path), Err(VerifyError::Empty)));
    fs::write(&path, "my thesis").unwrap();
    assert!(matches!(verify(&path), Err(VerifyError::NotSqlite)));
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(verify(&path), Err(VerifyError::Foreign(0))));
    let is_io = |path: &Path, kind| matches!(verify(path), Err(VerifyError::Io(error)) if error.kind() == kind);
    assert!(is_io(&dir.path().join("missing"), io::ErrorKind::NotFound));
    assert!(is_io(dir.path(), io::ErrorKind::InvalidInput));
}

#[test]
fn a_newer_database_is_told_from_a_damaged_one() {
    let (_dir, path) = fixture();
    database(&path, 1);
    overwrite(&path, 60, &(SCHEMA_VERSION + 1).to_be_bytes());
    assert!(
        matches!(verify(&path), Err(VerifyError::Newer(version)) if version == SCHEMA_VERSION + 1)
    );
}

#[test]
fn damage_anywhere_is_found() {
    let (_dir, path) = fixture();
    database(&path, 200);
    let whole = fs::read(&path).unwrap();
    let is_corrupt = || matches!(verify(&path), Err(VerifyError::Corrupt(_)));
    for page in 1..whole.len() as u64 / 4096 {
        overwrite(&path, page * 4096, &[0xFF; 512]);
        assert!(is_corrupt(), "page {page}");
        fs::write(&path, &whole).unwrap();
    }
    for length in [20, 99, 4096, whole.len() - 4096, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(is_corrupt(), "cut to {length}");
    }
}

#[test]
fn views_and_wrong_types_are_refused_and_never_run() {
    let (_dir, path) = fixture();
    database(&path, 1);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TABLE snapshot;
             CREATE VIEW snapshot AS
                WITH RECURSIVE n (generation) AS (SELECT 1 UNION ALL SELECT generation + 1 FROM n)
                SELECT generation, 0 AS changes FROM n;",
        )
        .unwrap();
    assert!(matches!(verify(&path), Err(VerifyError::Altered(_))));
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP VIEW snapshot;
             CREATE TABLE snapshot (generation, changes);
             INSERT INTO snapshot VALUES ('many', -1);",
        )
        .unwrap();
    assert!(matches!(verify(&path), Err(VerifyError::Altered(_))));
}

#[test]
fn what_torc_has_not_made_is_no_damage_and_is_not_looked_into() {
    for hostile in [
        "CREATE TABLE odd (x CHECK (length(hex(zeroblob(400000000))) > 1));
         PRAGMA ignore_check_constraints = ON;
         INSERT INTO odd SELECT 1 FROM json_each('[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]');",
        "CREATE TRIGGER odd AFTER INSERT ON meta BEGIN DELETE FROM job; END;",
        "CREATE VIEW odd AS SELECT 1;",
    ] {
        let (_dir, path) = fixture();
        database(&path, 1);
        Connection::open(&path).unwrap().execute_batch(hostile).unwrap();
        for found in [peek(&path), verify(&path)] {
            let Err(VerifyError::Altered(how)) = found else { panic!("{hostile}: {found:?}") };
            assert!(how.contains("odd"), "{how}");
        }
    }
}
