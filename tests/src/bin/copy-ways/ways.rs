//! The ways.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, ensure};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, MAIN_DB, OpenFlags};
use torc_protocol::id::Generation;
use torc_protocol::time::Timestamp;
use torcd::store::home::Home;
use torcd::store::image::Copier;
use torcd::store::tables::snapshot::{self, Author};

use crate::content;
use crate::measured::Measured;
use crate::pace::Pace;

/// So many pages are copied in one step.
const PAGES: i32 = 100;
/// The blocks in which an image is written.
const BLOCK: usize = 1 << 20;

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    OwnerVacuum,
    OwnerSerialize,
    Steps,
    SecondConnection,
    Staged,
}

impl Way {
    pub(crate) const ALL: [Self; 5] = [
        Self::OwnerVacuum,
        Self::OwnerSerialize,
        Self::Steps,
        Self::SecondConnection,
        Self::Staged,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OwnerVacuum => "vacuum",
            Self::OwnerSerialize => "serialize",
            Self::Steps => "steps",
            Self::SecondConnection => "second",
            Self::Staged => "staged",
        }
    }

    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::OwnerVacuum => "`:memory:`, `VACUUM INTO` the target by the owner",
            Self::OwnerSerialize => "`:memory:`, serialize by the owner, written by a thread",
            Self::Steps => "memdb, backup by the owner in steps of 100 pages into a kept memdb",
            Self::SecondConnection => {
                "WAL on tmpfs, `VACUUM INTO` the target by a second connection"
            }
            Self::Staged => "**WAL on tmpfs, staged: second connection, tmpfs, helper process**",
        }
    }

    /// Returns the file of its database, for the ways that have one.
    pub(crate) fn file(self, home: &Path) -> PathBuf {
        home.join("torc.db")
    }
}

/// A database, and what a way needs beside the connection of its owner.
pub(crate) struct Owned {
    way: Way,
    home: Home,
    staging: PathBuf,
    connection: Connection,
    /// The copy that steps go to; it has as much room from the second time on as it needs.
    kept: Option<Connection>,
}

