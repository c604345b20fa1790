//! A file beside a database on disk, or beside the place of a snapshot, that says who works on it.
//!
//! Two daemons that brought their databases to the same place would each replace what the other has
//! saved. Locks do not reach across the hosts of a cluster on every file system, so the lease is a
//! plain file that exists from the start of a daemon to its end, made so that only one can make it.
//! One that was left by a daemon that died is told by the boot of the host and the start of the
//! process; where that cannot be told, because it was another host, somebody has to decide.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thiserror::Error;

use crate::snapshot::aside::rename_new;
use crate::sys;
use crate::sys::files::{cannot_link, is_gone, open_regular};

/// How often, and how long apart, a lease that is being written by another is looked at again.
const LOOKS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);
/// How the names go on of a lease that is being made, and of one that is being removed.
const NEW: &str = "new";
const STALE: &str = "stale";
/// No lease of ours is as long, in bytes.
const LONGEST: u64 = 4_096;

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    host: String,
    boot: String,
    pid: u32,
    start: u64,
}

/// Why a lease cannot be had.
#[derive(Debug, Error)]
pub enum LeaseError {
    /// Somebody holds it who lives, or of whom that cannot be told.
    #[error("{} is in use by {holder}", .target.display())]
    Held {
        /// What the lease is for.
        target: PathBuf,
        /// Who, in words.
        holder: String,
        /// Whether it may have died.
        may_be_dead: bool,
    },
    /// The file system refuses.
    #[error("cannot {doing} {}: {source}", .path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A daemon of this boot of this host that has died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its process.
    pub pid: u32,
    /// When that was started, as [`sys::process::start_time`] gives it.
    pub start: u64,
}

/// A lease that is ours as long as this lives.
#[derive(Debug)]
pub struct Lease {
    path: PathBuf,
    ours: Holder,
    predecessor: Option<Predecessor>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Err(error) = self.give_back() {
            // The next who wants it finds it to be stale.
            tracing::warn!("{error}");
        }
    }
}

impl Lease {
    /// Takes the lease for `target`, whose directory is made if it is missing. `steal` takes it
    /// from whoever holds it.
    ///
    /// Blocks as long as the file system does.
    ///
    /// # Errors
    ///
    /// When it is held, or cannot be made.
    pub fn take(target: &Path, steal: bool) -> Result<Self, LeaseError> {
        let mut name = target.as_os_str().to_owned();
        name.push(".lease");
        let path = PathBuf::from(name);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir).map_err(failed_to("make a directory for", target))?;
        }
        let ours = Holder::ours().map_err(failed_to("name ourselves in", &path))?;
        let mut predecessor = None;
        loop {
            match create(&path, &ours) {
                Ok(()) => {
                    remove_leftovers(&path, &ours);
                    return Ok(Self { path, ours, predecessor });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed_to("make", &path)(error)),
            }
            let there = read(&path).map_err(failed_to("read", &path))?;
            if !steal {
                refuse_living(target, there.as_ref(), &ours)?;
            }
            remove(&path, there.as_ref(), &ours)?;
            predecessor = there
                .filter(|there| there.is_dead(&ours))
                .map(|there| Predecessor { pid: there.pid, start: there.start });
        }
    }

    /// Returns from whom it was taken over because they had died on this very host.
    #[must_use]
    pub fn predecessor(&self) -> Option<Predecessor> {
        self.predecessor
    }

    /// Lets it stay as it is, without a call to a file system that does not answer. The next who
    /// wants it finds it to be stale.
    pub fn leave(self) {
        std::mem::forget(self);
    }

    /// Gives it back, unless somebody has stolen it.
    fn give_back(&self) -> Result<(), LeaseError> {
        match read(&self.path) {
            Ok(Some(holder)) if holder == self.ours => {
                fs::remove_file(&self.path).map_err(failed_to("remove", &self.path))
            }
            Ok(_) => Ok(()),
            Err(error) if is_gone(&error) => Ok(()),
            Err(error) => Err(failed_to("read", &self.path)(error)),
        }
    }
}

impl Holder {
    fn ours() -> io::Result<Self> {
        let pid = std::process::id();
        Ok(Self {
            host: sys::host::host_name()?,
            boot: sys::host::boot_id()?,
            pid,
            start: sys::process::start_time(pid).unwrap_or(0),
        })
    }

