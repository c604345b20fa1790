use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Cgroups, PATIENCE, children, clear, count, own_directory, remove};

#[test]
fn the_own_directory_is_below_the_mount_of_version_2() {
    let own = |cgroups, mounts| own_directory(cgroups, mounts);
    let plain = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
    let found = own("0::/user.slice/a.service\n", plain);
    assert_eq!(found, Some(PathBuf::from("/sys/fs/cgroup/user.slice/a.service")));
    assert_eq!(own("0::/\n", plain), Some(PathBuf::from("/sys/fs/cgroup")));
    let both = "31 30 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                32 30 0:28 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw\n";
    let found = own("4:memory:/x\n0::/a\n", both);
    assert_eq!(found, Some(PathBuf::from("/sys/fs/cgroup/unified/a")));
    let part = "30 23 0:26 /docker/c /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    assert_eq!(own("0::/docker/c/d\n", part), Some(PathBuf::from("/sys/fs/cgroup/d")));
    assert_eq!(own("0::/elsewhere\n", part), None);
    assert_eq!(own("4:memory:/x\n", plain), None);
}

#[test]
fn events_are_counted_by_their_whole_name() {
    let events = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
    assert_eq!(count(events, "oom_kill"), 2);
    assert_eq!(count(events, "oom_kil"), 0);
}

#[test]
fn a_leaf_has_its_limits_and_tells_what_was_seen() {
    let parent = tempfile::tempdir().unwrap();
    let cgroups = Cgroups { parent: parent.path().to_owned() };
    let leaf = cgroups.leaf("1.1", 4096).unwrap();
    let file = |name: &str| leaf.path.join(name);
    assert_eq!(fs::read_to_string(file("memory.max")).unwrap(), "4096");
    assert_eq!(fs::read_to_string(file("memory.swap.max")).unwrap(), "0");
    assert_eq!(fs::read_to_string(file("memory.oom.group")).unwrap(), "1");
    assert_eq!((leaf.end().peak, leaf.end().out_of_memory), (0, false));
    fs::write(file("memory.peak"), "4000\n").unwrap();
    fs::write(file("memory.events"), "oom 1\noom_kill 1\n").unwrap();
    assert_eq!((leaf.end().peak, leaf.end().out_of_memory), (4000, true));
    assert!(cgroups.leaf("1.1", 4096).is_err(), "it is there already");
}

#[test]
fn what_a_dead_worker_left_is_removed_and_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let alive = format!("torc-{}-1.1", std::process::id());
    let dead = format!("torc-{}-1.1", u32::MAX);
    for name in [&alive, &dead, "torc-x", "other"] {
        fs::create_dir(parent.path().join(name)).unwrap();
    }
    Cgroups { parent: parent.path().to_owned() }.sweep();
    let mut left = children(parent.path());
    left.sort_unstable();
    let mut wanted = ["other", &alive, "torc-x"].map(|name| parent.path().join(name));
    wanted.sort_unstable();
    assert_eq!(left, wanted);
}

#[test]
fn a_tree_as_deep_as_a_path_can_be_is_cleared_on_the_stack_of_a_slot() {
    const DEPTH: usize = 1500;
    let parent = tempfile::tempdir().unwrap();
    let top = parent.path().join("top");
    let mut path = top.clone();
    for _ in 0..DEPTH {
        fs::create_dir(&path).unwrap();
        path.push("a");
    }
    let cleared = top.clone();
    let clear_all = move || {
        let deadline = Instant::now() + PATIENCE;
        clear(&cleared, deadline);
        // Where it is not the kernel's, that has made a file.
        fs::remove_file(cleared.join("cgroup.kill")).unwrap();
        remove(&cleared, deadline);
    };
    let slot = std::thread::Builder::new().stack_size(crate::worker::run::SLOT_STACK);
    slot.spawn(clear_all).unwrap().join().unwrap();
    assert!(!top.exists());
}

#[test]
fn only_a_directory_with_the_controller_is_used() {
    let parent = tempfile::tempdir().unwrap();
    assert!(Cgroups::below(parent.path()).is_none());
    for (file, text) in [("cgroup.subtree_control", "cpu\n"), ("cgroup.procs", "")] {
        fs::write(parent.path().join(file), text).unwrap();
    }
    assert!(Cgroups::below(parent.path()).is_none());
    let own = parent.path().join("torcd");
    assert!(Cgroups::beside_torcd(&own).is_none());
    fs::write(parent.path().join("cgroup.controllers"), "cpu memory\n").unwrap();
    fs::write(parent.path().join("cgroup.procs"), "1\n").unwrap();
    assert!(Cgroups::below(parent.path()).is_none(), "a stranger is in it");
    assert!(children(parent.path()).is_empty());
    fs::write(parent.path().join("cgroup.subtree_control"), "cpu memory\n").unwrap();
    if !Path::new("/run/systemd/system").exists() {
        assert!(Cgroups::below(parent.path()).is_some());
        assert!(Cgroups::beside_torcd(&own).is_some());
    }
}
