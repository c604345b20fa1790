//! What is written, and what is refused.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use torc_protocol::id::Generation;
use torc_protocol::view::SnapshotPhase;
use torcd::snapshot::writer_process::{self, WriteRequest};

use crate::TORCD;
use crate::place::{Place, SmallDisk};

const ENOTDIR: i32 = 20;
const EFBIG: i32 = 27;
const ENOSPC: i32 = 28;

#[tokio::test]
async fn a_snapshot_is_written_and_described() {
    let place = Place::new();
    let mut phases = Vec::new();
    let request = WriteRequest { target: place.target.clone(), keep: 5, generation: Generation(1) };
    let image = place.image(1);
    let report =
        writer_process::write(Path::new(TORCD), image, request, |phase| phases.push(phase))
            .await
            .unwrap();
    use SnapshotPhase::{Publish, Sync, Verify, Write};
    assert_eq!(phases, [Write, Sync, Verify, Publish]);
    assert_eq!(report.phases.iter().map(|(phase, _)| *phase).collect::<Vec<_>>(), phases);
    assert_eq!(report.bytes, fs::metadata(&place.target).unwrap().len());
    let sum = Command::new("sha256sum").arg(&place.target).output().unwrap();
    assert_eq!(report.sha256.as_bytes(), &sum.stdout[..64]);
    place.assert_holds(&[("torc.db", 1)]);
    let header = fs::read(&place.target).unwrap();
    assert_eq!(header[18..20], [1, 1], "opening it would make a write-ahead log");
}

#[tokio::test]
async fn strangers_are_never_overwritten() {
    let place = Place::new();
    fs::create_dir(place.target.parent().unwrap()).unwrap();
    for stranger in [&place.target, &place.older(1)] {
        fs::write(stranger, "my thesis").unwrap();
        let failure = place.write(2, 1).await.unwrap_err();
        assert_eq!((failure.phase, failure.errno), (SnapshotPhase::Write, None));
        assert!(failure.reason.starts_with(stranger.to_str().unwrap()), "{}", failure.reason);
        assert_eq!(fs::read_to_string(stranger).unwrap(), "my thesis");
        assert_eq!(fs::read_dir(place.target.parent().unwrap()).unwrap().count(), 1);
        fs::remove_file(stranger).unwrap();
    }
    fs::create_dir(&place.target).unwrap();
    place.write(2, 1).await.unwrap_err();
    assert!(place.target.is_dir());
    fs::remove_dir(&place.target).unwrap();

    fs::write(&place.target, "").unwrap();
    place.write(2, 1).await.unwrap();
    place.assert_holds(&[("torc.db", 1)]);
}

#[tokio::test]
async fn a_damaged_or_wrong_image_is_refused_and_the_snapshot_before_it_stays() {
    let place = Place::new();
    place.write(2, 1).await.unwrap();
    let before = fs::metadata(&place.target).unwrap();
    let damaged = place.image(2);
    damaged.write_all_at(&[0xFF; 512], 8192).unwrap();
    let failure = place.write_image(damaged, 2, 2).await.unwrap_err();
    assert_eq!(failure.phase, SnapshotPhase::Verify);
    assert!(failure.reason.contains("damaged"), "{}", failure.reason);
    let failure = place.write_image(place.image(3), 2, 4).await.unwrap_err();
    assert_eq!(failure.reason, "the image is generation 3, not 4");
    assert_eq!(failure.path, place.target.to_str().unwrap());
    place.assert_holds(&[("torc.db", 1)]);
    let after = fs::metadata(&place.target).unwrap();
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let mut place = Place::new();
    let file = place.dir.path().join("file");
    fs::write(&file, "").unwrap();
    for (generation, target) in [(1, file.join("torc.db")), (2, file.join("deep/er/torc.db"))] {
        place.target = target;
        let failure = place.write(1, generation).await.unwrap_err();
        assert_eq!((failure.phase, failure.errno), (SnapshotPhase::Write, Some(ENOTDIR)));
        assert!(failure.reason.contains(file.to_str().unwrap()), "{}", failure.reason);
    }
}

#[test]
fn the_mode_is_0600_whatever_the_umask() {
    for (umask, generation) in [("000", 1), ("777", 2)] {
        let place = Place::new();
        fs::create_dir(place.target.parent().unwrap()).unwrap();
        let output =
            place.write_after(&format!("umask {umask}"), place.image(generation), generation);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::metadata(&place.target).unwrap().permissions().mode() & 0o7777, 0o600);
    }
}

#[test]
fn a_write_that_fails_half_way_leaves_nothing_behind() {
    let place = Place::new();
    assert!(place.write_after("true", place.image(1), 1).status.success());
    let output = place.write_after("ulimit -f 16", place.image(2), 2);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&format!("os error {EFBIG}")), "{text}");
    place.assert_holds(&[("torc.db", 1)]);
}

#[tokio::test]
async fn a_full_disk_is_told_and_the_snapshot_before_it_stays() {
    let place = Place::new();
    let dir = place.target.parent().unwrap();
    fs::create_dir(dir).unwrap();
    let image = place.image(1);
    let room = image.metadata().unwrap().len() * 3 / 2;
    let Some(_disk) = SmallDisk::mount(dir, room) else {
        eprintln!("SKIPPED: mounting a small tmpfs is not permitted here");
        return;
    };
    place.write_image(image, 2, 1).await.unwrap();
    let failure = place.write(2, 2).await.unwrap_err();
    assert_eq!((failure.phase, failure.errno), (SnapshotPhase::Write, Some(ENOSPC)), "{failure:?}");
    assert!(failure.reason.contains("bytes free"), "{}", failure.reason);
    place.assert_holds(&[("torc.db", 1)]);
}