    /// Returns what a lease of this holder says.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { host, boot, pid, start } = self;
        format!("host {host}\nboot {boot}\npid {pid}\nstart {start}\n")
    }

    /// Returns whom the bytes of a lease name; none when they do not say, or not yet.
    #[must_use]
    pub fn parse(lease: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(lease);
        let mut lines = text.lines();
        let mut field = |name: &str| {
            let value = lines.next()?.strip_prefix(name)?.strip_prefix(' ')?;
            // It comes to be read on a terminal, which obeys some of these.
            (!value.contains(char::is_control)).then_some(value)
        };
        Some(Self {
            host: field("host")?.to_owned(),
            boot: field("boot")?.to_owned(),
            pid: field("pid")?.parse().ok()?,
            start: field("start")?.parse().ok()?,
        })
    }

    /// Returns whether it has died for certain: it is of this boot of this host, and there is no
    /// such process.
    fn is_dead(&self, ours: &Self) -> bool {
        self.boot == ours.boot
            && self.host == ours.host
            && sys::process::start_time(self.pid) != Some(self.start)
    }
}

fn refuse_living(target: &Path, there: Option<&Holder>, ours: &Holder) -> Result<(), LeaseError> {
    let (holder, may_be_dead) = match there {
        Some(there) if there.is_dead(ours) => return Ok(()),
        Some(there) => {
            let who = format!("torcd process {} on {}", there.pid, there.host);
            (who, there.boot != ours.boot || there.host != ours.host)
        }
        None => ("somebody who does not say who they are".to_owned(), true),
    };
    Err(LeaseError::Held { target: target.to_owned(), holder, may_be_dead })
}

/// Makes a lease that says whose it is from its first moment on: it is written under another name.
fn create(path: &Path, ours: &Holder) -> io::Result<()> {
    let unnamed = beside(path, NEW, ours);
    // One of ours that is there was left by a process that had our number before.
    let _ = fs::remove_file(&unnamed);
    write(&unnamed, ours)?;
    let made = match fs::hard_link(&unnamed, path) {
        // Where there are no links, it says so a moment later.
        Err(error) if cannot_link(&error) => write(path, ours),
        made => made,
    };
    let _ = fs::remove_file(&unnamed);
    made
}

fn write(path: &Path, ours: &Holder) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(ours.text().as_bytes()).inspect_err(|_| {
        // It is ours, and says nothing: nobody must be kept away by it.
        let _ = fs::remove_file(path);
    })
}

/// Returns the name of a file beside a lease that only `holder` makes.
fn beside(path: &Path, word: &str, holder: &Holder) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{word}-{}-{}", holder.host, holder.pid));
    PathBuf::from(name)
}

/// Removes what processes of this host have left beside a lease that were killed as they took it.
/// That it stays does no harm.
fn remove_leftovers(path: &Path, ours: &Holder) {
    let (Some(dir), Some(base)) = (path.parent(), path.file_name().and_then(|name| name.to_str()))
    else {
        return;
    };
    let marks = [NEW, STALE].map(|word| format!("{base}.{word}-{}-", ours.host));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| {
            marks.iter().find_map(|mark| name.strip_prefix(mark.as_str())?.parse::<u32>().ok())
        });
        if pid.is_some_and(|pid| sys::process::start_time(pid).is_none()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns what is in a lease. Others may have put something else there: it is not followed, not
/// waited for, and only so much of it is read.
fn contents(path: &Path) -> io::Result<Vec<u8>> {
    let mut contents = Vec::new();
    open_regular(path)?.take(LONGEST).read_to_end(&mut contents)?;
    Ok(contents)
}

/// Returns who holds a lease; none when it does not say, even after a moment.
fn read(path: &Path) -> io::Result<Option<Holder>> {
    for _ in 0..LOOKS {
        if let Some(holder) = Holder::parse(&contents(path)?) {
            return Ok(Some(holder));
        }
        // Whoever makes it has not written it yet, which no event tells.
        std::thread::sleep(PAUSE);
    }
    Ok(None)
}

/// Removes the lease of `there`. It takes another name first, so that one that was taken over
/// meanwhile is not removed in its stead.
fn remove(path: &Path, there: Option<&Holder>, ours: &Holder) -> Result<(), LeaseError> {
    let aside = beside(path, STALE, ours);
    match fs::rename(path, &aside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed_to("move aside", path)(error)),
    }
    let moved = Holder::parse(&contents(&aside).map_err(failed_to("read", &aside))?);
    if moved.as_ref() == there {
        return fs::remove_file(&aside).map_err(failed_to("remove", &aside));
    }
    // Somebody was quicker, and has it, unless yet another has come meanwhile.
    match put_back(&aside, path, fs::hard_link(&aside, path)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed_to("give back", path)(error))
        }
        _ if fs::symlink_metadata(&aside).is_ok() => {
            fs::remove_file(&aside).map_err(failed_to("remove", &aside))
        }
        _ => Ok(()),
    }
}

/// Gives a lease the name again that was taken from it, if that is free. `linked` is what came of the
/// attempt to link it there.
fn put_back(aside: &Path, path: &Path, linked: io::Result<()>) -> io::Result<()> {
    match linked {
        Err(error) if cannot_link(&error) => rename_new(aside, path),
        linked => linked,
    }
}

fn failed_to(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LeaseError {
    move |source| LeaseError::Io { doing, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
