//! A directory of ours in memory, which says whose it is and outlives a torcd that is killed.
//!
//! Its name tells the process, as `PID-START-N`; a file `owner` in it tells what the record in it is
//! for, and is locked for as long as its torcd lives. Whoever gets that lock later has found what a
//! dead torcd left, and may take it over: by renaming the directory, which is one step, so that a
//! database and its log never part.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;
use torc_protocol::paths::DATABASE_NAME;

use crate::sys;
use crate::sys::socket::FileLock;

/// How often, and how long apart, a directory is tried that somebody else looks at.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);
/// The file that says whose a directory is.
const OWNER_NAME: &str = "owner";

/// A directory that is removed with all that is in it when this is dropped, unless it is held: then a
/// daemon that breaks down leaves it, as one does that is killed.
#[derive(Debug)]
pub struct PrivateDir {
    path: PathBuf,
    held: bool,
    /// Held for life.
    lock: FileLock,
}

/// What the record in a directory is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// Where the record belongs: the place of its snapshots, or the file of a database on disk;
    /// absolute.
    pub target: PathBuf,
    /// Its torcd lives only as long as the command that has started it.
    pub private: bool,
}

/// A directory whose torcd has died. Nobody else takes it over as long as this lives.
#[derive(Debug)]
pub struct Orphan {
    path: PathBuf,
    purpose: Option<Purpose>,
    lock: FileLock,
}

impl PrivateDir {
    /// Makes a directory in `parent`, which is ours alone.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(parent: &Path, purpose: &Purpose) -> io::Result<Self> {
        loop {
            let path = free_name(parent, |path| {
                fs::DirBuilder::new().mode(0o700).create(path).map(|()| true)
            })?;
            // Somebody who looks for what the dead have left may be quicker.
            let Some(lock) = sys::socket::lock_file(&path.join(OWNER_NAME))? else { continue };
            let mut dir = Self { path, held: false, lock };
            dir.sign(purpose)?;
            return Ok(dir);
        }
    }

    /// Takes over what a dead torcd has left, under a name that says that it is ours. It is held: what
    /// is in it is nowhere else.
    ///
    /// # Errors
    ///
    /// When it cannot be renamed or signed; what is in it stays.
    pub fn adopt(orphan: Orphan, purpose: &Purpose) -> io::Result<Self> {
        let Orphan { path: before, lock, .. } = orphan;
        let parent = before.parent().unwrap_or(Path::new("/"));
        let path = free_name(parent, |path| {
            Ok(!path.exists() && fs::rename(&before, path).map(|()| true)?)
        })?;
        let mut dir = Self { path, held: true, lock };
        dir.sign(purpose)?;
        Ok(dir)
    }

    fn sign(&mut self, purpose: &Purpose) -> io::Result<()> {
        self.lock.write(&purpose.text())
    }

    /// Lets the directory stay when this is dropped: it holds what is nowhere else.
    pub fn hold(&mut self) {
        self.held = true;
    }

    /// Lets the directory go when this is dropped: what it holds is safe elsewhere.
    pub fn let_go(&mut self) {
        self.held = false;
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        if self.held {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

impl Purpose {
    fn text(&self) -> Vec<u8> {
        let kind = if self.private { "private" } else { "lasting" };
        let mut text = format!("{kind}\ntarget ").into_bytes();
        text.extend_from_slice(self.target.as_os_str().as_bytes());
        text
    }

    /// The target comes last and is not ended by anything: a path may hold any byte but NUL.
    fn parse(text: &[u8]) -> Option<Self> {
        let (private, rest) = match text.strip_prefix(b"private\n") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix(b"lasting\n")?),
        };
        let target = rest.strip_prefix(b"target ").filter(|path| path.starts_with(b"/"))?;
        Some(Self { target: std::ffi::OsString::from_vec(target.to_vec()).into(), private })
    }
}

impl Orphan {
    /// Returns where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what it was for, if it says.
    #[must_use]
    pub fn purpose(&self) -> Option<&Purpose> {
        self.purpose.as_ref()
    }

    /// Returns the database in it, if there is one.
    #[must_use]
    pub fn database(&self) -> Option<PathBuf> {
        let path = self.path.join(DATABASE_NAME);
        fs::symlink_metadata(&path).is_ok_and(|there| there.is_file()).then_some(path)
    }

    /// Says that it belongs elsewhere from now on.
    ///
    /// # Errors
    ///
    /// When that cannot be written.
    pub fn sign(&mut self, purpose: Purpose) -> io::Result<()> {
        self.lock.write(&purpose.text())?;
        self.purpose = Some(purpose);
        Ok(())
    }

