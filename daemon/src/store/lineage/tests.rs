use super::*;
use crate::store::home::Home;
use crate::store::tables::snapshot::{self, Author};
use crate::store::writer::Writer;

/// A database that changes, and whose snapshots are files in a directory.
struct Life {
    dir: PathBuf,
    name: &'static str,
    writer: Writer,
    pid: u32,
}

impl Life {
    fn begin(dir: &Path, name: &'static str, from: Option<&Path>, pid: u32) -> Self {
        let path = dir.join(name);
        if let Some(from) = from {
            std::fs::copy(from, &path).unwrap();
        }
        let writer = Writer::open(&Home::File(path), None).unwrap();
        Self { dir: dir.to_owned(), name, writer, pid }
    }

    fn change(&mut self) {
        meta::set(self.writer.writing().unwrap(), "x", "y").unwrap();
        self.writer.commit().unwrap();
    }

    fn begin_snapshot(&mut self) -> Generation {
        let word = |text: &str| text.to_owned();
        let author = Author {
            instance: word(self.writer.instance()),
            host: word("here"),
            boot_id: word("b"),
            pid: self.pid,
        };
        let changes = self.writer.changes() + 1;
        let begun = self.writer.all_or_nothing(|connection| {
            snapshot::begin(connection, &author, changes, "/t/torc.db", Timestamp(changes as i64))
        });
        self.writer.commit().unwrap();
        begun.unwrap()
    }

    fn snapshot(&mut self) -> PathBuf {
        let generation = self.begin_snapshot();
        self.copy(generation)
    }

    fn copy(&self, generation: Generation) -> PathBuf {
        let path = self.dir.join(format!("{}-{generation}.snapshot", self.name));
        let copied = self.writer.reading().execute("VACUUM INTO ?1", [path.to_str().unwrap()]);
        copied.unwrap();
        path
    }

    fn die(self) -> Lineage {
        let path = self.dir.join(self.name);
        drop(self);
        Lineage::open(&path).unwrap()
    }
}

fn fate(life: Life, there: &Path) -> Fate {
    life.die().fate(&Lineage::open_snapshot(there).unwrap()).unwrap()
}

#[test]
fn what_has_changed_since_its_snapshot_is_newer() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    life.change();
    let there = life.snapshot();
    life.change();
    assert_eq!(fate(life, &there), Fate::Newer);
}

#[test]
fn what_has_not_changed_since_is_superseded_also_when_nobody_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    life.change();
    let there = life.snapshot();
    assert_eq!(fate(life, &there), Fate::Superseded);
}

#[test]
fn a_snapshot_that_never_came_to_disk_makes_it_newer() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    let there = life.snapshot();
    life.begin_snapshot();
    assert_eq!(fate(life, &there), Fate::Newer);
}

#[test]
fn what_is_recorded_between_the_beginning_of_a_snapshot_and_its_copy_is_of_both() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    let generation = life.begin_snapshot();
    life.change();
    let there = life.copy(generation);
    let spilled = Lineage::open_snapshot(&there).unwrap();
    life.change();
    assert_eq!(fate(life, &there), Fate::Newer);
    let mut next = Life::begin(dir.path(), "b", Some(&there), 2);
    let later = Lineage::open_snapshot(&next.snapshot()).unwrap();
    assert_eq!(spilled.fate(&later).unwrap(), Fate::Superseded);
    let mut quiet = Life::begin(dir.path(), "c", None, 3);
    let generation = quiet.begin_snapshot();
    quiet.change();
    let there = quiet.copy(generation);
    assert_eq!(fate(quiet, &there), Fate::Superseded);
}

#[test]
fn a_successor_that_took_it_over_supersedes_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    let spilled = life.snapshot();
    let mut next = Life::begin(dir.path(), "b", Some(&spilled), 2);
    next.change();
    let there = next.snapshot();
    assert_eq!(fate(life, &there), Fate::Superseded);
}

#[test]
fn two_that_went_on_from_one_are_both_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    life.change();
    let first = life.snapshot();
    life.change();
    let mut other = Life::begin(dir.path(), "b", Some(&first), 2);
    for _ in 0..5 {
        other.change();
    }
    let there = other.snapshot();
    assert_eq!(fate(life, &there), Fate::Diverged);
}

#[test]
fn two_whose_second_snapshots_have_one_number_are_both_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    let first = life.snapshot();
    life.snapshot();
    let mut other = Life::begin(dir.path(), "b", Some(&first), 2);
    let there = other.snapshot();
    assert_eq!(fate(life, &there), Fate::Diverged);
}

#[test]
fn another_database_is_another_record() {
    let dir = tempfile::tempdir().unwrap();
    let mut one = Life::begin(dir.path(), "a", None, 1);
    let there = Life::begin(dir.path(), "b", None, 1).snapshot();
    one.change();
    assert_eq!(fate(one, &there), Fate::Diverged);
}

#[test]
fn what_a_killed_torcd_had_in_its_log_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut life = Life::begin(dir.path(), "a", None, 1);
    life.change();
    for suffix in ["", "-wal"] {
        let [from, to] = ["a", "killed"].map(|name| dir.path().join(format!("{name}{suffix}")));
        std::fs::copy(from, to).unwrap();
    }
    let killed = Lineage::open(&dir.path().join("killed")).unwrap();
    assert_eq!(killed.changes, 1);
    killed.check().unwrap();
}
