//! A target that is full, or broken otherwise: what was there stays, everybody is told, and nothing
//! is lost.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;
use torc_tests::database::Database;
use torc_tests::slow_disk::{Fault, SlowDisk};
use torc_tests::small_disk::SmallDisk;
use torc_tests::torc::{Torc, names_in};

use crate::{UNTIL_GO, torc};

/// Room for a few snapshots of a few jobs.
const SMALL: u64 = 4 << 20;

fn run_a_job(torc: &Torc, name: &str) {
    torc.args(["exec", "--detach", "-n", name, "-c", &format!("echo {name}")]).run().expect(0);
    torc.args(["wait", name]).run().expect(0);
}

/// Returns what is recorded, and checks that it is sound.
fn workflows(path: &Path) -> Vec<String> {
    let database = Database::open(path);
    database.expect_sound();
    database.rows("SELECT name, status FROM workflow ORDER BY id")
}

/// Returns the names in a directory, leases aside.
fn names(dir: &Path) -> Vec<String> {
    let mut names = names_in(dir);
    names.retain(|name| !name.contains(".lease"));
    names
}

fn snapshot_status(torc: &Torc) -> Value {
    let status = torc.args(["status", "--format", "json"]).run().expect(0).json();
    status["snapshot"].clone()
}

#[test]
fn each_fault_of_the_disk_is_told_everywhere_and_leaves_the_snapshot_before() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let target = disk.path("torc.db").display().to_string();
    let daemon = torc.daemon(["--in-memory", "--snapshot", &target, "--snapshot-keep", "2"]);
    run_a_job(&torc, "before");
    torc.args(["snapshot", "--wait"]).run().expect(0);
    for (fault, errno) in [
        // It is found out before a byte is written.
        (Fault::Full, None),
        (Fault::Quota, Some(nix::errno::Errno::EDQUOT)),
        (Fault::Broken, Some(nix::errno::Errno::EIO)),
        (Fault::ReadOnly, Some(nix::errno::Errno::EROFS)),
        (Fault::Stale, Some(nix::errno::Errno::ESTALE)),
    ] {
        let before = fs::read(disk.backing().join("torc.db")).unwrap();
        run_a_job(&torc, &format!("{fault:?}"));
        disk.fault(Some(fault));
        torc.args(["snapshot", "--wait"]).run().expect_refusal(5, &target);
        let status = snapshot_status(&torc);
        let error = &status["error"];
        assert_eq!(error["path"], target.as_str(), "{fault:?}: {status}");
        assert_eq!(error["phase"], "write", "{fault:?}: {status}");
        if let Some(errno) = errno {
            assert_eq!(error["errno"], errno as i32, "{fault:?}: {status}");
        }
        assert!(status["failing_since"].as_f64().is_some(), "{fault:?}: {status}");
        assert!(status["changes_since"].as_u64().unwrap() > 0, "{fault:?}: {status}");
        // Whatever is asked, the answer says so.
        let listed = torc.args(["jobs", "list"]).run().expect(0);
        assert!(listed.stderr.contains("snapshots fail"), "{fault:?}: {listed}");
        assert!(fs::read(disk.backing().join("torc.db")).unwrap() == before, "{fault:?}");
        disk.fault(None);
        torc.args(["snapshot", "--wait"]).run().expect(0);
        let status = snapshot_status(&torc);
        assert_eq!(status["error"], Value::Null, "{fault:?}");
        assert_eq!(status["failing_since"], Value::Null, "{fault:?}");
        let listed = torc.args(["jobs", "list"]).run().expect(0);
        assert!(!listed.stderr.contains("snapshots fail"), "{fault:?}: {listed}");
        assert_eq!(names(disk.backing()), ["torc.db", "torc.db.1"], "{fault:?}");
    }
    assert_eq!(workflows(&disk.backing().join("torc.db")).len(), 6);
    assert_eq!(daemon.end(), 0);
}

