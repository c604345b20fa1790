//! What a torcd leaves that is killed, or that cannot save: it comes home, whole and once.

use std::fs;
use std::path::{Path, PathBuf};

use torc_tests::daemon::Daemon;
use torc_tests::database::Database;
use torc_tests::memory;
use torc_tests::torc::{Torc, names_in};

use crate::torc;

const SERVICE: [&str; 3] = ["--in-memory", "--snapshot", "place/torc.db"];
const PLACE: &str = "place/torc.db";
const RECOVER: [&str; 3] = ["--recover", "--snapshot", "place/torc.db"];

fn service(torc: &Torc) -> Daemon {
    torc.daemon(SERVICE)
}

fn place(torc: &Torc) -> Database {
    Database::open(torc.path("place/torc.db"))
}

fn run(torc: &Torc, name: &str) {
    torc.args(["exec", "-n", name, "-c", &format!("echo {name}")]).run().expect(0);
}

/// As [`run`], but no snapshot is asked for.
fn run_unsaved(torc: &Torc, name: &str) {
    let command = format!("echo {name}");
    torc.args(["exec", "--detach", "-n", name, "-c", &command]).run().expect(0);
    torc.args(["wait", "latest"]).run().expect(0);
}

fn workflows(database: &Database) -> Vec<String> {
    database.rows("SELECT name, status FROM workflow ORDER BY id")
}

/// Returns the names of what is at the place of the snapshots, leases aside.
fn names(torc: &Torc) -> Vec<String> {
    let mut names = names_in(&torc.path("place"));
    names.retain(|name| !name.contains("lease"));
    names
}

/// Lets a file stand in the way of the directory of the snapshots, and takes it away again.
struct InTheWay<'a>(&'a Torc);

impl<'a> InTheWay<'a> {
    fn of(torc: &'a Torc) -> Self {
        if torc.path("place").exists() {
            fs::rename(torc.path("place"), torc.path("safe")).unwrap();
        }
        torc.write("place", "in the way");
        Self(torc)
    }

    fn remove(self) {
        fs::remove_file(self.0.path("place")).unwrap();
        if self.0.path("safe").exists() {
            fs::rename(self.0.path("safe"), self.0.path("place")).unwrap();
        }
    }
}

#[test]
fn the_next_torcd_goes_on_from_what_a_killed_one_had_acknowledged() {
    let torc = torc();
    let daemon = service(&torc);
    run(&torc, "before");
    run_unsaved(&torc, "after");
    let killed = daemon.kill_and_leave();
    assert_eq!(workflows(&place(&torc)), ["before|completed"]);
    assert_eq!(memory::of(killed).len(), 1);
    let daemon = service(&torc);
    let listed = torc.args(["workflows", "list", "--format", "csv"]).run().expect(0);
    assert!(listed.stdout.contains("before") && listed.stdout.contains("after"), "{listed:?}");
    assert!(memory::of(killed).is_empty(), "it was taken over");
    // It is nowhere but in memory, so it is saved at once.
    daemon.line("TORC_SNAPSHOT_DONE=");
    assert_eq!(workflows(&place(&torc)), ["before|completed", "after|completed"]);
    let pid = daemon.pid();
    assert_eq!(daemon.end(), 0);
    assert!(memory::of(pid).is_empty());
}

#[test]
fn a_job_that_was_recorded_or_had_begun_is_not_run_again() {
    let torc = torc();
    let daemon = service(&torc);
    torc.args(["exec", "-c", "echo x >> first"]).run().expect(0);
    let second = "echo x >> second; exec sleep 300";
    torc.args(["exec", "--detach", "-c", second]).run().expect(0);
    torc.contents_of("second");
    daemon.kill_and_leave();
    torc.wait_for_silence();
    let daemon = service(&torc);
    torc.args(["wait", "latest"]).run().expect(1);
    assert_eq!(torc.contents_of("first"), "x\n");
    assert_eq!(torc.contents_of("second"), "x\n");
    assert_eq!(daemon.end(), 0);
    assert_eq!(place(&torc).rows("SELECT status, attempts FROM job"), ["completed|1", "failed|1"]);
}

