//! Who gets a lease, and who does not.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Holder, Lease, LeaseError, NEW, STALE};
use crate::sys;

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

#[test]
fn what_others_may_have_put_there_is_not_waited_for_nor_followed() {
    let (_dir, target) = target();
    let lease = PathBuf::from(format!("{}.lease", target.display()));
    fs::create_dir_all(target.parent().unwrap()).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(&lease).status().unwrap();
    assert!(pipe.success());
    for steal in [false, true] {
        let refused = Lease::take(&target, steal).unwrap_err();
        assert!(matches!(refused, LeaseError::Io { .. }), "{refused}");
    }
    fs::remove_file(&lease).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &lease).unwrap();
    let refused = Lease::take(&target, false).unwrap_err();
    assert!(matches!(refused, LeaseError::Io { .. }), "{refused}");
}

#[test]
fn who_it_names_cannot_speak_to_a_terminal() {
    let (_dir, target) = target();
    let ours = Holder::ours().unwrap();
    write(&target, &Holder { host: "\u{1b}[2Jnobody".to_owned(), ..ours });
    let refused = Lease::take(&target, false).unwrap_err().to_string();
    assert!(!refused.contains('\u{1b}'), "{refused:?}");
}

#[test]
fn what_was_left_by_those_who_were_killed_as_they_took_it_goes_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("torc.db");
    let host = sys::host::host_name().unwrap();
    let dead = u32::MAX;
    let gone =
        [NEW, STALE].map(|word| dir.path().join(format!("torc.db.lease.{word}-{host}-{dead}")));
    let stay = [
        dir.path().join(format!("torc.db.lease.new-elsewhere-{dead}")),
        dir.path().join(format!("torc.db.lease.new-{host}-1")),
        dir.path().join(format!("torc.db.lease.new-{host}-{dead}x")),
    ];
    for path in gone.iter().chain(&stay) {
        fs::write(path, "").unwrap();
    }
    drop(Lease::take(&target, false).unwrap());
    assert!(gone.iter().all(|path| !path.exists()), "left over");
    assert!(stay.iter().all(|path| path.exists()), "removed");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), stay.len(), "something of ours stayed");
}

#[test]
fn one_that_was_moved_by_mistake_is_given_back_where_there_are_no_links_too() {
    let dir = tempfile::tempdir().unwrap();
    let (path, aside) = (dir.path().join("lease"), dir.path().join("aside"));
    // EPERM is what Linux says of a file system without links.
    let no_links = || Err(std::io::Error::from_raw_os_error(1));
    fs::write(&aside, "theirs").unwrap();
    super::put_back(&aside, &path, no_links()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
    assert!(!aside.exists());
    fs::write(&aside, "others").unwrap();
    let refused = super::put_back(&aside, &path, no_links()).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "theirs", "whoever came last has it");
}