#[test]
fn a_final_snapshot_on_a_full_disk_is_saved_elsewhere_and_comes_home_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(SMALL) else { return };
    let torc = torc();
    let target = disk.path("torc.db");
    fs::create_dir(torc.path("spill")).unwrap();
    let mut daemon = torc.daemon([
        "--in-memory",
        "--snapshot",
        target.to_str().unwrap(),
        "--spill-dir",
        "spill",
    ]);
    run_a_job(&torc, "before");
    torc.args(["snapshot", "--wait"]).run().expect(0);
    run_a_job(&torc, "after");
    disk.fill();
    torc.args(["snapshot", "--wait"]).run().expect_refusal(5, target.to_str().unwrap());
    daemon.signal(Signal::SIGTERM);
    let kept = PathBuf::from(daemon.line("TORC_SNAPSHOT_KEPT="));
    assert_eq!(daemon.exit_code(), 5);
    assert!(kept.starts_with(torc.path("spill")), "{}", kept.display());
    assert_eq!(workflows(&kept), ["before|completed", "after|completed"]);
    assert_eq!(workflows(&target), ["before|completed"], "what was there is untouched");
    // As long as there is no room it stays where it is.
    let recover = || {
        let call = torc.args(["snapshot", "recover", "--spill-dir", "spill", "--db"]);
        call.args([&target]).run()
    };
    recover().expect(5);
    assert_eq!(workflows(&kept), ["before|completed", "after|completed"]);
    disk.make_room();
    recover().expect(0);
    assert_eq!(workflows(&target), ["before|completed", "after|completed"]);
    assert!(!kept.exists());
    let results = torc.args(["results", "list", "-w", "after", "--format", "json", "--db"]);
    let results = results.args([target.as_os_str()]).run().expect(0).json();
    assert_eq!(results[0]["return_code"], 0);
}

#[test]
fn torcctl_says_where_the_record_of_a_run_on_a_full_disk_is() {
    let Some(disk) = SmallDisk::mount(SMALL) else { return };
    let torc = torc();
    let target = disk.path("torc.db");
    torc.args(["exec", "-n", "first", "-c", "echo 1", "--db"]).args([&target]).run().expect(0);
    let second = torc.args(["exec", "-n", "second", "-c", UNTIL_GO, "-c", "exit 3", "--db"]);
    let second = second.args([&target]).start();
    torc.contents_of("started");
    disk.fill();
    torc.write("go", "");
    let outcome = second.wait().expect(5);
    let kept = outcome.stderr.lines().find_map(|line| line.strip_prefix("it is saved in "));
    let kept = PathBuf::from(kept.unwrap_or_else(|| panic!("it does not say where: {outcome}")));
    assert!(kept.exists() && outcome.stderr.contains("torcctl snapshot recover"), "{outcome}");
    assert_eq!(workflows(&target), ["first|completed"]);
    disk.make_room();
    // The next run goes on from it, without having been told.
    torc.args(["exec", "-n", "third", "-c", "echo 3", "--db"]).args([&target]).run().expect(0);
    assert_eq!(workflows(&target), ["first|completed", "second|failed", "third|completed"]);
    let codes = Database::open(&target).rows("SELECT return_code FROM attempt ORDER BY job_id");
    assert_eq!(codes.len(), 4);
    assert!(!kept.exists());
}

#[test]
fn torcd_does_not_start_where_it_cannot_say_that_it_is_there() {
    let Some(disk) = SlowDisk::mount() else { return };
    let torc = torc();
    let target = disk.path("torc.db").display().to_string();
    for fault in [Fault::ReadOnly, Fault::Stale] {
        disk.fault(Some(fault));
        let refused = torc.args(["exec", "--db", &target, "-c", "touch ran"]).run();
        assert!([2, 3].contains(&refused.status.code().unwrap()), "{fault:?}: {refused}");
        assert!(refused.stderr.contains(&target), "{fault:?}: {refused}");
        disk.fault(None);
        assert!(!torc.path("ran").exists());
        assert_eq!(names_in(disk.backing()), [""; 0], "{fault:?}");
    }
}
