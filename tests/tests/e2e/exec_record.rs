//! `torcctl exec`: where its record is, and what becomes of the one that was there.

use std::fs;

use torc_tests::database::{Database, mode};
use torc_tests::outcome::Outcome;
use torc_tests::torc::names_in;

use crate::torc;

#[test]
fn a_second_run_goes_on_where_the_first_one_ended() {
    let torc = torc();
    torc.args(["exec", "-n", "first", "-c", "false", "-c", "true"]).run().expect(1);
    let generation = torc.database().generation();
    torc.args(["exec", "-n", "second", "-c", "true"]).run().expect(0);
    let database = torc.database();
    let workflows = database.rows("SELECT id, name, status FROM workflow");
    assert_eq!(workflows, ["1|first|failed", "2|second|completed"]);
    let jobs = database.rows("SELECT id, workflow_id, name, status FROM job");
    assert_eq!(jobs, ["1|1|job1|failed", "2|1|job2|completed", "3|2|job1|completed"]);
    assert!(database.generation() > generation);
    assert_eq!(database.value("SELECT count(DISTINCT instance) FROM snapshot"), "1");
}

#[test]
fn nobody_else_may_read_the_record() {
    let torc = torc();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    assert_eq!(mode(&torc.database_path()), 0o600);
    torc.args(["exec", "--on-disk", "--db", "disk.db", "-c", "true"]).run().expect(0);
    assert_eq!(mode(&torc.path("disk.db")), 0o600);
}

#[test]
fn only_the_record_is_left() {
    let torc = torc();
    torc.args(["exec", "-c", "echo x"]).run().expect(0);
    assert_eq!(names_in(&torc.work()), ["torc_output"]);
    assert_eq!(names_in(&torc.path("torc_output")), ["torc.db"]);
    assert_eq!(torc.sockets(), [""; 0]);
    assert_eq!(names_in(&torc.root().join("tmp")), [""; 0]);
}

#[test]
fn a_database_on_disk_is_one_whole_file_at_the_end() {
    let torc = torc();
    torc.args(["exec", "--on-disk", "--stdio", "none", "-c", "false", "-c", "true"])
        .run()
        .expect(1);
    assert_eq!(names_in(&torc.path("torc_output")), ["torc.db"]);
    let database = torc.database();
    database.expect_sound();
    assert_eq!(database.rows("SELECT status FROM job"), ["failed", "completed"]);
    torc.args(["exec", "--on-disk", "--stdio", "none", "-c", "true"]).run().expect(0);
    assert_eq!(names_in(&torc.path("torc_output")), ["torc.db"]);
    assert_eq!(torc.database().value("SELECT count(*) FROM workflow"), "2");
}

#[test]
fn output_is_in_files_when_the_database_is_on_disk() {
    let torc = torc();
    torc.args(["exec", "--on-disk", "-c", "echo x"]).run().expect(0);
    let path = torc.database().value("SELECT path FROM output WHERE stream = 'stdout'");
    assert_eq!(fs::read_to_string(path).unwrap(), "x\n");
}

#[test]
fn a_fresh_start_moves_the_record_aside() {
    let torc = torc();
    torc.args(["exec", "-n", "old", "-c", "true"]).run().expect(0);
    let before = fs::read(torc.database_path()).unwrap();
    torc.args(["exec", "--fresh", "-n", "new", "-c", "true"]).run().expect(0);
    assert_eq!(torc.database().rows("SELECT id, name FROM workflow"), ["1|new"]);
    let names = names_in(&torc.path("torc_output"));
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[1].starts_with("torc.db.old-"), "{names:?}");
    assert!(fs::read(torc.path("torc_output").join(&names[1])).unwrap() == before);
}

#[test]
fn missing_directories_are_made() {
    let torc = torc();
    torc.args(["exec", "--db", "a/b/c.db", "-o", "d/e", "-c", "true"]).run().expect(0);
    Database::open(torc.path("a/b/c.db")).expect_sound();
    assert!(torc.path("d/e").is_dir());
}

