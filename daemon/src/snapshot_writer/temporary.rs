//! The file that becomes the snapshot, under a name that says whose it is while it is not.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;

use torc_protocol::id::Generation;

use crate::snapshot_writer::disk::Disk;
use crate::snapshot_writer::error::{WriterError, failed_to};
use crate::snapshot_writer::operations;
use crate::sys::host;
use crate::sys::process::start_time;

/// A temporary file beside the target; removed when dropped, unless it was published.
///
/// `F` is [`File`] while it is written to, and `()` once it is synced and closed.
#[derive(Debug)]
pub(super) struct Temporary<'d, D: Disk, F> {
    name: Name<'d, D>,
    file: F,
}

/// Apart from [`Temporary`], so that the file can be taken out of it.
#[derive(Debug)]
struct Name<'d, D: Disk> {
    disk: &'d D,
    path: PathBuf,
    published: bool,
}

impl<D: Disk> Drop for Name<'_, D> {
    fn drop(&mut self) {
        if !self.published {
            let _ = operations::remove(self.disk, &self.path);
        }
    }
}

impl<'d, D: Disk> Temporary<'d, D, File> {
    /// Makes the file for the snapshot `generation` of `target`.
    pub(super) fn create(
        disk: &'d D,
        target: &Path,
        generation: Generation,
    ) -> Result<Self, WriterError> {
        Self::create_named(disk, target, &format!("{}-{generation}", process::id()))
    }

    /// Makes a file for a copy of the present snapshot of `target`.
    pub(super) fn create_copy(disk: &'d D, target: &Path) -> Result<Self, WriterError> {
        Self::create_named(disk, target, &format!("{}-copy", process::id()))
    }

    fn create_named(disk: &'d D, target: &Path, suffix: &str) -> Result<Self, WriterError> {
        let mut name = prefix(target)?;
        name.push(format!("{}-{suffix}", boot()?));
        let path = target.with_file_name(name);
        let file = operations::create(disk, &path)?;
        Ok(Self { name: Name { disk, path, published: false }, file })
    }

    pub(super) fn write(&self, block: &[u8]) -> Result<(), WriterError> {
        operations::write(self.name.disk, &self.file, &self.name.path, block)
    }

    /// Makes what was written durable, and closes the file.
    ///
    /// When this fails the file is lost: after a failed sync the kernel forgets which pages are not
    /// on disk, so that a second one would succeed for nothing.
    pub(super) fn sync(self) -> Result<Temporary<'d, D, ()>, WriterError> {
        operations::sync(self.name.disk, &self.file, &self.name.path)?;
        operations::close(self.name.disk, self.file, &self.name.path)?;
        Ok(Temporary { name: self.name, file: () })
    }
}

impl<D: Disk> Temporary<'_, D, ()> {
    pub(super) fn path(&self) -> &Path {
        &self.name.path
    }

    /// Gives the file its name in place of whatever has that name.
    pub(super) fn publish(mut self, name: &Path) -> Result<(), WriterError> {
        operations::rename(self.name.disk, &self.name.path, name)?;
        self.name.published = true;
        Ok(())
    }
}

/// Removes what writers of this host that are gone have left beside the target; those of an earlier
/// boot are.
///
/// One that hangs on a dead file system is not gone; one that only waits for its parent to take note
/// is.
pub(super) fn remove_abandoned(disk: &impl Disk, target: &Path) -> Result<(), WriterError> {
    let (prefix, this_boot) = (prefix(target)?, boot()?);
    let dir = operations::parent(target)?;
    for path in operations::list(disk, dir).map_err(failed_to("list", dir))? {
        let writer =
            path.file_name().and_then(|name| writer_of(name.as_bytes(), prefix.as_bytes()));
        let is_gone = writer.is_some_and(|(boot, pid)| {
            boot != this_boot || pid == process::id() || start_time(pid).is_none()
        });
        if is_gone {
            operations::remove(disk, &path)?;
        }
    }
    Ok(())
}

/// Returns the boot and the process that writes to a temporary file of that name.
///
/// That each part has a form of its own tells a host `n` from a host `n-1`.
fn writer_of<'n>(name: &'n [u8], prefix: &[u8]) -> Option<(&'n str, u32)> {
    let rest = std::str::from_utf8(name.strip_prefix(prefix)?).ok()?;
    let (boot, rest) = rest.split_once('-')?;
    let (pid, suffix) = rest.split_once('-')?;
    let is_boot = boot.len() == 8 && boot.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_suffix = suffix == "copy" || suffix.parse::<u64>().is_ok();
    pid.parse().ok().filter(|_| is_boot && is_suffix).map(|pid| (boot, pid))
}

/// Returns how names of temporary files for this target, of this host, begin.
fn prefix(target: &Path) -> Result<OsString, WriterError> {
    let base = target.file_name().ok_or_else(|| WriterError::NoFile(target.to_owned()))?;
    let host = host::host_name().map_err(failed_to("tell the host that writes", target))?;
    let mut prefix = OsString::from(".");
    prefix.push(base);
    prefix.push(format!(".tmp-{host}-"));
    Ok(prefix)
}

/// Returns enough of this boot's id to tell it from others.
fn boot() -> Result<String, WriterError> {
    let id =
        host::boot_id().map_err(failed_to("read the id of the boot in", Path::new("/proc")))?;
    Ok(id.chars().take(8).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::snapshot_writer::disk::RealDisk;

    #[test]
    fn only_files_of_writers_that_are_gone_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("torc.db");
        let mut child = process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let name = |suffix: String| {
            let mut name = prefix(&target).unwrap();
            name.push(suffix);
            dir.path().join(name)
        };
        let (boot, dead) = (boot().unwrap(), child.id());
        let gone = [
            name(format!("{boot}-{dead}-7")),
            name(format!("{boot}-{dead}-copy")),
            name("0badb007-1-7".to_owned()),
        ];
        let stay = [
            name(format!("{boot}-1-7")),
            name(format!("{boot}-{dead}-7.mine")),
            name(format!("{boot}-x-7")),
            name(format!("1-0badb007-{dead}-7")),
            name(format!("0badb007-0badb007-{dead}-7")),
            name(format!("{dead}-7")),
            dir.path().join(format!(".torc.db.tmp-elsewhere-0badb007-{dead}-7")),
            target.clone(),
        ];
        for path in gone.iter().chain(&stay) {
            fs::write(path, "").unwrap();
        }
        remove_abandoned(&RealDisk, &target).unwrap();
        assert!(gone.iter().all(|path| !path.exists()), "left over");
        assert!(stay.iter().all(|path| path.exists()), "removed");
    }

    #[test]
    fn a_file_that_is_not_published_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("torc.db");
        let temporary = Temporary::create(&RealDisk, &target, Generation(1)).unwrap();
        temporary.write(b"half").unwrap();
        drop(temporary);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        let temporary = Temporary::create(&RealDisk, &target, Generation(2)).unwrap();
        temporary.write(b"whole").unwrap();
        temporary.sync().unwrap().publish(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
