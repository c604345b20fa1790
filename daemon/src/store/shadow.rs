//! Databases in SQLite's own memory, and their copies, which are made a few pages at a time.
//!
//! Such a database is SQLite's `memdb`: unlike `:memory:`, a copy of it need not begin anew whenever
//! it is written to, as long as whoever writes also copies. It holds 1 GiB at most, some 3,000,000
//! jobs. A copy is kept from one snapshot to the next, so that it need not grow anew.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::serialize::Data;
use rusqlite::{Connection, MAIN_DB, OpenFlags};

use crate::store::image::{self, ImageError};
use crate::sys;

/// So many pages are copied in one step, which takes about a millisecond.
const PAGES: i32 = 100;

/// Opens an empty database in SQLite's own memory, which nobody else can open.
///
/// # Errors
///
/// When there is no memory for it.
pub(super) fn open_memory() -> rusqlite::Result<Connection> {
    // Without a slash in front it is not shared with others who say the same name.
    Connection::open_with_flags(
        "file:torc?vfs=memdb",
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// Lets `connection`, which is to SQLite's own memory, begin with what is in the file `from`.
///
/// # Errors
///
/// When the file cannot be read, or there is no memory for it.
pub(super) fn load(from: &Path, connection: &mut Connection) -> Result<(), ImageError> {
    let length = fs::metadata(from)?.len();
    let mut file = File::open(from)?;
    let mut header = [0; image::HEADER];
    file.read_exact(&mut header)?;
    image::forget_log(&mut header);
    let length = usize::try_from(length).map_err(io::Error::other)?;
    connection.deserialize_read_exact(MAIN_DB, header.chain(file), length, false)?;
    Ok(())
}

/// Opens a database in SQLite's own memory that begins with what is in `image`.
///
/// # Errors
///
/// When there is no memory for it.
pub(super) fn open_image(image: Data<'_>) -> Result<Connection, ImageError> {
    let mut connection = open_memory()?;
    match image {
        Data::Owned(mut image) => {
            if let Some(header) = image.first_chunk_mut() {
                image::forget_log(header);
            }
            connection.deserialize(MAIN_DB, image, false)?;
        }
        Data::Shared(image) => {
            connection.deserialize_read_exact(MAIN_DB, &image[..], image.len(), false)?;
        }
    }
    Ok(connection)
}

/// A copy of a database in SQLite's own memory.
#[derive(Debug)]
pub struct Shadow {
    connection: Connection,
}

/// A copy on its way.
#[expect(missing_debug_implementations, reason = "holds a type without")]
pub struct Stepping<'a>(Backup<'a, 'a>);

impl Shadow {
    /// Makes room for a copy.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn new() -> rusqlite::Result<Self> {
        let connection = open_memory()?;
        // What was in it before is of no use when a copy fails.
        connection.pragma_update(None, "journal_mode", "OFF")?;
        Ok(Self { connection })
    }

    /// Begins to copy what is in `source`, whose owner goes on with it between the steps.
    ///
    /// # Errors
    ///
    /// When SQLite fails.
    pub fn follow<'a>(&'a mut self, source: &'a Connection) -> rusqlite::Result<Stepping<'a>> {
        Backup::new(source, &mut self.connection).map(Stepping)
    }

    /// Returns the copy as an open file without a name.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    pub fn image(&mut self, name: &str) -> Result<File, ImageError> {
        let mut file = sys::memory::anonymous_file(name)?;
        image::write_image(&self.connection.serialize(MAIN_DB)?, &mut file)?;
        Ok(file)
    }
}

impl Stepping<'_> {
    /// Copies some more pages, and returns whether the copy is whole. It is then as the source was
    /// at this moment.
    ///
    /// # Errors
    ///
    /// When SQLite fails; the copy cannot be gone on with.
    pub fn step(&self) -> rusqlite::Result<bool> {
        Ok(self.0.step(PAGES)? == StepResult::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::home::Home;
    use crate::store::verify;

    fn put(connection: &Connection, key: &str) {
        let sql = "INSERT OR REPLACE INTO meta VALUES (?1, hex(zeroblob(100000)))";
        connection.execute(sql, [key]).unwrap();
    }

    fn count(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM meta", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_copy_ends_while_its_source_is_written_to_and_holds_all_of_it() {
        let source = Home::Memory.open_writer(None).unwrap();
        (0..50).for_each(|number| put(&source, &number.to_string()));
        let dir = tempfile::tempdir().unwrap();
        let mut shadow = Shadow::new().unwrap();
        // The second time, the copy has room already.
        for round in 0..2 {
            let stepping = shadow.follow(&source).unwrap();
            let mut steps = 0;
            while !stepping.step().unwrap() {
                steps += 1;
                // What is copied already changes again, and there is more.
                put(&source, "0");
                put(&source, &format!("{round}.{steps}"));
                assert!(steps < 1_000, "the copy does not end");
            }
            drop(stepping);
            assert!(steps > 10, "{steps} steps");
            let path = dir.path().join("copy.db");
            let mut image = shadow.image("copy").unwrap();
            io::Seek::rewind(&mut image).unwrap();
            io::copy(&mut image, &mut File::create(&path).unwrap()).unwrap();
            verify::verify(&path).unwrap();
            let copy = Home::ReadOnly(path).open_reader().unwrap().unwrap();
            assert_eq!(count(&copy), count(&source));
        }
    }

    #[test]
    fn a_database_with_a_log_can_be_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.db");
        // Closed, it has no log, but says that it has.
        let on_disk = Home::File(path.clone()).open_writer(None).unwrap();
        put(&on_disk, "a");
        drop(on_disk);
        assert!(verify::identify(&path).unwrap().write_ahead);
        let loaded = Home::Memory.open_writer(Some(&path)).unwrap();
        assert_eq!(count(&loaded), 1);
        put(&loaded, "b");
        let mut shadow = Shadow::new().unwrap();
        let stepping = shadow.follow(&loaded).unwrap();
        while !stepping.step().unwrap() {}
    }

    #[test]
    fn databases_in_memory_have_nothing_to_do_with_each_other() {
        let (one, other) = (open_memory().unwrap(), open_memory().unwrap());
        one.execute_batch("CREATE TABLE t (a)").unwrap();
        other.execute_batch("CREATE TABLE t (a)").expect("it is another one");
    }
}