#[test]
fn recovering_brings_it_home_and_starts_nothing() {
    let torc = torc();
    let daemon = service(&torc);
    run(&torc, "done");
    let jobs = ["-j", "1", "-c", "echo x > started; exec sleep 300", "-c", "echo x > next"];
    torc.args(["exec", "--detach"].iter().chain(&jobs)).run().expect(0);
    torc.contents_of("started");
    let killed = daemon.kill_and_leave();
    torc.wait_for_silence();
    let listed = torc.args(["snapshot", "recover", "--db", PLACE, "--dry-run"]).run().expect(0);
    assert!(listed.stdout.contains("place/torc.db"), "{listed:?}");
    assert_eq!(memory::of(killed).len(), 1, "a trial changes nothing");
    torc.torcd(RECOVER).run().expect(0);
    assert!(memory::of(killed).is_empty());
    assert!(!torc.path("next").exists());
    let database = place(&torc);
    database.expect_sound();
    let rows = database.rows("SELECT status FROM job ORDER BY id");
    assert_eq!(rows[0], "completed");
    assert_eq!(rows[1], "failed");
    assert_eq!(rows.len(), 3);
    // Nothing is left to be done.
    let again = torc.args(["snapshot", "recover", "--db", PLACE]).run().expect(0);
    assert!(!again.stdout.contains("place/torc.db"), "{again:?}");
}

#[test]
fn a_final_snapshot_that_has_no_place_is_saved_elsewhere_and_comes_home() {
    let torc = torc();
    let daemon = service(&torc);
    run(&torc, "before");
    run_unsaved(&torc, "after");
    let way = InTheWay::of(&torc);
    let mut daemon = daemon;
    let pid = daemon.pid();
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    let kept = PathBuf::from(daemon.line("TORC_SNAPSHOT_KEPT="));
    assert_eq!(daemon.exit_code(), 5);
    assert!(kept.starts_with(torc.root().join("tmp")), "{}", kept.display());
    assert_eq!(torc_tests::database::mode(&kept), 0o600);
    assert!(memory::of(pid).is_empty(), "it is safe where it is");
    assert_eq!(workflows(&Database::open(&kept)), ["before|completed", "after|completed"]);
    way.remove();
    assert_eq!(workflows(&place(&torc)), ["before|completed"]);
    let read = torc.args(["workflows", "list", "--db", "place/torc.db"]).run().expect(0);
    assert!(read.stderr.contains("snapshot recover"), "{read:?}");
    torc.args(["snapshot", "recover", "--db", PLACE]).run().expect(0);
    assert_eq!(workflows(&place(&torc)), ["before|completed", "after|completed"]);
    assert!(!kept.exists());
}

#[test]
fn a_run_in_the_same_place_goes_on_from_what_was_saved_elsewhere() {
    let torc = torc();
    let outcome = torc
        .args(["exec", "--in-memory", "--db", "place/torc.db", "-n", "first"])
        .args(["-c", "mv place safe; echo x > place"])
        .run()
        .expect(5);
    assert!(outcome.stderr.contains("torcctl snapshot recover"), "{outcome:?}");
    fs::remove_file(torc.path("place")).unwrap();
    torc.args(["exec", "--in-memory", "--db", "place/torc.db", "-n", "second", "-c", "true"])
        .run()
        .expect(0);
    assert_eq!(workflows(&place(&torc)), ["first|completed", "second|completed"]);
    assert_eq!(names_in(&torc.root().join("tmp/torc-0")).len(), 0);
}

#[test]
fn two_records_for_one_place_are_both_kept() {
    let torc = torc();
    let daemon = service(&torc);
    run_unsaved(&torc, "one");
    let killed = daemon.kill_and_leave();
    let daemon = torc.daemon(SERVICE.into_iter().chain(["--fresh"]));
    run(&torc, "two");
    assert_eq!(daemon.end(), 0);
    assert_eq!(memory::of(killed).len(), 1);
    // It belongs where its snapshots would have been set aside to.
    let listed = torc.args(["snapshot", "list", "--db", PLACE, "--format", "csv"]).run().expect(0);
    assert!(!listed.stdout.contains("memory"), "{listed}");
    let left = torc.torcd(["snapshots", "remains"]).run().expect(0);
    let line = left.stdout.lines().find(|line| line.contains("torc.db.old-")).unwrap();
    let left: serde_json::Value = serde_json::from_str(line).unwrap();
    let aside = left["target"].as_str().unwrap();
    torc.args(["snapshot", "recover", "--db", aside]).run().expect(0);
    assert_eq!(workflows(&Database::open(aside)), ["one|completed"]);
    assert_eq!(workflows(&place(&torc)), ["two|completed"]);
    assert!(memory::of(killed).is_empty());
}

