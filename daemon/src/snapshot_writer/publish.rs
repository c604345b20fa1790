//! The last step: the older snapshots move up by one, and the new one takes its place.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::snapshot_writer::disk;
use crate::snapshot_writer::error::{WriterError, failed_to};
use crate::snapshot_writer::image::BLOCK;
use crate::snapshot_writer::rotation::{self, numbered};
use crate::snapshot_writer::temporary::Temporary;
use crate::store::verify::{self, Identity, VerifyError};

/// Fails when something that is not a snapshot of ours has a name that will be needed.
///
/// An empty file is nobody's work and may be replaced.
pub(super) fn refuse_strangers(target: &Path, keep: u32) -> Result<(), WriterError> {
    let older = older(target)?;
    let needed = older.range(..keep).map(|(_, path)| path.as_path());
    for path in std::iter::once(target).chain(needed) {
        match verify::identify(path) {
            Ok(_) | Err(VerifyError::Empty) => {}
            Err(VerifyError::Io(error)) if error.kind() == io::ErrorKind::NotFound => {}
            Err(VerifyError::Io(error)) if error.kind() != io::ErrorKind::InvalidInput => {
                return Err(failed_to("read", path)(error));
            }
            Err(found) => return Err(WriterError::Stranger { path: path.to_owned(), found }),
        }
    }
    Ok(())
}

/// Puts a file that was verified in the place of the newest snapshot, and returns what could not
/// be removed of the oldest.
///
/// Everything is looked at again, for the writing may have taken hours.
pub(super) fn publish(
    written: Temporary<()>,
    identity: &Identity,
    target: &Path,
    keep: u32,
) -> Result<Vec<String>, WriterError> {
    refuse_strangers(target, keep)?;
    refuse_others(target, identity)?;
    make_room(target, keep)?;
    written.publish(target)?;
    disk::sync_dir(disk::parent(target)?)?;
    Ok(remove_excess(target, keep))
}

/// Fails when a snapshot has come meanwhile that this one must not replace: one of another database,
/// which nobody would have any more, or one of the same database that is not older. This writer was
/// stuck then, and torcd, or its successor, has gone on without it.
fn refuse_others(target: &Path, ours: &Identity) -> Result<(), WriterError> {
    match verify::peek(target) {
        Ok(there) if there.instance != ours.instance => {
            Err(WriterError::AnotherDatabase(target.to_owned()))
        }
        Ok(there) if there.generation >= ours.generation => Err(WriterError::Superseded {
            path: target.to_owned(),
            newer: there.generation,
            ours: ours.generation,
        }),
        _ => Ok(()),
    }
}

/// Gives the present snapshot its second name, `.1`, and moves older ones up as far as that takes.
fn make_room(target: &Path, keep: u32) -> Result<(), WriterError> {
    let Some(present) = disk::look(target)?.filter(|present| present.len() > 0) else {
        return Ok(());
    };
    let first = numbered(target, 1);
    let was_linked = disk::look(&first)?.is_some_and(|first| disk::same_file(&first, &present));
    if keep == 1 || was_linked {
        return Ok(());
    }
    let older = older(target)?;
    let free = (1..keep).find(|number| !older.contains_key(number));
    if free.is_none() {
        disk::remove(&numbered(target, keep - 1))?;
    }
    for number in (1..free.unwrap_or(keep - 1)).rev() {
        disk::rename(&numbered(target, number), &numbered(target, number + 1))?;
    }
    if !disk::link(target, &first)? {
        copy(target, &first)?;
    }
    Ok(())
}

/// What a link would do, where there are none.
fn copy(target: &Path, name: &Path) -> Result<(), WriterError> {
    let mut temporary = Temporary::create_copy(target)?;
    let mut present = disk::open(target)?;
    let mut block = vec![0; BLOCK];
    loop {
        match disk::read(&mut present, target, &mut block)? {
            0 => return temporary.sync()?.publish(name),
            length => temporary.write(&block[..length])?,
        }
    }
}

/// Removes the snapshots that are too many. The new one is safe by now, so that a failure is only
/// told.
fn remove_excess(target: &Path, keep: u32) -> Vec<String> {
    let excess = match older(target) {
        Ok(mut older) => older.split_off(&keep),
        Err(error) => return vec![error.to_string()],
    };
    excess
        .into_values()
        .filter(|path| verify::identify(path).is_ok())
        .filter_map(|path| disk::remove(&path).err())
        .map(|error| error.to_string())
        .collect()
}

fn older(target: &Path) -> Result<BTreeMap<u32, PathBuf>, WriterError> {
    rotation::older(target).map_err(failed_to("list what is beside", target))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_copy_stands_in_for_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("torc.db");
        let bytes = vec![7; BLOCK + 1];
        fs::write(&target, &bytes).unwrap();
        let first = numbered(&target, 1);
        copy(&target, &first).unwrap();
        assert!(fs::read(&first).unwrap() == bytes, "the copy differs");
        assert!(fs::read(&target).unwrap() == bytes, "the original was changed");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "a temporary file stayed");
    }
}
