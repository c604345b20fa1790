//! Start in memory: what is at the place of our snapshots, what dead daemons have left of it, and
//! which of them the database begins with.

use std::fs;
use std::path::Path;

use torc_protocol::paths::DATABASE_NAME;
use torc_protocol::view::{Fate, SnapshotView};

use crate::config::Config;
use crate::daemon::start_error::{FAILED, IN_USE, NOT_FOUND, StartError, USAGE};
use crate::snapshot::load::{self, LoadError, Loaded};
use crate::snapshot::remains::{self, Find, Remain, RemainError};
use crate::snapshot::takeover::Takeover;
use crate::store::image;
use crate::store::lineage::Lineage;
use crate::store::private_dir::{Held, PrivateDir, Purpose};

/// What there is to begin with.
pub(super) struct Found {
    /// What was at the place; it is loaded.
    pub(super) there: Option<SnapshotView>,
    /// What was left of it elsewhere.
    pub(super) left: Takeover,
}

/// Loads the newest good snapshot into the new file `into`, and finds what was left elsewhere.
///
/// # Errors
///
/// When there is something at the place that cannot be used, and nothing better.
pub(super) fn find(config: &Config, into: &Path) -> Result<Found, StartError> {
    let mut damaged = Vec::new();
    let loaded = match load::load(&config.snapshot, into) {
        Err(LoadError::NoneGood(failed)) => {
            damaged = failed;
            Loaded::Nothing
        }
        loaded => loaded?,
    };
    let there = match &loaded {
        Loaded::Nothing => None,
        Loaded::Snapshot { .. } => Some(Lineage::open_snapshot(into)?),
    };
    let left = left(config, there.as_ref())?;
    if !damaged.is_empty() {
        if left.newest.is_none() {
            return Err(LoadError::NoneGood(damaged).into());
        }
        for aside in load::set_damaged_aside(damaged)? {
            tracing::warn!("a snapshot is damaged and is now {}", aside.display());
        }
    }
    let there = there.as_ref().and_then(|there| tell(&loaded, there, into));
    Ok(Found { there, left })
}

/// Finds what was left, and tells of what stays where it is.
fn left(config: &Config, there: Option<&Lineage>) -> Result<Takeover, StartError> {
    let remains = match &config.from {
        Some(path) => vec![Remain::at(path).map_err(|error| {
            let code = if matches!(error, RemainError::Held(_)) { IN_USE } else { USAGE };
            StartError::new(code, format!("cannot begin with {}: {error}", path.display()))
                .hint("`torcctl snapshot recover --dry-run` shows what there is")
        })?],
        None => remains::find_for(&config.snapshot, &config.spill).map_err(held)?,
    };
    let target = config.snapshot.as_path();
    let left = Takeover::sort(remains, target, there, config.from.is_some()).map_err(|error| {
        let message = format!("cannot tell what is left of {}: {error}", target.display());
        StartError::new(USAGE, message).hint(
            "when a newer torc wrote it, use that one; `torcctl snapshot recover --to FILE` brings \
             it elsewhere",
        )
    })?;
    for (remain, reason) in &left.damaged {
        tracing::warn!("{} is damaged and stays: {reason}", remain.database().display());
    }
    for remain in &left.diverged {
        let (path, target) = (remain.database().display(), target.display());
        tracing::warn!(
            "{path} holds another record for {target}, and stays; `torcctl snapshot recover` \
             brings it home"
        );
    }
    if config.recover && config.from.is_none() && left.newest.is_none() {
        let message = format!("nothing is left that goes on from what is in {}", target.display());
        return Err(StartError::new(NOT_FOUND, message)
            .hint("`torcctl snapshot recover --dry-run` shows what there is"));
    }
    match &config.from {
        Some(path) if left.newest.is_none() => {
            let (path, target) = (path.display(), target.display());
            let message = format!("{path} does not go on from what is in {target}");
            Err(StartError::new(IN_USE, message).hint("bring it to a file that is not there yet"))
        }
        _ => Ok(left),
    }
}

fn held(error: Held) -> StartError {
    let message = format!("what a killed torcd has left is needed, and {error}");
    StartError::new(IN_USE, message).hint("somebody looks at it; try again in a moment")
}

/// Lets what is left for the place of our snapshots belong to `aside`, where what was at the place is
/// now, for a fresh start. What is spilled names its place itself, and stays as it is.
///
/// # Errors
///
/// When it cannot be had.
pub(super) fn set_aside(config: &Config, aside: &Path) -> Result<(), StartError> {
    for remain in remains::find_for(&config.snapshot, &[]).map_err(held)? {
        let Ok(mut orphan) = remain.into_orphan() else { continue };
        let private = orphan.purpose().is_some_and(|purpose| purpose.private);
        let signed = orphan.sign(Purpose { target: aside.to_owned(), private });
        signed.map_err(StartError::system("sign what a killed torcd has left"))?;
        tracing::warn!(
            "what a killed torcd has left of {} is of {} now",
            config.snapshot.display(),
            aside.display()
        );
    }
    Ok(())
}

