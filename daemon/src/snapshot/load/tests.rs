use std::os::unix::fs::{FileExt, PermissionsExt};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::store::migrate::{SCHEMA_VERSION, migrate};

struct Place {
    dir: TempDir,
    target: PathBuf,
    into: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (target, into) = (dir.path().join("torc.db"), dir.path().join("loaded"));
        Self { dir, target, into }
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.dir.path().join(format!("torc.db{suffix}"))
    }

    /// Makes a snapshot of `instance` that is number `generation`.
    fn snapshot(&self, suffix: &str, instance: &str, generation: u64) {
        let path = self.path(suffix);
        let mut connection = Connection::open(path).unwrap();
        migrate(&mut connection).unwrap();
        connection
            .execute("INSERT INTO meta (key, value) VALUES ('instance', ?1)", [instance])
            .unwrap();
        connection
            .execute(
                "INSERT INTO snapshot (generation, instance, host, boot_id, pid, changes, started_at,
                                       path)
                 VALUES (?1, ?2, 'here', 'boot', 1, ?1 * 10, 0, '')",
                (i64::try_from(generation).unwrap(), instance),
            )
            .unwrap();
    }

    fn damage(&self, suffix: &str) {
        let file = fs::OpenOptions::new().write(true).open(self.path(suffix)).unwrap();
        let length = file.metadata().unwrap().len();
        file.write_all_at(&[0xFF; 4096], length - 4096).unwrap();
    }

    fn load(&self) -> Result<Loaded, LoadError> {
        load(&self.target, &self.into)
    }

    /// Loads, and returns the suffix of the file that was used, its generation, and how many files
    /// were quarantined.
    fn loaded(&self) -> (String, u64, usize) {
        match self.load().unwrap() {
            Loaded::Nothing => panic!("nothing was found"),
            Loaded::Snapshot { path, generation, changes, quarantined } => {
                assert_eq!(changes, generation.0 * 10);
                assert_eq!(verify(&self.into).unwrap().generation, generation);
                let name = path.file_name().unwrap().to_str().unwrap();
                (name.strip_prefix("torc.db").unwrap().to_owned(), generation.0, quarantined.len())
            }
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

fn used(suffix: &str, generation: u64, quarantined: usize) -> (String, u64, usize) {
    (suffix.to_owned(), generation, quarantined)
}

#[test]
fn where_there_is_nothing_nothing_is_loaded() {
    let place = Place::new();
    assert!(matches!(place.load(), Ok(Loaded::Nothing)));
    let missing = place.dir.path().join("missing/torc.db");
    assert!(matches!(load(&missing, &place.into), Ok(Loaded::Nothing)));
    fs::write(&place.target, "").unwrap();
    assert!(matches!(place.load(), Ok(Loaded::Nothing)));
    assert_eq!(place.names(), ["torc.db"]);
}

#[test]
fn a_good_snapshot_is_copied_and_left_as_it_is() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    place.snapshot(".1", "a", 2);
    let before = fs::read(&place.target).unwrap();
    assert_eq!(place.loaded(), used("", 3, 0));
    assert_eq!(fs::read(&place.target).unwrap(), before);
    assert_eq!(fs::read(&place.into).unwrap(), before);
    assert_eq!(place.names(), ["loaded", "torc.db", "torc.db.1"]);
    assert_eq!(fs::metadata(&place.into).unwrap().permissions().mode() & 0o7777, 0o600);
}

#[test]
fn the_newest_is_the_one_of_the_highest_generation() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    place.snapshot(".1", "a", 4);
    place.snapshot(".2", "a", 12);
    assert_eq!(place.loaded(), used(".2", 12, 0));
}

#[test]
fn generations_of_another_database_do_not_count() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    place.snapshot(".1", "b", 400);
    assert_eq!(place.loaded(), used("", 3, 0));
}

#[test]
fn a_damaged_one_is_quarantined_and_the_one_before_it_is_used() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    place.snapshot(".1", "a", 2);
    place.damage("");
    assert_eq!(place.loaded(), used(".1", 2, 1));
    let names = place.names();
    assert!(
        names[1].starts_with("torc.db.1") && names[2].starts_with("torc.db.corrupt-"),
        "{names:?}"
    );
    assert_eq!(names.len(), 3);
}

