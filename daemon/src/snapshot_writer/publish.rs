//! The last step: the older snapshots move up by one, and the new one takes its place.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

use crate::snapshot_writer::disk::Disk;
use crate::snapshot_writer::error::{WriterError, failed_to};
use crate::snapshot_writer::image::BLOCK;
use crate::snapshot_writer::operations;
use crate::snapshot_writer::rotation::{self, numbered};
use crate::snapshot_writer::temporary::Temporary;
use crate::store::verify::{Identity, VerifyError};

/// Fails when something that is not a snapshot of ours has a name that will be needed.
///
/// An empty file is nobody's work and may be replaced.
pub(super) fn refuse_strangers(
    disk: &impl Disk,
    target: &Path,
    keep: u32,
) -> Result<(), WriterError> {
    let older = older(disk, target)?;
    let needed = older.range(..keep).map(|(_, path)| path.as_path());
    for path in std::iter::once(target).chain(needed) {
        match disk.identify(path) {
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
pub(super) fn publish<D: Disk>(
    disk: &D,
    written: Temporary<'_, D, ()>,
    identity: &Identity,
    target: &Path,
    keep: u32,
) -> Result<Vec<String>, WriterError> {
    let dir = operations::parent(target)?;
    refuse_strangers(disk, target, keep)?;
    let there = match disk.peek(target) {
        // Which database it is of may be as odd as what else was changed in it.
        Err(found @ VerifyError::Altered(_)) => {
            return Err(WriterError::Stranger { path: target.to_owned(), found });
        }
        peeked => known(target, peeked)?,
    };
    refuse_others(target, there.as_ref(), identity)?;
    match operations::look(disk, target)?.filter(|present| present.len() > 0) {
        Some(present) if keep > 1 => {
            let first = numbered(target, 1);
            if !is_there(disk, &first, &present, there.as_ref())? {
                make_room(disk, target, &first, keep)?;
            }
        }
        Some(_) => {}
        // Where a snapshot is, this was done before it came.
        None => operations::sync_parents(disk, dir)?,
    }
    written.publish(target)?;
    operations::sync_dir(disk, dir)?;
    Ok(remove_excess(disk, target, keep))
}

/// Fails when a snapshot has come meanwhile that this one must not replace: one of another database,
/// which nobody would have any more, or one of the same database that is not older. This writer was
/// stuck then, and torcd, or its successor, has gone on without it.
fn refuse_others(
    target: &Path,
    there: Option<&Identity>,
    ours: &Identity,
) -> Result<(), WriterError> {
    match there {
        Some(there) if there.instance != ours.instance => {
            Err(WriterError::AnotherDatabase(target.to_owned()))
        }
        Some(there) if there.generation >= ours.generation => Err(WriterError::Superseded {
            path: target.to_owned(),
            newer: there.generation,
            ours: ours.generation,
        }),
        _ => Ok(()),
    }
}

/// Returns whether `first` is a second name of the present snapshot already, or a copy of it: a writer
/// came so far, and failed after it. To make room again would cost an older one each time.
fn is_there(
    disk: &impl Disk,
    first: &Path,
    present: &Metadata,
    identity: Option<&Identity>,
) -> Result<bool, WriterError> {
    match operations::look(disk, first)? {
        Some(first) if operations::same_file(&first, present) => Ok(true),
        Some(found) if found.len() == present.len() && identity.is_some() => {
            Ok(known(first, disk.peek(first))?.as_ref() == identity)
        }
        _ => Ok(false),
    }
}

/// Returns which snapshot was found at a path; none when nothing is there, or it is damaged.
fn known(
    path: &Path,
    peeked: Result<Identity, VerifyError>,
) -> Result<Option<Identity>, WriterError> {
    match peeked {
        Ok(identity) => Ok(Some(identity)),
        Err(VerifyError::Io(error)) if error.kind() != io::ErrorKind::NotFound => {
            Err(failed_to("read", path)(error))
        }
        Err(_) => Ok(None),
    }
}

/// Gives the present snapshot its second name, `first`, and moves older ones up as far as that takes.
fn make_room(disk: &impl Disk, target: &Path, first: &Path, keep: u32) -> Result<(), WriterError> {
    let older = older(disk, target)?;
    let free = (1..keep).find(|number| !older.contains_key(number));
    if free.is_none() {
        operations::remove(disk, &numbered(target, keep - 1))?;
    }
    for number in (1..free.unwrap_or(keep - 1)).rev() {
        operations::rename(disk, &numbered(target, number), &numbered(target, number + 1))?;
    }
    if !operations::link(disk, target, first)? {
        copy(disk, target, first)?;
    }
    Ok(())
}

/// What a link would do, where there are none.
fn copy(disk: &impl Disk, target: &Path, name: &Path) -> Result<(), WriterError> {
    let temporary = Temporary::create_copy(disk, target)?;
    let present = operations::open(disk, target)?;
    let mut block = vec![0; BLOCK];
    loop {
        match operations::read(disk, &present, target, &mut block)? {
            0 => return temporary.sync()?.publish(name),
            length => temporary.write(&block[..length])?,
        }
    }
}

/// Removes the snapshots that are too many. The new one is safe by now, so that a failure is only
/// told.
fn remove_excess(disk: &impl Disk, target: &Path, keep: u32) -> Vec<String> {
    let excess = match older(disk, target) {
        Ok(mut older) => older.split_off(&keep),
        Err(error) => return vec![error.to_string()],
    };
    excess
        .into_values()
        .filter(|path| disk.identify(path).is_ok())
        .filter_map(|path| operations::remove(disk, &path).err())
        .map(|error| error.to_string())
        .collect()
}

fn older(disk: &impl Disk, target: &Path) -> Result<BTreeMap<u32, PathBuf>, WriterError> {
    rotation::older_on(disk, target).map_err(failed_to("list what is beside", target))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::snapshot_writer::disk::RealDisk;

    #[test]
    fn a_copy_stands_in_for_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("torc.db");
        let bytes = vec![7; BLOCK + 1];
        fs::write(&target, &bytes).unwrap();
        let first = numbered(&target, 1);
        copy(&RealDisk, &target, &first).unwrap();
        assert!(fs::read(&first).unwrap() == bytes, "the copy differs");
        assert!(fs::read(&target).unwrap() == bytes, "the original was changed");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "a temporary file stayed");
    }
}