impl Owned {
    /// Makes one with so many jobs; in `dir`, as far as it is a file.
    pub(crate) fn open(way: Way, dir: &Path, jobs: u32) -> anyhow::Result<Self> {
        let file = way.file(dir);
        let home = Home::File(file.clone());
        let mut connection = home.open_writer(None)?;
        content::fill(&connection, jobs)?;
        let mut kept = None;
        if !matches!(way, Way::SecondConnection | Way::Staged) {
            let mut memory = match way {
                Way::Steps => memdb("owned")?,
                _ => Connection::open_in_memory()?,
            };
            // A database in memory alone can have no log, and its copy says what it has.
            connection.pragma_update(None, "journal_mode", "DELETE")?;
            Backup::new(&connection, &mut memory)?.step(-1)?;
            connection.close().map_err(|(_, error)| error)?;
            fs::remove_file(file)?;
            connection = memory;
        }
        if way == Way::Steps {
            kept = Some(memdb("kept")?);
        }
        Ok(Self { way, home, staging: dir.to_owned(), connection, kept })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Brings a copy to `target` while transactions are made.
    pub(crate) fn copy(&mut self, target: &Path, jobs: u32) -> anyhow::Result<Measured> {
        match self.way {
            Way::OwnerVacuum => self.vacuum(target, jobs),
            Way::OwnerSerialize => self.serialize(target, jobs),
            Way::Steps => self.step(target, jobs),
            Way::SecondConnection => self.vacuum_beside(target, jobs),
            Way::Staged => self.stage(target, jobs),
        }
    }

    fn vacuum(&self, target: &Path, jobs: u32) -> anyhow::Result<Measured> {
        let mut pace = Pace::begin(&self.connection, jobs)?;
        pace.pause(|| vacuum_into(&self.connection, target))?;
        pace.end(&self.connection)
    }

    fn serialize(&mut self, target: &Path, jobs: u32) -> anyhow::Result<Measured> {
        let mut pace = Pace::begin(&self.connection, jobs)?;
        let image = pace.pause(|| Ok(self.connection.serialize(MAIN_DB)?.to_vec()))?;
        let target = target.to_owned();
        pace.until(&self.connection, thread::spawn(move || write(&image, &target)))?;
        pace.end(&self.connection)
    }

    fn step(&mut self, target: &Path, jobs: u32) -> anyhow::Result<Measured> {
        let mut kept = self.kept.take().context("it is kept")?;
        let mut pace = Pace::begin(&self.connection, jobs)?;
        let backup = Backup::new(&self.connection, &mut kept)?;
        while pace.pause(|| Ok(backup.step(PAGES)?))? != StepResult::Done {
            pace.transaction(&self.connection)?;
        }
        drop(backup);
        let target = target.to_owned();
        let kept = pace.until(
            &self.connection,
            thread::spawn(move || {
                write(&kept.serialize(MAIN_DB)?, &target)?;
                Ok(kept)
            }),
        )?;
        self.kept = Some(kept);
        pace.end(&self.connection)
    }

    fn vacuum_beside(&self, target: &Path, jobs: u32) -> anyhow::Result<Measured> {
        let second = Connection::open(self.home.file().context("it has a file")?)?;
        let mut pace = Pace::begin(&self.connection, jobs)?;
        let target = target.to_owned();
        pace.until(&self.connection, thread::spawn(move || vacuum_into(&second, &target)))?;
        pace.end(&self.connection)
    }

    /// As torcd does it, with its own parts.
    fn stage(&self, target: &Path, jobs: u32) -> anyhow::Result<Measured> {
        let mut copier =
            Copier::open(&self.home, &self.staging)?.context("it can be read beside its owner")?;
        let mut pace = Pace::begin(&self.connection, jobs)?;
        let word = || "bench".to_owned();
        let author = Author { instance: word(), host: word(), boot_id: word(), pid: 1 };
        let (path, now) = (target.display().to_string(), Timestamp::now());
        let generation =
            pace.pause(|| Ok(snapshot::begin(&self.connection, &author, 0, &path, now)?))?;
        let target = target.to_owned();
        pace.until(
            &self.connection,
            thread::spawn(move || {
                let image = copier.copy(&format!("snapshot-{generation}.db"))?;
                write_by_helper(image, &target, generation)
            }),
        )?;
        pace.end(&self.connection)
    }
}

fn vacuum_into(connection: &Connection, target: &Path) -> anyhow::Result<()> {
    let new = target.with_extension("new");
    connection.execute("VACUUM INTO ?1", [new.to_string_lossy()])?;
    publish(&File::open(&new)?, &new, target)
}

fn write(image: &[u8], target: &Path) -> anyhow::Result<()> {
    let new = target.with_extension("new");
    let mut file = File::create(&new)?;
    for block in image.chunks(BLOCK) {
        file.write_all(block)?;
    }
    publish(&file, &new, target)
}

fn publish(file: &File, new: &Path, target: &Path) -> anyhow::Result<()> {
    file.sync_all()?;
    fs::rename(new, target)?;
    let dir = target.parent().context("it is in a directory")?;
    Ok(File::open(dir)?.sync_all()?)
}

/// Has the process that torcd has for it write an image, check it and publish it.
fn write_by_helper(image: File, target: &Path, generation: Generation) -> anyhow::Result<()> {
    let status = Command::new(std::env::current_exe()?)
        .arg("snapshot-writer")
        .arg("--target")
        .arg(target)
        .args(["--keep", "1", "--generation", &generation.to_string()])
        .env_clear()
        .stdin(image)
        .stdout(Stdio::null())
        .status()?;
    ensure!(status.success(), "the snapshot writer ended: {status}");
    Ok(())
}

fn memdb(name: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?vfs=memdb"), flags)
}
