//! Memory that runs full under a database: it moves, and nothing is lost.

use std::fs;

use torc_tests::database::Database;
use torc_tests::small_disk::SmallDisk;
use torc_tests::torc::Torc;
use torc_tests::wait::wait_until;

use crate::torc;

/// The size of the memory. An eighth of it is what must stay free.
const SIZE: u64 = 32 << 20;
/// What others take of it: with the database there is less left than must stay free.
const TAKEN: usize = 28 << 20;

const SERVICE: [&str; 3] = ["--in-memory", "--snapshot", "torc.db"];

/// Begins to run so many jobs, which take a while together.
fn begin(torc: &Torc, name: &str, jobs: usize) {
    let lines: String = (0..jobs).map(|number| format!("sleep 0.02; echo {number}\n")).collect();
    let file = torc.write(&format!("{name}.txt"), lines);
    let file = file.display().to_string();
    torc.args(["exec", "--detach", "-n", name, "-j", "4", "-C", &file]).run().expect(0);
}

fn status(torc: &Torc) -> serde_json::Value {
    torc.args(["status", "--format", "json"]).run().expect(0).json()
}

fn completed(torc: &Torc) -> u64 {
    status(torc)["jobs"]["completed"].as_u64().unwrap()
}

#[test]
fn a_database_whose_memory_runs_full_goes_on_elsewhere_and_nothing_is_lost() {
    let Some(memory) = SmallDisk::mount(SIZE) else { return };
    let torc = torc();
    let daemon = torc.daemon_in(memory.dir(), SERVICE);
    begin(&torc, "first", 200);
    wait_until("some jobs have run", || completed(&torc) >= 20);
    let home = status(&torc)["database"].as_str().unwrap().to_owned();
    assert!(home.starts_with("/dev/shm/"), "{home}");
    fs::write(memory.path("others"), vec![0; TAKEN]).unwrap();
    daemon.expect_log("has hardly any room left, so the database is now in :memory:");
    daemon.line("TORC_SNAPSHOT_DONE=");
    memory.fill();
    begin(&torc, "second", 50);
    for workflow in ["first", "second"] {
        torc.args(["wait", workflow]).run().expect(0);
    }
    assert_eq!(status(&torc)["database"], ":memory:");
    torc.args(["jobs", "list"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
    let database = Database::open(torc.path("torc.db"));
    database.expect_sound();
    assert_eq!(
        database.rows("SELECT status, count(*) FROM job GROUP BY status"),
        ["completed|250"]
    );
    assert_eq!(database.value("SELECT count(*) FROM attempt"), "250", "none has run twice");
    assert_eq!(database.value("SELECT count(*) FROM output"), "250");
    let left: Vec<_> = fs::read_dir(memory.dir().join("torc-0"))
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_database_that_has_no_room_to_begin_with_is_kept_in_the_memory_of_torcd() {
    let Some(memory) = SmallDisk::mount(SIZE) else { return };
    let torc = torc();
    let daemon = torc.daemon_in(memory.dir(), SERVICE);
    torc.args(["exec", "-c", "true"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
    fs::write(memory.path("others"), vec![0; TAKEN + (1 << 20)]).unwrap();
    let daemon = torc.daemon_in(memory.dir(), SERVICE);
    daemon.expect_log("3 MiB free, ");
    assert_eq!(status(&torc)["database"], ":memory:");
    memory.fill();
    torc.args(["exec", "-c", "true"]).run().expect(0);
    assert_eq!(daemon.end(), 0);
    let database = Database::open(torc.path("torc.db"));
    database.expect_sound();
    assert_eq!(database.value("SELECT count(*) FROM workflow"), "2");
}
