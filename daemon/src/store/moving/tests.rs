use std::path::Path;

use tempfile::TempDir;
use torc_protocol::spec::WorkflowSpec;
use torc_protocol::time::Timestamp;

use super::*;
use crate::store::tables::workflow;

/// A database in a directory that counts as one in memory.
fn fixture() -> (TempDir, Home, Writer<Rc<Connection>>, Mover) {
    let parent = tempfile::tempdir().unwrap();
    let purpose = Purpose { target: PathBuf::from("/x/torc.db"), private: true };
    let home = Home::Tmpfs(PrivateDir::create(parent.path(), &purpose).unwrap());
    let mut writer = Writer::open(&home, None).unwrap().share();
    submit(&mut writer, "before");
    let residence = Residence::open(&home, parent.path()).unwrap();
    let mover = Mover::new(&home, residence, purpose);
    (parent, home, writer, mover)
}

fn submit(writer: &mut Writer<Rc<Connection>>, name: &str) {
    let spec = WorkflowSpec { name: name.to_owned(), ..WorkflowSpec::default() };
    let connection = writer.writing().unwrap();
    let id = workflow::insert_draft(connection, &spec, Timestamp(1)).unwrap();
    workflow::publish(connection, id, None, Timestamp(2)).unwrap();
    writer.commit().unwrap();
}

fn names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection
        .prepare("SELECT name FROM workflow ORDER BY id")?
        .query_map([], |row| row.get(0))?
        .collect()
}

fn database(home: &Home) -> PathBuf {
    home.file().unwrap()
}

#[tokio::test]
async fn all_that_is_committed_moves_and_whoever_reads_follows() {
    let (_parent, home, mut writer, mut mover) = fixture();
    let residence = mover.residence.clone();
    let old = database(&home);
    let (before, instance) = (writer.changes(), writer.instance().to_owned());
    let old_reader = residence.reader().unwrap();
    let place = mover.move_out(&mut writer).unwrap();
    assert!(!old.exists());
    assert!(old.with_file_name("owner").exists(), "what else is there stays");
    assert_ne!(Path::new(&place), old);
    assert_eq!(residence.describe(), place);
    assert_eq!(residence.file().as_deref(), Some(Path::new(&place)));
    assert_eq!(old_reader.read(names).await.unwrap(), ["before"], "what has begun ends there");
    submit(&mut writer, "after");
    assert_eq!(residence.reader().unwrap().read(names).await.unwrap(), ["before", "after"]);
    assert_eq!((writer.changes(), writer.instance()), (before + 1, instance.as_str()));
    let copier = residence.copier().unwrap();
    copier.lock().unwrap().copy("copy").unwrap();
    drop((writer, mover, residence, copier));
    let kept = Path::new(&place);
    assert!(kept.exists(), "it is nowhere else");
    fs::remove_dir_all(kept.parent().unwrap()).unwrap();
}

#[test]
fn the_new_home_goes_with_those_who_use_it_once_it_is_safe_elsewhere() {
    let (_parent, mut home, mut writer, mut mover) = fixture();
    let place = PathBuf::from(mover.move_out(&mut writer).unwrap());
    assert!(place.exists());
    mover.residence.let_go(&mut home);
    drop((writer, mover));
    assert!(!place.parent().unwrap().exists());
}

#[tokio::test]
async fn where_no_tmpfs_takes_it_it_goes_to_memory() {
    let (parent, _home, mut writer, mut mover) = fixture();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    let residence = mover.residence.clone();
    let place = mover.move_within(&mut writer, &[file]).unwrap();
    assert_eq!((place.as_str(), residence.file()), (":memory:", None));
    submit(&mut writer, "after");
    assert_eq!(names(writer.reading()).unwrap(), ["before", "after"]);
}

#[test]
fn a_database_with_a_log_moves_to_memory_and_goes_on_there() {
    let (_parent, _home, mut writer, _mover) = fixture();
    let connection = shadow::open_image(writer.serialize().unwrap()).unwrap();
    home::configure(&connection).unwrap();
    writer.go_on_in(connection, None, None);
    submit(&mut writer, "after");
    assert_eq!(names(writer.reading()).unwrap(), ["before", "after"]);
    writer.all_or_nothing(workflow::hidden).unwrap();
}

#[test]
fn only_what_lives_on_a_tmpfs_can_be_due() {
    let dir = tempfile::tempdir().unwrap();
    let home = Home::File(dir.path().join("torc.db"));
    drop(home.open_writer(None).unwrap());
    let residence = Residence::open(&home, dir.path()).unwrap();
    let purpose = Purpose { target: PathBuf::from("/x"), private: true };
    assert!(!Mover::new(&home, residence, purpose).is_due());
}
