//! What is to be done about a record that a torcd has left.

use std::path::{Path, PathBuf};

use torc_protocol::view::{Fate, SnapshotFileView};

use crate::error::{CliError, ErrorKind};

/// What is to be done about a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Bring it to its place.
    Home {
        /// That place.
        to: PathBuf,
    },
    /// Bring it to another place.
    Elsewhere {
        /// Which.
        to: PathBuf,
        /// Why there.
        why: Why,
    },
    /// Leave it: all that it holds is at its place.
    Nothing,
    /// Nothing can be done; the text says why.
    Impossible(String),
}

/// Why a record is brought elsewhere than to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The user wants it so.
    Asked,
    /// What is at its place is wanted too.
    Diverged,
}

impl Plan {
    /// Returns where the record goes, if it goes anywhere.
    pub(super) fn to(&self) -> Option<PathBuf> {
        match self {
            Self::Home { to } | Self::Elsewhere { to, .. } => Some(to.clone()),
            Self::Nothing | Self::Impossible(_) => None,
        }
    }
}

/// Returns what is to be done about `record`.
pub(super) fn of(record: &SnapshotFileView) -> Plan {
    if let Some(problem) = &record.problem {
        return Plan::Impossible(problem.clone());
    }
    let Some(target) = &record.target else {
        let reason = "it is not known where it belongs";
        return Plan::Impossible(reason.to_owned());
    };
    match record.fate {
        // What is at the place could not be read; torcd then says why.
        Some(Fate::Newer) | None => Plan::Home { to: target.into() },
        Some(Fate::Superseded) => Plan::Nothing,
        Some(Fate::Diverged) => {
            Plan::Elsewhere { to: beside(Path::new(target)), why: Why::Diverged }
        }
    }
}

/// Sorts records: by place; there the one that goes home first; of several, the one that has gone
/// farthest.
pub(super) fn sort(records: &mut [SnapshotFileView]) {
    let rank = |fate: Option<Fate>| match fate {
        Some(Fate::Newer) => 0,
        Some(Fate::Diverged) => 1,
        Some(Fate::Superseded) => 2,
        None => 3,
    };
    records.sort_by(|one, other| {
        let key = |it: &SnapshotFileView| (rank(it.fate), u64::MAX - it.changes.unwrap_or(0));
        one.target
            .cmp(&other.target)
            .then_with(|| key(one).cmp(&key(other)))
            .then_with(|| one.path.cmp(&other.path))
    });
}

/// Returns the record when there is but one.
///
/// # Errors
///
/// When there are several; they are listed.
pub(super) fn the_only(records: &[SnapshotFileView]) -> Result<&SnapshotFileView, CliError> {
    if let [record] = records {
        return Ok(record);
    }
    let lines: Vec<_> = records
        .iter()
        .map(|it| {
            let target = it.target.as_deref().unwrap_or("an unknown place");
            format!("  {}, which belongs at {target}", it.path)
        })
        .collect();
    let message =
        format!("`--to` takes one record, and there are {}:\n{}", records.len(), lines.join("\n"));
    Err(CliError::new(ErrorKind::Usage, message)
        .hint("name one with `--from FILE`, or where it belongs with `--db FILE`"))
}

/// Returns a name beside `target` that nothing has. The time is UTC.
fn beside(target: &Path) -> PathBuf {
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let name = |number: u32| {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".recovered-{time}"));
        if number > 0 {
            name.push(format!("-{number}"));
        }
        PathBuf::from(name)
    };
    (0..).map(name).find(|path| path.symlink_metadata().is_err()).unwrap_or_else(|| name(0))
}

#[cfg(test)]
mod tests {
    use torc_protocol::view::SnapshotPlace;

    use super::*;

    fn record(path: &str, target: Option<&str>, fate: Option<Fate>) -> SnapshotFileView {
        SnapshotFileView {
            path: path.to_owned(),
            place: SnapshotPlace::Memory,
            target: target.map(str::to_owned),
            problem: None,
            instance: None,
            generation: None,
            changes: None,
            taken_at: None,
            host: None,
            bytes: None,
            fate,
        }
    }

    #[test]
    fn a_record_goes_home_beside_it_or_nowhere() {
        let plan = |fate| of(&record("/m", Some("/x.db"), fate));
        assert_eq!(plan(Some(Fate::Newer)), Plan::Home { to: "/x.db".into() });
        assert_eq!(plan(None), Plan::Home { to: "/x.db".into() });
        assert_eq!(plan(Some(Fate::Superseded)), Plan::Nothing);
        let Plan::Elsewhere { to, why: Why::Diverged } = plan(Some(Fate::Diverged)) else {
            panic!("{:?}", plan(Some(Fate::Diverged)));
        };
        assert!(to.to_str().unwrap().starts_with("/x.db.recovered-20"), "{to:?}");
    }

    #[test]
    fn what_cannot_be_read_or_belongs_nowhere_is_not_touched() {
        let damaged = SnapshotFileView {
            problem: Some("not a database".to_owned()),
            ..record("/m", Some("/x.db"), Some(Fate::Newer))
        };
        assert_eq!(of(&damaged), Plan::Impossible("not a database".to_owned()));
        assert!(matches!(of(&record("/m", None, Some(Fate::Newer))), Plan::Impossible(_)));
    }

    #[test]
    fn a_name_that_is_taken_is_not_taken_again() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("x.db");
        let names: Vec<_> = (0..3)
            .map(|_| {
                let name = beside(&target);
                std::fs::write(&name, "").unwrap();
                name
            })
            .collect();
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    }

    #[test]
    fn the_farthest_of_a_place_comes_first() {
        let far = |path: &str, changes| SnapshotFileView {
            changes: Some(changes),
            ..record(path, Some("/x.db"), Some(Fate::Newer))
        };
        let mut records = vec![
            record("/old", Some("/x.db"), Some(Fate::Superseded)),
            far("/near", 3),
            far("/far", 9),
            record("/other", Some("/a.db"), Some(Fate::Diverged)),
        ];
        sort(&mut records);
        let paths: Vec<_> = records.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(paths, ["/other", "/far", "/near", "/old"]);
    }

    #[test]
    fn of_several_records_none_is_the_only_one() {
        let records = [record("/a", Some("/x.db"), None), record("/b", None, None)];
        assert_eq!(the_only(&records[..1]).unwrap().path, "/a");
        insta::assert_snapshot!(the_only(&records).unwrap_err(), @r"
        error: `--to` takes one record, and there are 2:
          /a, which belongs at /x.db
          /b, which belongs at an unknown place
        hint: name one with `--from FILE`, or where it belongs with `--db FILE`
        ");
    }
}