#[test]
fn a_missing_newest_is_replaced_by_the_one_before_it() {
    let place = Place::new();
    place.snapshot(".2", "a", 1);
    assert_eq!(place.loaded(), used(".2", 1, 0));
}

#[test]
fn damage_that_shows_at_once_and_damage_that_hides_are_treated_alike() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    fs::OpenOptions::new().write(true).open(&place.target).unwrap().set_len(5000).unwrap();
    place.snapshot(".1", "a", 2);
    place.damage(".1");
    place.snapshot(".2", "a", 1);
    assert_eq!(place.loaded(), used(".2", 1, 2));
}

#[test]
fn when_none_is_good_nothing_moves_and_nothing_is_started_empty() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    place.damage("");
    place.snapshot(".1", "a", 2);
    place.damage(".1");
    for _ in 0..2 {
        let error = place.load().unwrap_err();
        assert!(matches!(&error, LoadError::NoneGood(failed) if failed.len() == 2), "{error}");
        assert!(error.hint().contains("--fresh"));
        assert_eq!(place.names(), ["torc.db", "torc.db.1"]);
    }
}

#[test]
fn strangers_and_newer_files_are_errors_and_stay() {
    let place = Place::new();
    place.snapshot(".1", "a", 2);
    fs::write(&place.target, "my thesis").unwrap();
    assert!(matches!(place.load(), Err(LoadError::Stranger { .. })));
    fs::remove_file(&place.target).unwrap();
    fs::create_dir(&place.target).unwrap();
    assert!(matches!(place.load(), Err(LoadError::Stranger { .. })));
    fs::remove_dir(&place.target).unwrap();
    place.snapshot("", "a", 3);
    let file = fs::OpenOptions::new().write(true).open(&place.target).unwrap();
    file.write_all_at(&(SCHEMA_VERSION + 1).to_be_bytes(), 60).unwrap();
    assert!(matches!(place.load(), Err(LoadError::Newer { .. })));
    assert_eq!(place.names(), ["torc.db", "torc.db.1"]);
}

#[test]
fn one_that_somebody_has_added_to_is_no_damage() {
    for added in ["CREATE INDEX quick ON job (name)", "CREATE VIEW mine AS SELECT * FROM job"] {
        let place = Place::new();
        place.snapshot("", "a", 3);
        place.snapshot(".1", "a", 2);
        Connection::open(&place.target).unwrap().execute_batch(added).unwrap();
        let refused = place.load().unwrap_err();
        assert!(matches!(refused, LoadError::Altered { .. }), "{added}: {refused}");
        assert!(refused.to_string().contains("is not of its making"), "{refused}");
        assert_eq!(place.names(), ["torc.db", "torc.db.1"], "nothing has moved");
    }
}

#[test]
fn strangers_with_a_number_are_passed_over() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    place.damage("");
    fs::write(place.path(".1"), "my thesis").unwrap();
    place.snapshot(".2", "a", 1);
    assert_eq!(place.loaded(), used(".2", 1, 1));
    assert_eq!(fs::read_to_string(place.path(".1")).unwrap(), "my thesis");
}

#[test]
fn changes_beside_a_snapshot_are_not_left_out() {
    let place = Place::new();
    place.snapshot("", "a", 3);
    fs::write(place.path("-wal"), "").unwrap();
    assert_eq!(place.loaded(), used("", 3, 0));
    fs::remove_file(&place.into).unwrap();
    fs::write(place.path("-wal"), "frames").unwrap();
    assert!(matches!(place.load(), Err(LoadError::Unfinished { .. })));
    assert!(!place.into.exists());
}

#[test]
fn a_file_that_cannot_be_read_or_written_is_not_damage() {
    let place = Place::new();
    fs::write(place.path("-file"), "").unwrap();
    let below = place.path("-file").join("torc.db");
    let error = load(&below, &place.into).unwrap_err();
    assert!(matches!(&error, LoadError::Io { path, .. } if *path == below), "{error}");

    place.snapshot("", "a", 3);
    fs::write(&place.into, "somebody's").unwrap();
    let error = place.load().unwrap_err();
    assert!(matches!(&error, LoadError::Io { path, .. } if *path == place.into), "{error}");
    assert_eq!(fs::read_to_string(&place.into).unwrap(), "somebody's");
}
