use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use super::*;
use crate::wait::wait_until;

/// A program that uses the disk, so that this one does not hang.
fn shell(disk: &SlowDisk, script: &str) -> std::process::Child {
    Command::new("sh")
        .args(["-c", &format!("cd '{}' && {script}", disk.dir().display())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn output(child: std::process::Child) -> String {
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn what_is_done_on_it_is_done_in_the_directory_beside() {
    let Some(disk) = SlowDisk::mount() else { return };
    let dir = disk.path("dir");
    fs::create_dir(&dir).unwrap();
    let mut file = File::create(dir.join("a")).unwrap();
    file.write_all(&vec![7; 3 << 20]).unwrap();
    file.sync_all().unwrap();
    File::open(&dir).unwrap().sync_all().unwrap();
    fs::hard_link(dir.join("a"), dir.join("b")).unwrap();
    fs::rename(dir.join("b"), disk.path("c")).unwrap();
    fs::remove_file(dir.join("a")).unwrap();
    std::os::unix::fs::symlink("c", disk.path("link")).unwrap();
    assert_eq!(fs::read_link(disk.path("link")).unwrap(), Path::new("c"));
    assert!(fs::read(disk.path("link")).unwrap() == vec![7; 3 << 20]);
    assert_eq!(file.metadata().unwrap().nlink(), 1);
    file.set_len(5).unwrap();
    assert_eq!(fs::metadata(disk.backing().join("c")).unwrap().len(), 5);
    let mut names: Vec<_> =
        fs::read_dir(disk.dir()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["c", "dir", "link"]);
    fs::remove_dir_all(&dir).unwrap();
    assert!(!disk.backing().join("dir").exists());
}

#[test]
fn who_asks_a_frozen_disk_hangs_where_no_signal_reaches_until_it_is_thawed() {
    let Some(disk) = SlowDisk::mount() else { return };
    disk.freeze();
    let mut victim = shell(&disk, "echo x > y");
    disk.wait_for_a_victim();
    victim.kill().unwrap();
    let stat = format!("/proc/{}/stat", victim.id());
    wait_until("not even SIGKILL reaches it", || {
        fs::read_to_string(&stat).unwrap().contains(" D ")
    });
    assert!(victim.try_wait().unwrap().is_none());
    let patient = shell(&disk, "echo thawed > z; cat z");
    disk.thaw();
    victim.wait().unwrap();
    assert_eq!(output(patient), "thawed\n");
}

#[test]
fn a_slow_disk_takes_its_time() {
    let Some(disk) = SlowDisk::mount() else { return };
    let pause = Duration::from_millis(200);
    for what in [Slow::Open, Slow::Write, Slow::Sync] {
        disk.slow_down(what, pause);
        let begun = std::time::Instant::now();
        let mut file = File::create(disk.path("file")).unwrap();
        file.write_all(b"x").unwrap();
        file.sync_all().unwrap();
        assert!(begun.elapsed() >= pause, "{what:?}");
        disk.slow_down(what, Duration::ZERO);
    }
}

#[test]
fn each_fault_has_its_error_and_can_be_mended() {
    let Some(disk) = SlowDisk::mount() else { return };
    let to = format!("of={}", disk.path("file").display());
    // Not done by this thread, so that what it says is what users would read.
    let write = || {
        let dd = Command::new("dd").args(["if=/dev/zero", "count=1", "conv=fsync", &to]).output();
        String::from_utf8_lossy(&dd.unwrap().stderr).into_owned()
    };
    for (fault, said) in [
        (Fault::Full, "No space left on device"),
        (Fault::Quota, "Disk quota exceeded"),
        (Fault::Broken, "Input/output error"),
        (Fault::ReadOnly, "Read-only file system"),
        (Fault::Stale, "Stale file handle"),
    ] {
        disk.fault(Some(fault));
        let told = write();
        assert!(told.contains(said), "{fault:?}: {told}");
        disk.fault(None);
        assert!(write().contains("copied"), "{fault:?} is not mended");
    }
    disk.fault(Some(Fault::Full));
    let free = nix::sys::statvfs::statvfs(disk.dir()).unwrap();
    assert_eq!(free.blocks_available(), 0);
}

#[test]
fn a_frozen_disk_that_is_dropped_lets_everybody_go() {
    let Some(disk) = SlowDisk::mount() else { return };
    let dir = disk.dir().to_owned();
    let mut holder = shell(&disk, "exec 3> open; read x");
    disk.freeze();
    let mut victim = shell(&disk, "echo x > y");
    disk.wait_for_a_victim();
    drop(disk);
    victim.wait().unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(!dir.exists(), "it is unmounted, and what it was mounted on is gone");
}
