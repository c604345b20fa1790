//! Who gets a lease, and who does not.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Holder, Lease, LeaseError};

fn target() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("new/torc.db");
    (dir, target)
}

fn write(target: &Path, holder: &Holder) {
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(format!("{}.lease", target.display()), holder.text()).unwrap();
}

#[test]
fn only_one_has_it_until_it_is_released() {
    let (_dir, target) = target();
    let lease = Lease::take(&target, false).unwrap();
    let refused = Lease::take(&target, false).unwrap_err();
    assert!(matches!(refused, LeaseError::Held { may_be_dead: false, .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("process {}", std::process::id())));
    drop(lease);
    assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 0);
    Lease::take(&target, false).unwrap();
}

#[test]
fn that_of_a_process_that_died_is_taken_over() {
    let (_dir, target) = target();
    let ours = Holder::ours().unwrap();
    write(&target, &Holder { start: ours.start + 1, ..ours.clone() });
    Lease::take(&target, false).unwrap();
    write(&target, &Holder { pid: u32::MAX, ..ours });
    let lease = Lease::take(&target, false).unwrap();
    assert_eq!(lease.predecessor().unwrap().pid, u32::MAX);
    drop(lease);
    assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn that_of_another_host_or_boot_is_only_stolen() {
    let (_dir, target) = target();
    let ours = Holder::ours().unwrap();
    for other in [
        Holder { host: "elsewhere".to_owned(), pid: u32::MAX, ..ours.clone() },
        Holder { boot: "earlier".to_owned(), pid: u32::MAX, ..ours },
    ] {
        write(&target, &other);
        let refused = Lease::take(&target, false).unwrap_err();
        assert!(matches!(refused, LeaseError::Held { may_be_dead: true, .. }), "{refused}");
        Lease::take(&target, true).unwrap();
    }
}

#[test]
fn one_that_does_not_say_whose_it_is_counts_as_held() {
    let (_dir, target) = target();
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    fs::write(format!("{}.lease", target.display()), "").unwrap();
    assert!(matches!(Lease::take(&target, false), Err(LeaseError::Held { .. })));
    Lease::take(&target, true).unwrap();
}

#[test]
fn one_that_was_stolen_is_not_released() {
    let (_dir, target) = target();
    let lease = Lease::take(&target, false).unwrap();
    let other = Holder { host: "elsewhere".to_owned(), ..Holder::ours().unwrap() };
    write(&target, &other);
    drop(lease);
    assert!(matches!(Lease::take(&target, false), Err(LeaseError::Held { .. })));
}

#[test]
fn of_many_who_want_it_at_once_one_has_it() {
    let (_dir, target) = target();
    let ours = Holder::ours().unwrap();
    write(&target, &Holder { start: ours.start + 1, ..ours });
    let taken: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| Lease::take(&target, false))).collect();
        all.into_iter().filter_map(|one| one.join().unwrap().ok()).collect()
    });
    assert_eq!(taken.len(), 1);
}
