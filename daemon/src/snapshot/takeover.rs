//! Start: what dead torcds have left for the place of our snapshots, and what becomes of it.

use std::path::Path;

use torc_protocol::view::Fate;

use crate::snapshot::remains::Remain;
use crate::store::lineage::Lineage;
use crate::store::sql::SqlResult;

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

impl Takeover {
    /// Sorts `remains` by what they are to `there`, which is at the place `target`; none when
    /// nothing is. Those that belong elsewhere are left out, unless there is but one and it was
    /// asked for by name, which `named` says.
    ///
    /// # Errors
    ///
    /// When what is at the place cannot be read.
    pub fn sort(
        remains: Vec<Remain>,
        target: &Path,
        there: Option<&Lineage>,
        named: bool,
    ) -> SqlResult<Self> {
        let mut sorted = Self::default();
        let mut newest: Option<(Remain, Lineage)> = None;
        for remain in remains {
            let ours = remain.purpose().map(|purpose| purpose.target == target);
            if ours == Some(false) && !named {
                continue;
            }
            let record = match remain.open().map_err(|error| error.to_string()) {
                Ok(record) => record,
                // A spilled one that cannot be read does not say where it belongs.
                Err(_) if ours.is_none() && !named => continue,
                Err(reason) => {
                    sorted.damaged.push((remain, reason));
                    continue;
                }
            };
            if !named && remain.target(&record).as_deref() != Some(target) {
                continue;
            }
            match there.map_or(Ok(Fate::Newer), |there| record.fate(there))? {
                Fate::Superseded => sorted.superseded.push(remain),
                Fate::Diverged => sorted.diverged.push(remain),
                Fate::Newer => match record.check() {
                    Ok(()) => newest = Some(sorted.later(newest, (remain, record))?),
                    Err(found) => sorted.damaged.push((remain, found.to_string())),
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
