//! The files that the kernel knows by number, and those that are open.
//!
//! A file is held by a descriptor that opens nothing (`O_PATH`), not by its name: so it is found
//! after it was renamed, linked or removed, and its number is not given to another one before the
//! kernel has forgotten it.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileHandle, FileType, INodeNo};
use nix::fcntl::OFlag;

/// A file that stays findable as long as this lives.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<File>);

impl Place {
    fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
        let file = fs::OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// Returns a path that leads to it, whatever its name is.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }

    /// Returns the path of a name in it.
    pub(super) fn child(&self, name: &OsStr) -> PathBuf {
        self.path().join(name)
    }

    /// Returns the descriptor.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn metadata(&self) -> io::Result<Metadata> {
        self.0.metadata()
    }
}

#[derive(Debug)]
struct Node {
    place: Place,
    /// How often the kernel was told of it and has not forgotten it.
    lookups: u64,
}

/// Something that is open.
#[derive(Clone, Debug)]
pub(super) enum Open {
    /// A file.
    File(Arc<File>),
    /// A directory, as it was when it was opened.
    Dir(Arc<Vec<(INodeNo, FileType, std::ffi::OsString)>>),
}

/// All of them.
#[derive(Debug)]
pub(super) struct Nodes {
    known: Mutex<HashMap<u64, Node>>,
    open: Mutex<HashMap<u64, Open>>,
    next_handle: AtomicU64,
    root: Place,
    /// The number of the root in the backing file system.
    root_number: u64,
}

impl Nodes {
    pub(super) fn new(root: &Path) -> io::Result<Self> {
        let root = Place::at(root)?;
        let root_number = root.metadata()?.ino();
        Ok(Self {
            known: Mutex::default(),
            open: Mutex::default(),
            next_handle: AtomicU64::new(1),
            root,
            root_number,
        })
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u64, Node>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handles(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Finds a file by its number.
    pub(super) fn place(&self, number: INodeNo) -> io::Result<Place> {
        if number == INodeNo::ROOT {
            return Ok(self.root.clone());
        }
        let known = self.known();
        known.get(&number.0).map(|node| node.place.clone()).ok_or_else(stale)
    }

    /// Finds a file by its name, and counts that the kernel is told of it.
    pub(super) fn look_up(&self, parent: INodeNo, name: &OsStr) -> io::Result<FileAttr> {
        let place = Place::at(&self.place(parent)?.child(name))?;
        let attributes = self.attributes_of(&place)?;
        let mut known = self.known();
        let node = known.entry(attributes.ino.0).or_insert(Node { place, lookups: 0 });
        node.lookups += 1;
        Ok(attributes)
    }

    pub(super) fn forget(&self, number: INodeNo, lookups: u64) {
        let mut known = self.known();
        if let Some(node) = known.get_mut(&number.0) {
            node.lookups = node.lookups.saturating_sub(lookups);
            if node.lookups == 0 {
                known.remove(&number.0);
            }
        }
    }

    pub(super) fn attributes(&self, number: INodeNo) -> io::Result<FileAttr> {
        self.attributes_of(&self.place(number)?)
    }

    fn attributes_of(&self, place: &Place) -> io::Result<FileAttr> {
        let found = place.metadata()?;
        let kind = FileType::from_std(found.file_type()).ok_or_else(stale)?;
        Ok(FileAttr {
            ino: self.number(found.ino()),
            size: found.size(),
            blocks: found.blocks(),
            atime: time(found.atime(), found.atime_nsec()),
            mtime: time(found.mtime(), found.mtime_nsec()),
            ctime: time(found.ctime(), found.ctime_nsec()),
            crtime: UNIX_EPOCH,
            kind,
            perm: (found.mode() & 0o7777) as u16,
            nlink: found.nlink() as u32,
            uid: found.uid(),
            gid: found.gid(),
            rdev: found.rdev() as u32,
            blksize: found.blksize() as u32,
            flags: 0,
        })
    }

    /// Returns the number by which the kernel knows what has this one in the backing file system.
    fn number(&self, backing: u64) -> INodeNo {
        if backing == self.root_number { INodeNo::ROOT } else { INodeNo(backing) }
    }

    /// Reads the names in a directory.
    pub(super) fn list(&self, number: INodeNo) -> io::Result<Open> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.place(number)?.path())? {
            let entry = entry?;
            let kind = FileType::from_std(entry.file_type()?).ok_or_else(stale)?;
            let number = fs::symlink_metadata(entry.path())?.ino();
            entries.push((self.number(number), kind, entry.file_name()));
        }
        Ok(Open::Dir(Arc::new(entries)))
    }

    pub(super) fn opened(&self, what: Open) -> FileHandle {
        let handle = self.next_handle.fetch_add(1, Ordering::Relaxed);
        self.handles().insert(handle, what);
        FileHandle(handle)
    }

    pub(super) fn file(&self, handle: FileHandle) -> io::Result<Arc<File>> {
        match self.handles().get(&handle.0) {
            Some(Open::File(file)) => Ok(file.clone()),
            _ => Err(stale()),
        }
    }

    pub(super) fn handle(&self, handle: FileHandle) -> io::Result<Open> {
        self.handles().get(&handle.0).cloned().ok_or_else(stale)
    }

    pub(super) fn close(&self, handle: FileHandle) {
        self.handles().remove(&handle.0);
    }
}

fn stale() -> io::Error {
    nix::errno::Errno::ESTALE.into()
}

fn time(seconds: i64, nanoseconds: i64) -> SystemTime {
    let (seconds, nanoseconds) = (seconds.max(0).unsigned_abs(), nanoseconds.max(0) as u32);
    UNIX_EPOCH + Duration::new(seconds, nanoseconds)
}