/// Refuses to go on with a database on disk for which a later state was left by a torcd that had it in
/// memory.
///
/// # Errors
///
/// When there is one.
pub(super) fn refuse_newer(config: &Config, path: &Path) -> Result<(), StartError> {
    let there = Lineage::open_snapshot(path).ok();
    let left = remains::find_for(path, &config.spill).map_err(held)?;
    let left = Takeover::sort(left, path, there.as_ref(), false)
        .map_err(|error| StartError::new(USAGE, error.to_string()))?;
    match left.newest {
        None => Ok(()),
        Some(newest) => {
            let (path, newest) = (path.display(), newest.database().display());
            let message = format!("{newest} holds a later state of {path}");
            Err(StartError::new(IN_USE, message)
                .hint(format!("bring it home first: `torcctl snapshot recover --db {path}`")))
        }
    }
}

/// Refuses to serve the database at `path` while the place of its snapshots holds what does not come
/// from it: no snapshot could ever go there.
pub(super) fn refuse_other_snapshots(config: &Config, path: &Path) -> Result<(), StartError> {
    // What is no snapshot of torc is told of by whoever takes the first.
    let Ok(there) = Lineage::open_snapshot(&config.snapshot) else { return Ok(()) };
    let comes_from_here = match Lineage::open(path) {
        // Why it cannot be read is told when it is opened to be served.
        Err(_) if path.exists() => return Ok(()),
        Err(_) => false,
        Ok(ours) => ours
            .is_ahead_of(&there)
            .map_err(|error| StartError::new(FAILED, format!("{}: {error}", path.display())))?,
    };
    if comes_from_here {
        return Ok(());
    }
    let (snapshot, path) = (config.snapshot.display(), path.display());
    let message = format!("{snapshot} holds a record that {path} does not have");
    Err(StartError::new(IN_USE, message).hint(
        "name another place for snapshots with `--snapshot PATH`, or go on from that record with \
         `--in-memory`",
    ))
}

/// Says what was loaded, and returns it as the last good snapshot.
fn tell(loaded: &Loaded, there: &Lineage, into: &Path) -> Option<SnapshotView> {
    let Loaded::Snapshot { path, generation, changes, quarantined } = loaded else { return None };
    tracing::info!("loaded snapshot {generation} from {}", path.display());
    for damaged in quarantined {
        tracing::warn!(
            "a newer snapshot is damaged and is now {}; went back to {}",
            damaged.display(),
            path.display()
        );
    }
    let taken = there.last.as_ref()?;
    Some(SnapshotView {
        generation: *generation,
        changes: *changes,
        path: path.display().to_string(),
        bytes: fs::metadata(into).map_or(0, |file| file.len()),
        sha256: String::new(),
        started_at: taken.at,
        finished_at: taken.at,
        phases: Vec::new(),
    })
}

/// Begins with what a dead daemon has left: takes over its directory, or copies its database to
/// `into`, in our own directory `ours`. Returns the directory that is ours now, and what was copied.
///
/// # Errors
///
/// When it cannot be had; it stays as it was then.
pub(super) fn adopt(
    newest: Remain,
    ours: PrivateDir,
    purpose: &Purpose,
    into: &Path,
    on_tmpfs: bool,
) -> Result<(PrivateDir, Option<Remain>), StartError> {
    let from = newest.database().to_owned();
    tracing::warn!(
        "going on from {}, which a torcd left that {}",
        from.display(),
        if newest.dir().is_some() { "was killed" } else { "could not save it in its place" }
    );
    let failed = |error: String| {
        StartError::new(FAILED, format!("cannot take over {}: {error}", from.display()))
            .hint("it stays as it is; start with `--database PATH` or make room in memory")
    };
    let beside = |dir: &Path| dir.parent() == ours.path().parent();
    let remain = match newest {
        remain if on_tmpfs && remain.dir().is_some_and(beside) => match remain.into_orphan() {
            Ok(orphan) => {
                let home = PrivateDir::adopt(orphan, purpose);
                let home = home.map_err(|error| failed(error.to_string()))?;
                clear_up(home.path());
                return Ok((home, None));
            }
            Err(remain) => remain,
        },
        remain => remain,
    };
    // What was loaded from the place itself is not needed any more.
    remove_if_there(into).map_err(|error| failed(error.to_string()))?;
    image::copy_with_log(remain.database(), into).map_err(|error| failed(error.to_string()))?;
    Ok((ours, Some(remain)))
}

/// Removes the copies on which a dead daemon was at work: the room is needed.
fn clear_up(home: &Path) {
    for entry in fs::read_dir(home).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".db") && name != DATABASE_NAME {
            // What stays only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Says so when a later state than the snapshot at `path` is left elsewhere: whoever reads it should
/// know. `shown` is what is read.
pub(super) fn tell_of_newer(config: &Config, path: &Path, shown: &Path) {
    let Ok(there) = Lineage::open_snapshot(shown) else { return };
    let newer = |find: Find| {
        if find.target().is_some_and(|target| target != path) {
            return None;
        }
        let remain = find.look()?;
        // What cannot be read is not newer.
        let record = remain.open().ok()?;
        let is_its = remain.target(&record).as_deref() == Some(path);
        let is_newer = record.fate(&there).is_ok_and(|fate| fate == Fate::Newer);
        drop(record);
        (is_its && is_newer).then_some(remain)
    };
    if let Some(newer) = remains::find(&config.spill).into_iter().find_map(newer) {
        tracing::warn!(
            "a later state of {} is in {}, of a torcd that was killed or could not save it; \
             `torcctl snapshot recover` brings it home",
            path.display(),
            newer.database().display()
        );
    }
}
