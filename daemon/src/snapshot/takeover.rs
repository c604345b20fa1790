//! Start: what dead torcds have left for the place of our snapshots, and what becomes of it.

use std::path::{Path, PathBuf};

use thiserror::Error;
use torc_protocol::view::Fate;

use crate::snapshot::remains::Remain;
use crate::store::home::OpenError;
use crate::store::lineage::Lineage;
use crate::store::sql::{SqlError, SqlResult};
use crate::store::verify::VerifyError;

/// What is left for one place.
#[derive(Debug, Default)]
pub struct Takeover {
    /// Goes on from what is at the place: it is the latest state of the record.
    pub newest: Option<Remain>,
    /// All of it is at the place.
    pub superseded: Vec<Remain>,
    /// Of another record, or one that has gone another way.
    pub diverged: Vec<Remain>,
    /// Cannot be read, and why.
    pub damaged: Vec<(Remain, String)>,
}

/// Why it cannot be told what is left.
#[derive(Debug, Error)]
pub enum TakeoverError {
    /// One cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// One cannot be read.
    #[error("{}: {found}", .path.display())]
    Unread {
        /// Which.
        path: PathBuf,
        /// Why.
        found: VerifyError,
    },
    /// Two cannot be compared.
    #[error("cannot compare what there is: {0}")]
    Compare(#[from] SqlError),
}

impl Takeover {
    /// Sorts `remains` by what they are to `there`, which is at the place `target`; none when
    /// nothing is. Those that belong elsewhere are left out, unless there is but one and it was
    /// asked for by name, which `named` says.
    ///
    /// # Errors
    ///
    /// When one of them cannot be read, which is not to say that it is damaged: without it an older
    /// state would be gone on from.
    pub fn sort(
        remains: Vec<Remain>,
        target: &Path,
        there: Option<&Lineage>,
        named: bool,
    ) -> Result<Self, TakeoverError> {
        let mut sorted = Self::default();
        let mut newest: Option<(Remain, Lineage)> = None;
        for remain in remains {
            let ours = remain.purpose().map(|purpose| purpose.target == target);
            if ours == Some(false) && !named {
                continue;
            }
            let record = match remain.open() {
                Ok(record) => record,
                // Its torcd was killed before there was anything in it.
                Err(error) if error.is_empty() && ours == Some(true) => {
                    sorted.superseded.push(remain);
                    continue;
                }
                // It does not say where it belongs.
                Err(_) if ours.is_none() && !named => continue,
                Err(error) if error.is_damage() => {
                    sorted.damaged.push((remain, error.to_string()));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if !named && remain.target(&record).as_deref() != Some(target) {
                continue;
            }
            match there.map_or(Ok(Fate::Newer), |there| record.fate(there))? {
                Fate::Superseded => sorted.superseded.push(remain),
                Fate::Diverged => sorted.diverged.push(remain),
                Fate::Newer => match record.check() {
                    Ok(()) => newest = Some(sorted.later(newest, (remain, record))?),
                    Err(found @ VerifyError::Corrupt(_)) => {
                        sorted.damaged.push((remain, found.to_string()));
                    }
                    Err(found) => {
                        let path = remain.into_database();
                        return Err(TakeoverError::Unread { path, found });
                    }
                },
            }
        }
        sorted.newest = newest.map(|(remain, _)| remain);
        Ok(sorted)
    }

    /// Returns the later of two. The other one stays for the next start, when it is superseded if
    /// all of it is in the later one.
    fn later(
        &mut self,
        one: Option<(Remain, Lineage)>,
        other: (Remain, Lineage),
    ) -> SqlResult<(Remain, Lineage)> {
        let Some(one) = one else { return Ok(other) };
        match other.1.fate(&one.1)? {
            Fate::Newer => Ok(other),
            Fate::Superseded => Ok(one),
            Fate::Diverged if one.1.fate(&other.1)? == Fate::Superseded => Ok(other),
            Fate::Diverged => {
                self.diverged.push(other.0);
                Ok(one)
            }
        }
    }
}