#[test]
fn two_that_have_gone_their_own_ways_are_both_kept() {
    let torc = torc();
    let daemon = service(&torc);
    run(&torc, "before");
    run_unsaved(&torc, "one");
    let killed = daemon.kill_and_leave();
    // Another host has the place meanwhile: what is in memory here is not there.
    let hidden = memory::of(killed).remove(0);
    let elsewhere = torc.path("elsewhere");
    fs::rename(&hidden, &elsewhere).unwrap_or_else(|_| copy_dir(&hidden, &elsewhere));
    let daemon = service(&torc);
    run(&torc, "two");
    assert_eq!(daemon.end(), 0);
    copy_dir(&elsewhere, &hidden);
    let daemon = service(&torc);
    daemon.expect_log("another record");
    assert_eq!(daemon.end(), 0);
    assert_eq!(workflows(&place(&torc)), ["before|completed", "two|completed"]);
    torc.args(["snapshot", "recover", "--db", PLACE]).run().expect(0);
    let home = names(&torc).into_iter().find(|name| name.contains("recovered")).unwrap();
    let home = Database::open(torc.path("place").join(home));
    assert_eq!(workflows(&home), ["before|completed", "one|completed"]);
    assert!(memory::of(killed).is_empty());
}

/// Moves a directory of files to another file system.
fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in names_in(from) {
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
    fs::remove_dir_all(from).unwrap();
}

#[test]
fn a_database_on_disk_is_not_gone_on_with_while_a_later_state_is_in_memory() {
    let torc = torc();
    let daemon = service(&torc);
    run(&torc, "before");
    run_unsaved(&torc, "after");
    daemon.kill_and_leave();
    let on_disk = ["exec", "--on-disk", "--db", PLACE, "-c", "true"];
    torc.args(on_disk).run().expect_refusal(7, "holds a later state");
    torc.args(["snapshot", "recover", "--db", PLACE]).run().expect(0);
    torc.args(on_disk).run().expect(0);
    assert_eq!(place(&torc).value("SELECT count(*) FROM workflow"), "3");
}

#[test]
fn what_a_living_torcd_has_and_what_a_user_has_are_not_taken() {
    let torc = torc();
    let daemon = service(&torc);
    run_unsaved(&torc, "living");
    let file = memory::of(daemon.pid()).remove(0).join("torc.db");
    let from = |path: &Path| {
        let path = path.to_str().unwrap();
        torc.torcd(["--recover", "--socket", "other.sock", "--snapshot", "new.db", "--from", path])
    };
    from(&file).run().expect_refusal(7, "in use");
    assert_eq!(daemon.end(), 0);
    assert_eq!(workflows(&place(&torc)), ["living|completed"]);
    from(&torc.path(PLACE)).run().expect(0);
    assert!(torc.path(PLACE).exists(), "it is the user's own");
    assert_eq!(workflows(&Database::open(torc.path("new.db"))), ["living|completed"]);
}

fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let length = bytes.len();
    bytes[length / 4..].fill(0xA5);
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_damaged_in_memory_stays_and_the_snapshot_is_loaded() {
    let torc = torc();
    let daemon = service(&torc);
    run(&torc, "before");
    run_unsaved(&torc, "after");
    let killed = daemon.kill_and_leave();
    let dir = memory::of(killed).remove(0);
    // Its log would mend it.
    let merged = rusqlite::Connection::open(dir.join("torc.db")).unwrap();
    merged.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    drop(merged);
    damage(&dir.join("torc.db"));
    let daemon = service(&torc);
    daemon.expect_log("is damaged and stays");
    assert_eq!(daemon.end(), 0);
    assert_eq!(workflows(&place(&torc)), ["before|completed"]);
    assert!(dir.join("torc.db").exists());
    memory::clear(killed);
}

#[test]
fn what_is_good_in_memory_replaces_snapshots_of_which_none_is() {
    let torc = torc();
    let daemon = service(&torc);
    run(&torc, "before");
    run_unsaved(&torc, "after");
    daemon.kill_and_leave();
    damage(&torc.path("place/torc.db"));
    torc.torcd(RECOVER).run().expect(0);
    assert_eq!(workflows(&place(&torc)), ["before|completed", "after|completed"]);
    assert!(names(&torc).iter().any(|name| name.contains(".corrupt-")), "{:?}", names(&torc));
}

#[test]
fn a_database_in_sqlites_own_memory_goes_on_from_it_as_well() {
    let torc = torc();
    let daemon = service(&torc);
    run_unsaved(&torc, "before");
    let killed = daemon.kill_and_leave();
    let daemon = torc.daemon(["--database", ":memory:", "--snapshot", "place/torc.db"]);
    run_unsaved(&torc, "after");
    assert_eq!(daemon.end(), 0);
    assert_eq!(workflows(&place(&torc)), ["before|completed", "after|completed"]);
    assert!(memory::of(killed).is_empty());
}
