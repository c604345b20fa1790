//! Databases of a few pages, one for each generation, made once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rusqlite::Connection;
use tempfile::TempDir;
use torcd::store::migrate::migrate;

/// The highest generation that there is an image of.
const LAST: u64 = 9;

/// The images as files, in a directory in memory that the tests may use.
#[derive(Debug)]
pub(super) struct Images(TempDir);

static BYTES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();

impl Images {
    pub(super) fn new() -> Self {
        let dir = in_memory();
        for (image, generation) in BYTES.get_or_init(|| make(dir.path())).iter().zip(1..) {
            fs::write(path(dir.path(), generation), image).unwrap();
        }
        Self(dir)
    }

    /// Returns a directory beside the images that goes when it is dropped.
    pub(super) fn scratch(&self) -> TempDir {
        tempfile::tempdir_in(self.0.path()).unwrap()
    }

    pub(super) fn path(&self, generation: u64) -> PathBuf {
        path(self.0.path(), generation)
    }

    /// Insists that nobody has written into a file that was there before: the snapshots of a scene are
    /// second names of these.
    pub(super) fn assert_intact(&self) {
        for (image, generation) in BYTES.get().unwrap().iter().zip(1..) {
            assert!(fs::read(self.path(generation)).unwrap() == *image, "{generation} was changed");
        }
    }

    pub(super) fn open(&self, generation: u64) -> File {
        File::open(self.path(generation)).unwrap()
    }
}

fn path(dir: &Path, generation: u64) -> PathBuf {
    dir.join(format!("image-{generation}"))
}

/// The kernel's directory in memory, where there is one: nothing here needs a disk that is slow.
fn in_memory() -> TempDir {
    let made = tempfile::Builder::new().prefix("torc-test-").tempdir_in("/dev/shm");
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

fn make(dir: &Path) -> Vec<Vec<u8>> {
    let source = dir.join("source");
    let mut connection = Connection::open(&source).unwrap();
    // Small pages, small images, and thousands of them in a moment.
    connection.pragma_update(None, "page_size", 1024).unwrap();
    migrate(&mut connection).unwrap();
    connection.execute("INSERT INTO meta (key, value) VALUES ('instance', 'abc')", []).unwrap();
    let images = (1..=LAST)
        .map(|generation| {
            connection
                .execute(
                    "INSERT INTO snapshot (generation, instance, host, boot_id, pid, changes, started_at,
                                           path)
                     VALUES (?1, 'abc', 'here', 'boot', 1, ?1, 0, '')",
                    [generation],
                )
                .unwrap();
            let image = path(dir, generation);
            connection.execute("VACUUM INTO ?1", [image.to_str().unwrap()]).unwrap();
            fs::read(&image).unwrap()
        })
        .collect();
    drop(connection);
    fs::remove_file(source).unwrap();
    images
}
