//! A database on a tmpfs whose room runs out moves to another home.
//!
//! It moves between two transactions, and its owner waits for it. Nothing is committed in the new
//! place before the old file is gone, so there is never a doubt which of the two is the newer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rusqlite::Connection;
use thiserror::Error;
use torc_protocol::paths::{self, DATABASE_NAME};

use crate::store::checkpoints::Checkpoints;
use crate::store::home::{self, Home, OpenError};
use crate::store::image::ImageError;
use crate::store::private_dir::{PrivateDir, Purpose};
use crate::store::residence::Residence;
use crate::store::room::{self, Reserve};
use crate::store::shadow;
use crate::store::writer::Writer;

/// The largest database that SQLite's own memory takes with room to grow, in bytes. It holds 1 GiB.
const MEMORY_LIMIT: u64 = 768 * 1024 * 1024;

/// Why a database could not move.
#[derive(Debug, Error)]
pub enum MoveError {
    /// It cannot go to a tmpfs, for the reason that is given.
    #[error("{0}; and with {1} bytes it is too large for SQLite's own memory")]
    NoRoom(String, u64),
    /// A directory for it.
    #[error("cannot make a directory in memory: {0}")]
    Io(#[from] io::Error),
    /// It could not be copied.
    #[error(transparent)]
    Copy(#[from] ImageError),
    /// The copy could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl From<rusqlite::Error> for MoveError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Copy(error.into())
    }
}

/// What it takes to move a database.
#[derive(Debug)]
pub struct Mover {
    /// The directory that it lives in now; none once it can move no more.
    dir: Option<PathBuf>,
    residence: Residence,
    purpose: Purpose,
}

impl Mover {
    /// Watches over the database in `home`, if that is one that it may have to leave.
    #[must_use]
    pub fn new(home: &Home, residence: Residence, purpose: Purpose) -> Self {
        let dir = match home {
            Home::Tmpfs(dir) => Some(dir.path().to_owned()),
            Home::Memory | Home::File(_) | Home::ReadOnly(_) => None,
        };
        Self { dir, residence, purpose }
    }

    /// Returns where the database is, in words for people.
    #[must_use]
    pub fn place(&self) -> String {
        self.residence.describe()
    }

    /// Returns whether it is time to move.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.dir.as_ref().is_some_and(|dir| room::is_short(dir))
    }

    /// Moves the database to where there is room: another tmpfs, or where that cannot be, SQLite's own
    /// memory. Returns where it is now, in words for people.
    ///
    /// # Errors
    ///
    /// When there is no such place; it stays where it is, and is not asked to move again.
    pub fn move_out(&mut self, writer: &mut Writer<Rc<Connection>>) -> Result<String, MoveError> {
        self.move_within(writer, &paths::memory_dirs())
    }

    fn move_within(
        &mut self,
        writer: &mut Writer<Rc<Connection>>,
        places: &[PathBuf],
    ) -> Result<String, MoveError> {
        let Some(old) = self.dir.take() else { return Ok(self.residence.describe()) };
        let bytes = writer.bytes()?;
        let moved = room::place(2 * bytes, places).and_then(|parent| {
            self.move_to_tmpfs(&parent, writer)
                .map_err(|error| format!("it cannot go to {}: {error}", parent.display()))
        });
        match moved {
            Ok(()) => {}
            Err(reason) if bytes > MEMORY_LIMIT => return Err(MoveError::NoRoom(reason, bytes)),
            Err(reason) => {
                tracing::warn!(
                    "{reason}; so it goes to SQLite's own memory, and with torcd if that is killed"
                );
                self.move_to_memory(writer)?;
            }
        }
        // The directory itself stays: there is more in it than the database.
        for name in ["", "-wal", "-shm"] {
            let file = old.join(format!("{DATABASE_NAME}{name}"));
            if let Err(error) = fs::remove_file(&file)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!("cannot remove {}: {error}", file.display());
            }
        }
        Ok(self.residence.describe())
    }

    fn move_to_tmpfs(
        &mut self,
        parent: &Path,
        writer: &mut Writer<Rc<Connection>>,
    ) -> Result<(), MoveError> {
        let dir = PrivateDir::create(parent, &self.purpose)?;
        let (path, file) = (dir.path().to_owned(), dir.path().join(DATABASE_NAME));
        // Under another name, lest a part of it be taken for what a dead daemon has left.
        let copy = path.join("moving.db");
        writer.reading().execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
        fs::rename(copy, &file)?;
        let reserve = Some(Reserve::take(&path)?);
        let home = Home::Tmpfs(dir);
        let connection = home.open_writer(None)?;
        let checkpoints = Checkpoints::start(&home)?;
        self.residence.move_to(home)?;
        self.dir = Some(path);
        writer.go_on_in(connection, reserve, checkpoints);
        Ok(())
    }

    fn move_to_memory(&self, writer: &mut Writer<Rc<Connection>>) -> Result<(), MoveError> {
        let connection = shadow::open_image(writer.serialize()?)?;
        home::configure(&connection)?;
        self.residence.move_to(Home::Memory)?;
        writer.go_on_in(connection, None, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
