//! What a torcd finds at its start where its snapshots go.

use std::fs;
use std::io::{Seek, SeekFrom, Write};

use torc_tests::database::Database;
use torc_tests::torc::{Torc, names_in};

use crate::torc;

const SERVICE: [&str; 3] = ["--in-memory", "--snapshot", "snapshots/torc.db"];

/// A directory with two snapshots of one database: the newest knows two workflows, the other one.
fn with_two_snapshots() -> Torc {
    let torc = torc();
    let daemon = torc.daemon(SERVICE);
    for name in ["one", "two"] {
        torc.args(["exec", "-n", name, "-c", "true"]).run().expect(0);
    }
    assert_eq!(daemon.end(), 0);
    let names = names_in(&torc.path("snapshots"));
    assert!(names.contains(&"torc.db.1".to_owned()), "{names:?}");
    torc
}

fn workflows(torc: &Torc) -> Vec<String> {
    let list = torc.args(["workflows", "list", "--format", "json"]).run().expect(0).json();
    let name = |workflow: &serde_json::Value| workflow["name"].as_str().unwrap().to_owned();
    list.as_array().unwrap().iter().map(name).collect()
}

#[test]
fn a_start_in_memory_loads_what_is_there() {
    let torc = with_two_snapshots();
    let daemon = torc.daemon(SERVICE);
    assert_eq!(workflows(&torc), ["one", "two"]);
    let submitted = torc.args(["exec", "--format", "json", "-c", "true"]).run().expect(0).json();
    assert_eq!(submitted["workflow_id"], 3);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_damaged_snapshot_is_set_aside_and_the_one_before_it_is_loaded() {
    let torc = with_two_snapshots();
    let base = torc.path("snapshots/torc.db");
    let mut file = fs::File::options().write(true).open(&base).unwrap();
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&[0xa5; 16 * 1024]).unwrap();
    drop(file);
    let damaged = fs::read(&base).unwrap();
    let before = Database::open(torc.path("snapshots/torc.db.1")).rows("SELECT name FROM workflow");
    let daemon = torc.daemon(SERVICE);
    assert_eq!(workflows(&torc), before);
    assert_eq!(daemon.end(), 0);
    let names = names_in(&torc.path("snapshots"));
    let aside = names.iter().find(|name| name.starts_with("torc.db.corrupt-")).unwrap();
    assert!(fs::read(torc.path("snapshots").join(aside)).unwrap() == damaged);
    Database::open(base).expect_sound();
}

#[test]
fn when_every_snapshot_is_damaged_torcd_does_not_start_empty() {
    let torc = torc();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    let path = torc.database_path();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let refused = torc.args(["exec", "-c", "touch ran"]).run();
    assert!([2, 3].contains(&refused.status.code().unwrap()), "{refused}");
    assert!(refused.stderr.contains("error: ") && refused.stderr.contains("hint: "), "{refused}");
    assert!(!torc.path("ran").exists());
}

#[test]
fn a_file_that_is_not_torcs_is_refused_and_stays_as_it_is() {
    let torc = torc();
    let foreign = torc.path("foreign.db");
    let connection = rusqlite::Connection::open(&foreign).unwrap();
    connection
        .execute_batch("CREATE TABLE recipe (name TEXT); INSERT INTO recipe VALUES ('x')")
        .unwrap();
    drop(connection);
    torc.write("text.db", "dear diary");
    for name in ["foreign.db", "text.db"] {
        let before = fs::read(torc.path(name)).unwrap();
        torc.torcd(["--in-memory", "--snapshot", name]).run().expect_refusal(2, name);
        torc.torcd(["--database", name]).run().expect_refusal(2, name);
        torc.torcd(["--read-only", name]).run().expect_refusal(2, name);
        torc.args(["exec", "--db", name, "-c", "touch ran"]).run().expect_refusal(2, name);
        torc.args(["exec", "--on-disk", "--db", name, "-c", "touch ran"])
            .run()
            .expect_refusal(2, name);
        torc.args(["results", "list", "--db", name]).run().expect_refusal(2, name);
        assert!(fs::read(torc.path(name)).unwrap() == before, "{name} has changed");
        assert!(!torc.path("ran").exists());
    }
    assert_eq!(names_in(&torc.work()), ["foreign.db", "text.db", "torc_output"]);
}

#[test]
fn a_database_of_a_later_torc_is_refused() {
    let torc = torc();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    let connection = rusqlite::Connection::open(torc.database_path()).unwrap();
    connection.pragma_update(None, "user_version", 9_999).unwrap();
    drop(connection);
    let before = fs::read(torc.database_path()).unwrap();
    torc.args(["exec", "-c", "touch ran"]).run().expect_refusal(2, "too new");
    torc.args(["results", "list"]).run().expect_refusal(2, "schema 9999");
    assert!(fs::read(torc.database_path()).unwrap() == before);
    assert!(!torc.path("ran").exists());
}

#[test]
fn a_name_that_contains_memory_is_a_path() {
    let torc = torc();
    let daemon = torc.daemon(["--database", "results:memory:.db"]);
    torc.args(["exec", "-c", "true"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
    assert!(torc.path("results:memory:.db").is_file());
}

#[test]
fn a_database_in_sqlites_own_memory_is_saved_and_loaded_as_well() {
    let torc = torc();
    for run in 1..=2 {
        let daemon = torc.daemon(["--database", ":memory:", "--snapshot", "pure.db"]);
        let summary = torc.args(["exec", "--format", "json", "-c", "true"]).run().expect(0).json();
        assert_eq!(summary["workflow_id"], run);
        assert_eq!(daemon.end(), 0);
    }
    assert_eq!(Database::open(torc.path("pure.db")).value("SELECT count(*) FROM workflow"), "2");
    assert!(!torc.path(":memory:").exists());
}