    /// Removes it with all that is in it.
    pub fn remove(self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
        drop(self.lock);
    }
}

/// A directory whose torcd has died, as far as can be seen without locking it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The directory.
    pub path: PathBuf,
    /// What it was for, if it says.
    pub purpose: Option<Purpose>,
}

/// Somebody else looks at a directory, or takes it over, and does not let go.
#[derive(Debug, Error)]
#[error("{} is in use", .0.display())]
pub struct Held(pub PathBuf);

impl Trace {
    /// Locks the directory to look at it: others may be looking too, but nobody takes it over
    /// meanwhile. None when somebody does.
    #[must_use]
    pub fn look(self) -> Option<Orphan> {
        let lock = sys::socket::share_file(&self.path.join(OWNER_NAME)).ok()??;
        Some(Orphan { path: self.path, purpose: self.purpose, lock })
    }

    /// Locks the directory to take it over. Whoever looks at it is waited for, for two seconds at the
    /// most. None when it is gone.
    ///
    /// # Errors
    ///
    /// When somebody does not let go.
    pub fn take(self) -> Result<Option<Orphan>, Held> {
        for look in 0..LOOKS {
            if look > 0 {
                // No event tells that somebody has let go, but in a call without an end.
                std::thread::sleep(PAUSE);
            }
            match sys::socket::lock_file(&self.path.join(OWNER_NAME)) {
                Ok(Some(lock)) => {
                    let Self { path, .. } = self;
                    return Ok(Some(Orphan { purpose: purpose_in(&path), path, lock }));
                }
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(_) => break,
            }
        }
        Err(Held(self.path))
    }
}

/// Returns the directories in `parent` whose torcds have died.
#[must_use]
pub fn traces(parent: &Path) -> Vec<Trace> {
    dead_in(parent).map(|path| Trace { purpose: purpose_in(&path), path }).collect()
}

/// Returns the directory at `path`; none when it does not have the name of one of ours.
///
/// # Errors
///
/// When its torcd lives.
pub fn trace(path: &Path) -> Result<Option<Trace>, Held> {
    if path.file_name().and_then(process_of).is_none() {
        return Ok(None);
    }
    if !is_dead(path) {
        return Err(Held(path.to_owned()));
    }
    Ok(Some(Trace { purpose: purpose_in(path), path: path.to_owned() }))
}

/// Removes the directories in `parent` whose torcds have died, and of which `is_wanted` does not want
/// any. What somebody looks at stays for the next who sweeps.
pub fn sweep(parent: &Path, is_wanted: impl Fn(&Path) -> bool) {
    for path in dead_in(parent).filter(|path| !is_wanted(path)) {
        if let Ok(Some(lock)) = sys::socket::lock_file(&path.join(OWNER_NAME)) {
            Orphan { purpose: None, path, lock }.remove();
        }
    }
}

fn dead_in(parent: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| is_dead(path))
}

fn is_dead(path: &Path) -> bool {
    let Some((pid, start)) = path.file_name().and_then(process_of) else { return false };
    let is_dir = fs::symlink_metadata(path).is_ok_and(|there| there.is_dir());
    is_dir && sys::process::start_time(pid) != Some(start)
}

fn purpose_in(dir: &Path) -> Option<Purpose> {
    fs::read(dir.join(OWNER_NAME)).ok().and_then(|text| Purpose::parse(&text))
}

/// Returns the process that a directory of this name is of: its number, and when it was started.
fn process_of(name: &OsStr) -> Option<(u32, u64)> {
    let mut parts = name.to_str()?.split('-');
    let (pid, start, number) = (parts.next()?, parts.next()?, parts.next()?);
    number.parse::<u32>().ok()?;
    parts.next().is_none().then_some((pid.parse().ok()?, start.parse().ok()?))
}

/// Returns how the names of the directories of a process begin.
#[must_use]
pub fn prefix(pid: u32, start: u64) -> String {
    format!("{pid}-{start}-")
}

/// Returns the first name of ours that `take` takes: it tells whether it has, and fails with
/// [`io::ErrorKind::AlreadyExists`] where it could not.
fn free_name(
    parent: &Path,
    mut take: impl FnMut(&Path) -> io::Result<bool>,
) -> io::Result<PathBuf> {
    let pid = std::process::id();
    let prefix = prefix(pid, sys::process::start_time(pid).unwrap_or(0));
    let mut number = 0_u32;
    loop {
        let path = parent.join(format!("{prefix}{number}"));
        match take(&path) {
            Ok(true) => return Ok(path),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests;
