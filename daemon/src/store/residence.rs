//! Where a database lives now, for those who read it there beside its owner.
//!
//! A database in memory may move while it is in use. Whoever reads it asks here each time, and what
//! was begun in the old place ends there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::home::{Home, OpenError};
use crate::store::image::Copier;
use crate::store::reader::Reader;

/// Where a database lives now.
#[derive(Clone, Debug)]
pub struct Residence(Arc<Mutex<Current>>);

#[derive(Debug)]
struct Current {
    description: String,
    file: Option<PathBuf>,
    access: Access,
    /// The home that it has moved to.
    moved: Option<Home>,
}

/// The ways to read it beside its owner; none where only the owner can.
#[derive(Clone, Debug)]
struct Access {
    reader: Option<Reader>,
    copier: Option<Arc<Mutex<Copier>>>,
}

impl Access {
    fn open(home: &Home, staging: &Path) -> Result<Self, OpenError> {
        let copier = Copier::open(home, staging)?.map(|copier| Arc::new(Mutex::new(copier)));
        Ok(Self { reader: Reader::open(home)?, copier })
    }
}

impl Residence {
    /// Opens the connections that read. Copies are staged in the directory `staging`.
    ///
    /// # Errors
    ///
    /// As [`Home::open_reader`].
    pub fn open(home: &Home, staging: &Path) -> Result<Self, OpenError> {
        let access = Access::open(home, staging)?;
        let (description, file) = (home.describe(), home.file());
        Ok(Self(Arc::new(Mutex::new(Current { description, file, access, moved: None }))))
    }

    /// Returns where it is, in words for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.now().description.clone()
    }

    /// Returns its file; none in SQLite's own memory.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        self.now().file.clone()
    }

    /// Returns what reads it; none where only its owner can.
    #[must_use]
    pub fn reader(&self) -> Option<Reader> {
        self.now().access.reader.clone()
    }

    /// Returns what copies it; none where only its owner can.
    #[must_use]
    pub fn copier(&self) -> Option<Arc<Mutex<Copier>>> {
        self.now().access.copier.clone()
    }

    /// Lets it live in `home`, which holds it already.
    ///
    /// # Errors
    ///
    /// As [`Home::open_reader`]; it stays where it was then.
    pub(super) fn move_to(&self, mut home: Home) -> Result<(), OpenError> {
        let staging = home.file().and_then(|file| Some(file.parent()?.to_owned()));
        let access = Access::open(&home, &staging.unwrap_or_default())?;
        home.hold();
        let (description, file) = (home.describe(), home.file());
        *self.now() = Current { description, file, access, moved: Some(home) };
        Ok(())
    }

    /// Lets it go when the daemon ends, from `home` and from wherever it has moved to: it is safe
    /// elsewhere.
    pub fn let_go(&self, home: &mut Home) {
        home.let_go();
        if let Some(moved) = &mut self.now().moved {
            moved.let_go();
        }
    }

    fn now(&self) -> MutexGuard<'_, Current> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
