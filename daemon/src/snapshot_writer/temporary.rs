//! The file that becomes the snapshot, under a name that says whose it is while it is not.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;

use torc_protocol::id::Generation;

use crate::snapshot_writer::disk;
use crate::snapshot_writer::error::{WriterError, failed_to};
use crate::sys::host;

/// A temporary file beside the target; removed when dropped, unless it was published.
///
/// `F` is [`File`] while it is written to, and `()` once it is synced and closed.
#[derive(Debug)]
pub(super) struct Temporary<F> {
    name: Name,
    file: F,
}

/// Apart from [`Temporary`], so that the file can be taken out of it.
#[derive(Debug)]
struct Name {
    path: PathBuf,
    published: bool,
}

impl Drop for Name {
    fn drop(&mut self) {
        if !self.published {
            let _ = disk::remove(&self.path);
        }
    }
}

impl Temporary<File> {
    /// Makes the file for the snapshot `generation` of `target`.
    pub(super) fn create(target: &Path, generation: Generation) -> Result<Self, WriterError> {
        Self::create_named(target, &format!("{}-{generation}", process::id()))
    }

    /// Makes a file for a copy of the present snapshot of `target`.
    pub(super) fn create_copy(target: &Path) -> Result<Self, WriterError> {
        Self::create_named(target, &format!("{}-copy", process::id()))
    }

    fn create_named(target: &Path, suffix: &str) -> Result<Self, WriterError> {
        let mut name = prefix(target)?;
        name.push(suffix);
        let path = target.with_file_name(name);
        let file = disk::create(&path)?;
        Ok(Self { name: Name { path, published: false }, file })
    }

    pub(super) fn write(&mut self, block: &[u8]) -> Result<(), WriterError> {
        disk::write(&mut self.file, &self.name.path, block)
    }

    /// Makes what was written durable, and closes the file.
    ///
    /// When this fails the file is lost: after a failed sync the kernel forgets which pages are not
    /// on disk, so that a second one would succeed for nothing.
    pub(super) fn sync(self) -> Result<Temporary<()>, WriterError> {
        disk::sync(&self.file, &self.name.path)?;
        disk::close(self.file, &self.name.path)?;
        Ok(Temporary { name: self.name, file: () })
    }
}

impl Temporary<()> {
    pub(super) fn path(&self) -> &Path {
        &self.name.path
    }

    /// Gives the file its name in place of whatever has that name.
    pub(super) fn publish(mut self, name: &Path) -> Result<(), WriterError> {
        disk::rename(&self.name.path, name)?;
        self.name.published = true;
        Ok(())
    }
}

/// Removes what writers of this host and boot that are gone have left beside the target.
///
/// One that hangs on a dead file system is not gone.
pub(super) fn remove_abandoned(target: &Path) -> Result<(), WriterError> {
    let prefix = prefix(target)?;
    let dir = disk::parent(target)?;
    for path in disk::list(dir).map_err(failed_to("list", dir))? {
        let writer =
            path.file_name().and_then(|name| writer_of(name.as_bytes(), prefix.as_bytes()));
        if writer.is_some_and(|pid| pid == process::id() || !host::process_exists(pid)) {
            disk::remove(&path)?;
        }
    }
    Ok(())
}

/// Returns the process that writes to a temporary file of that name.
fn writer_of(name: &[u8], prefix: &[u8]) -> Option<u32> {
    let rest = std::str::from_utf8(name.strip_prefix(prefix)?).ok()?;
    let (pid, suffix) = rest.split_once('-')?;
    let ours = suffix == "copy" || suffix.parse::<u64>().is_ok();
    pid.parse().ok().filter(|_| ours)
}

/// Returns how names of temporary files for this target, of this host and boot, begin.
fn prefix(target: &Path) -> Result<OsString, WriterError> {
    let base = target.file_name().ok_or_else(|| WriterError::NoFile(target.to_owned()))?;
    let unknown = |source: io::Error| failed_to("tell the host that writes", target)(source);
    let (host, boot) = (host::host_name().map_err(unknown)?, host::boot_id().map_err(unknown)?);
    let boot = boot.split('-').next().unwrap_or_default();
    let mut prefix = OsString::from(".");
    prefix.push(base);
    prefix.push(format!(".tmp-{host}-{boot}-"));
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

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
        let gone = [name(format!("{}-7", child.id())), name(format!("{}-copy", child.id()))];
        let stay = [
            name("1-7".to_owned()),
            name(format!("{}-7.mine", child.id())),
            name("x-7".to_owned()),
            dir.path().join(format!(".torc.db.tmp-elsewhere-0badb007-{}-7", child.id())),
            target.clone(),
        ];
        for path in gone.iter().chain(&stay) {
            fs::write(path, "").unwrap();
        }
        remove_abandoned(&target).unwrap();
        assert!(gone.iter().all(|path| !path.exists()), "left over");
        assert!(stay.iter().all(|path| path.exists()), "removed");
    }

    #[test]
    fn a_file_that_is_not_published_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("torc.db");
        let mut temporary = Temporary::create(&target, Generation(1)).unwrap();
        temporary.write(b"half").unwrap();
        drop(temporary);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        let mut temporary = Temporary::create(&target, Generation(2)).unwrap();
        temporary.write(b"whole").unwrap();
        temporary.sync().unwrap().publish(&target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"whole");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
