//! `torcd snapshot-writer`: brings one image of the database to disk, and ends.
//!
//! The only process of torc's that touches the snapshot's file system, which may stall for minutes
//! or for good; torcd abandons it then. It reads the image from its standard input, which is a file
//! in memory, and tells torcd on its standard output how far it is (see [`event`]).
//!
//! What holds at every moment, whatever fails and whenever it is killed:
//! - what was at the target stays there, whole, until a newer snapshot that was written, synced,
//!   read back and checked takes its place in one step;
//! - a file that is not a snapshot of torc's is never overwritten, moved or removed;
//! - it finishes its work when torcd has died, for this may be the last snapshot there is.
//!
//! Every call that it makes on that file system goes through [`disk::Disk`], where the tests have each
//! of them fail, hang, or be the last one (`tests/snapshot_writer/faults`).

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use torc_protocol::id::Generation;
use torc_protocol::view::{SnapshotFailure, SnapshotPhase};

use crate::config::MAX_KEEP;
use crate::snapshot_writer::disk::{Disk, RealDisk};
use crate::snapshot_writer::error::WriterError;
use crate::snapshot_writer::event::{WriterEvent, WriterReport};
use crate::snapshot_writer::image::Image;
use crate::snapshot_writer::progress::Progress;
use crate::snapshot_writer::temporary::Temporary;
use crate::sys::process::give_way;
use crate::sys::signals::ignore_termination;

pub mod disk;
mod error;
pub mod event;
mod image;
mod operations;
mod progress;
mod publish;
pub mod rotation;
mod temporary;

/// What to write, and where.
#[derive(Clone, Debug)]
pub struct Args {
    /// The newest snapshot's place; absolute.
    pub target: PathBuf,
    /// How many snapshots stay, this one included; from 1 to [`MAX_KEEP`].
    pub keep: u32,
    /// Which snapshot the image claims to be.
    pub generation: Generation,
}

/// Writes the image on standard input to the target, and reports on standard output.
///
/// # Errors
///
/// When the snapshot is not on disk. It was reported then, as far as anybody listens.
pub fn run(args: Args) -> anyhow::Result<()> {
    ignore_termination()?;
    give_way();
    let image = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    match write_with(&RealDisk, &args, image, io::stdout()) {
        Ok(_) => Ok(()),
        Err(failure) => Err(anyhow::Error::msg(failure.reason)),
    }
}

/// Writes `image` to the target on `disk`, and tells `listener` all of it as frames of
/// [`WriterEvent`]s. The seam at which tests put a disk that fails; [`run`] does it on the real one.
///
/// # Errors
///
/// When the snapshot is not on disk.
pub fn write_with<D: Disk, W: io::Write>(
    disk: &D,
    args: &Args,
    image: File,
    listener: W,
) -> Result<WriterReport, SnapshotFailure> {
    let mut progress = Progress::new(listener);
    match write(disk, args, image, &mut progress) {
        Ok(report) => {
            progress.send(WriterEvent::Done(report.clone()));
            Ok(report)
        }
        Err(error) => {
            let failure = SnapshotFailure {
                path: args.target.display().to_string(),
                phase: progress.phase(),
                errno: error.errno(),
                reason: error.to_string(),
                kept: None,
            };
            progress.send(WriterEvent::Failed(failure.clone()));
            Err(failure)
        }
    }
}

fn write<W: io::Write>(
    disk: &impl Disk,
    args: &Args,
    image: File,
    progress: &mut Progress<W>,
) -> Result<WriterReport, WriterError> {
    let target = args.target.as_path();
    let keep = args.keep.clamp(1, MAX_KEEP);

    progress.begin(SnapshotPhase::Write);
    let image = Image::new(image)?;
    let dir = operations::parent(target)?;
    operations::make_parents(disk, dir)?;
    publish::refuse_strangers(disk, target, keep)?;
    temporary::remove_abandoned(disk, target)?;
    operations::check_room(disk, dir, image.bytes())?;
    let temporary = Temporary::create(disk, target, args.generation)?;
    let sha256 = image.copy_to(&temporary)?;

    progress.begin(SnapshotPhase::Sync);
    let written = temporary.sync()?;

    progress.begin(SnapshotPhase::Verify);
    let identity = image::check(disk, written.path(), sha256, args.generation)?;

    progress.begin(SnapshotPhase::Publish);
    for reason in publish::publish(disk, written, &identity, target, keep)? {
        progress.send(WriterEvent::LeftOver(reason));
    }
    Ok(WriterReport {
        bytes: image.bytes(),
        sha256: image::hexadecimal(&sha256),
        phases: progress.finish(),
    })
}
