use super::*;

fn purpose(target: &str) -> Purpose {
    Purpose { target: PathBuf::from(target), private: true }
}

/// A directory as a process left it that does not exist any more.
fn left(parent: &Path, purpose: &Purpose) -> PathBuf {
    let path = parent.join(format!("{}-7-0", u32::MAX));
    fs::create_dir(&path).unwrap();
    fs::write(path.join(OWNER_NAME), purpose.text()).unwrap();
    fs::write(path.join(DATABASE_NAME), "rows").unwrap();
    path
}

#[test]
fn what_it_is_for_survives_any_name() {
    let odd =
        Purpose { target: PathBuf::from(OsStr::from_bytes(b"/a b/\xff\n.db")), private: false };
    for purpose in [purpose("/x/torc.db"), odd] {
        assert_eq!(Purpose::parse(&purpose.text()), Some(purpose));
    }
    for text in ["", "private\n", "private\ntarget x", "other\ntarget /x"] {
        assert_eq!(Purpose::parse(text.as_bytes()), None, "{text}");
    }
}

#[test]
fn only_the_directories_of_the_dead_are_found() {
    let parent = tempfile::tempdir().unwrap();
    let living = PrivateDir::create(parent.path(), &purpose("/x/torc.db")).unwrap();
    assert!(traces(parent.path()).is_empty());
    assert!(trace(living.path()).is_err());
    let path = left(parent.path(), &purpose("/y/torc.db"));
    let other = parent.path().join("7-elsewhere");
    fs::create_dir(&other).unwrap();
    assert!(trace(&other).unwrap().is_none());
    let found = traces(parent.path());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, path);
    assert_eq!(found[0].purpose, Some(purpose("/y/torc.db")));
    assert!(found[0].clone().look().unwrap().database().is_some());
}

#[test]
fn many_look_at_a_time_and_one_takes_over_when_nobody_does() {
    let parent = tempfile::tempdir().unwrap();
    let path = left(parent.path(), &purpose("/y/torc.db"));
    let found = || trace(&path).unwrap().unwrap();
    let looking = [found().look().unwrap(), found().look().unwrap()];
    let taken = std::thread::scope(|scope| {
        let taking = scope.spawn(|| found().take().unwrap());
        drop(looking);
        taking.join().unwrap()
    });
    assert!(taken.is_some());
    assert!(found().look().is_none(), "somebody takes it over");
    drop(taken);
    assert!(found().look().is_some());
}

#[test]
fn who_does_not_let_go_is_told_from_what_is_not_there() {
    let parent = tempfile::tempdir().unwrap();
    let path = left(parent.path(), &purpose("/y/torc.db"));
    let found = trace(&path).unwrap().unwrap();
    let looking = found.clone().look().unwrap();
    assert!(found.clone().take().is_err());
    looking.remove();
    assert!(found.take().unwrap().is_none());
}

#[test]
fn what_nobody_wants_is_swept() {
    let parent = tempfile::tempdir().unwrap();
    let living = PrivateDir::create(parent.path(), &purpose("/x/torc.db")).unwrap();
    let path = left(parent.path(), &purpose("/y/torc.db"));
    sweep(parent.path(), |dir| dir.join(DATABASE_NAME).exists());
    assert!(path.exists());
    sweep(parent.path(), |_| false);
    assert!(!path.exists());
    assert!(living.path().is_dir());
}

#[test]
fn what_is_taken_over_is_ours_in_one_step_and_is_held() {
    let parent = tempfile::tempdir().unwrap();
    let first = PrivateDir::create(parent.path(), &purpose("/x/torc.db")).unwrap();
    let before = left(parent.path(), &purpose("/y/torc.db"));
    let orphan = trace(&before).unwrap().unwrap().take().unwrap().unwrap();
    let ours = PrivateDir::adopt(orphan, &purpose("/z/torc.db")).unwrap();
    assert!(!before.exists());
    assert_ne!(ours.path(), first.path());
    assert_eq!(fs::read(ours.path().join(DATABASE_NAME)).unwrap(), b"rows");
    let text = fs::read(ours.path().join(OWNER_NAME)).unwrap();
    assert_eq!(Purpose::parse(&text), Some(purpose("/z/torc.db")));
    let path = ours.path().to_owned();
    drop(ours);
    assert!(path.exists(), "it is held: what is in it is nowhere else");
    let orphan = trace(&path);
    assert!(orphan.is_err(), "its name is that of a living process");
    fs::remove_dir_all(path).unwrap();
    let path = first.path().to_owned();
    drop(first);
    assert!(!path.exists());
}