#[test]
fn older_records_are_kept_when_asked_for() {
    let torc = torc();
    for _ in 0..4 {
        torc.args(["exec", "--snapshot-keep", "3", "-c", "true"]).run().expect(0);
    }
    assert_eq!(names_in(&torc.path("torc_output")), ["torc.db", "torc.db.1", "torc.db.2"]);
    torc.args(["exec", "-c", "true"]).run().expect(0);
    assert_eq!(names_in(&torc.path("torc_output")), ["torc.db"]);
    assert_eq!(torc.database().value("SELECT count(*) FROM workflow"), "5");
}

#[test]
fn an_environment_is_not_kept_longer_than_it_is_needed() {
    let torc = torc();
    torc.args(["exec", "-c", "true"]).env("PASSWORD", "xyzzy-plugh").run().expect(0);
    assert_eq!(torc.database().value("SELECT count(*) FROM environment"), "0");
    let bytes = fs::read(torc.database_path()).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"xyzzy-plugh"), "the secret is on disk");
}

/// Opens the record that was saved elsewhere because its place did not take it, and removes it after
/// `look`.
fn rescued(outcome: &Outcome, look: impl FnOnce(&Database)) {
    let place = outcome.stderr.lines().find_map(|line| line.strip_prefix("it is saved in "));
    let file = place.unwrap_or_else(|| panic!("no place is named in {outcome}"));
    look(&Database::open(file));
    fs::remove_file(file).unwrap();
}

#[test]
fn a_record_that_cannot_be_written_gives_code_5_and_leaves_the_one_before() {
    let torc = torc();
    torc.args(["exec", "-n", "safe", "-c", "true"]).run().expect(0);
    // While the job runs, its output directory gives way to a file.
    let command = "mv torc_output moved && echo in the way > torc_output; false";
    let call = torc.args(["exec", "-n", "lost", "--format", "json", "-c", command]);
    let outcome = call.run().expect(5);
    let summary = outcome.json();
    assert_eq!(summary["snapshot"]["durable"], false);
    assert_eq!(summary["status"], "failed");
    assert!(summary["snapshot"]["error"].is_string(), "{summary}");
    let moved = Database::open(torc.path("moved/torc.db"));
    moved.expect_sound();
    assert_eq!(moved.rows("SELECT name FROM workflow"), ["safe"]);
    rescued(&outcome, |database| {
        database.expect_sound();
        assert_eq!(database.rows("SELECT name FROM workflow"), ["safe", "lost"]);
    });
}

#[test]
fn what_somebody_else_has_put_there_meanwhile_is_not_overwritten() {
    let torc = torc();
    let call = torc.args(["exec", "-c", "echo precious > torc_output/torc.db"]);
    let outcome = call.run().expect(5);
    assert_eq!(fs::read_to_string(torc.database_path()).unwrap(), "precious\n");
    rescued(&outcome, |database| {
        assert_eq!(database.rows("SELECT status FROM job"), ["completed"]);
    });
}

#[test]
fn a_record_that_was_saved_elsewhere_is_where_the_report_points_to() {
    let torc = torc();
    let command = "mv torc_output moved && echo in the way > torc_output; false";
    let outcome = torc.args(["exec", "-c", command]).run().expect(5);
    let further = outcome.stderr.lines().find_map(|line| line.split_once("--failed --db "));
    let (_, rest) = further.unwrap_or_else(|| panic!("nothing to look further in {outcome}"));
    let (file, _) = rest.split_once(" · ").unwrap();
    let list = torc.args(["results", "list", "--failed", "--db", file, "--format", "json"]);
    assert_eq!(list.run().expect(0).json().as_array().unwrap().len(), 1);
    assert!(outcome.stderr.contains("`torcctl snapshot recover --db "), "{outcome}");
    rescued(&outcome, Database::expect_sound);
}
