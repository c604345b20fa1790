//! A database on a tmpfs whose room runs out moves to another home.
//!
//! It moves between two transactions, and its owner waits for it. Nothing is committed in the new
//! place before the old file is gone, so there is never a doubt which of the two is the newer.

use std::fs;
use std::io;
use std::path::PathBuf;
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
    /// No place has room.
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

/// A home that a database can go on in.
struct NewHome {
    home: Home,
    connection: Connection,
    reserve: Option<Reserve>,
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

    /// Moves the database to where there is room: another tmpfs, or else SQLite's own memory.
    /// Returns where it is now, in words for people.
    ///
    /// # Errors
    ///
    /// When there is no such place; it stays where it is, and is not asked to move again.
    pub fn move_out(&mut self, writer: &mut Writer<Rc<Connection>>) -> Result<String, MoveError> {
        let Some(old) = self.dir.take() else { return Ok(self.residence.describe()) };
        let NewHome { home, connection, reserve } = self.copy_out(writer)?;
        let checkpoints = Checkpoints::start(&home)?;
        if let Home::Tmpfs(dir) = &home {
            self.dir = Some(dir.path().to_owned());
        }
        self.residence.move_to(home)?;
        writer.go_on_in(connection, reserve, checkpoints);
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

    fn copy_out(&self, writer: &mut Writer<Rc<Connection>>) -> Result<NewHome, MoveError> {
        let bytes = writer.bytes()?;
        match room::place(2 * bytes, &paths::memory_dirs()) {
            Ok(parent) => {
                let dir = PrivateDir::create(&parent, &self.purpose)?;
                let file = dir.path().join(DATABASE_NAME);
                // Under another name, lest a part of it be taken for what a dead daemon has left.
                let copy = dir.path().join("moving.db");
                writer.reading().execute("VACUUM INTO ?1", [copy.to_string_lossy()])?;
                fs::rename(copy, &file)?;
                let reserve = Some(Reserve::take(dir.path())?);
                let home = Home::Tmpfs(dir);
                let connection = home.open_writer(None)?;
                Ok(NewHome { home, connection, reserve })
            }
            Err(short) if bytes > MEMORY_LIMIT => Err(MoveError::NoRoom(short, bytes)),
            Err(short) => {
                tracing::warn!(
                    "{short}; so it goes to SQLite's own memory, and with torcd if that \
                     is killed"
                );
                let connection = shadow::open_image(writer.serialize()?)?;
                home::configure(&connection)?;
                Ok(NewHome { home: Home::Memory, connection, reserve: None })
            }
        }
    }
}

#[cfg(test)]
mod tests;
