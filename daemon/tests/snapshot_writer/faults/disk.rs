//! A disk that asks a hook before every call, and tells it afterwards.

use std::cell::RefCell;
use std::fmt::Debug;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use torcd::snapshot_writer::disk::{Disk, RealDisk};
use torcd::store::verify::{Header, Identity, VerifyError};

/// No file system has to take or give more at once, and this one does not, so that a small image has
/// many points to fail at.
const PIECE: usize = 8 * 1024;

const EOPNOTSUPP: i32 = 95;

/// What can be asked of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Op {
    LookAtDir,
    MakeDir,
    FreeBytes,
    List,
    Look,
    Create,
    Write,
    Sync,
    Close,
    Open,
    ForgetCached,
    Read,
    Link,
    Rename,
    Remove,
    SyncDir,
    Identify,
    Peek,
    Verify,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) op: Op,
    pub(super) path: PathBuf,
    /// The new name, for those that give one.
    pub(super) name: Option<PathBuf>,
}

impl Call {
    fn new(op: Op, path: &Path) -> Self {
        Self { op, path: path.to_owned(), name: None }
    }

    fn named(op: Op, path: &Path, name: &Path) -> Self {
        Self { op, path: path.to_owned(), name: Some(name.to_owned()) }
    }
}

/// What a disk does about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// What it should.
    Do,
    /// Nothing, and says so.
    Fail(i32),
    /// Half of it: writes, and reads.
    Half,
    /// Nothing, and says that it did: writes, syncs and removals.
    Lie,
    /// It, with one bit changed: writes.
    Flip,
    /// It, with another file: opening and verifying.
    Instead(PathBuf),
    /// A rename in the place of a link.
    Rename,
}

/// Decides what a disk does.
pub(super) trait Hook: Debug {
    fn before(&self, _call: &Call) -> Answer {
        Answer::Do
    }

    /// It was done; a write with these bytes.
    fn after(&self, _call: &Call, _written: &[u8]) {}
}

/// A disk with a hook.
#[derive(Debug)]
pub(super) struct Hooked<H> {
    pub(super) hook: H,
    /// Whether it has hard links.
    pub(super) links: bool,
}

impl<H: Hook> Hooked<H> {
    fn ask<T>(
        &self,
        call: Call,
        f: impl FnOnce() -> io::Result<T>,
        lie: impl FnOnce() -> T,
    ) -> io::Result<T> {
        match self.hook.before(&call) {
            Answer::Do => {
                let value = f()?;
                self.hook.after(&call, &[]);
                Ok(value)
            }
            Answer::Fail(errno) => Err(io::Error::from_raw_os_error(errno)),
            Answer::Lie => Ok(lie()),
            other => panic!("{other:?} is no answer to {call:?}"),
        }
    }

    /// For calls that must be answered with the truth, or not at all.
    fn honest<T>(&self, call: Call, f: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.ask(call, f, || panic!("there is no lie for this"))
    }

    fn instead<T>(
        &self,
        op: Op,
        path: &Path,
        f: impl FnOnce(&Path) -> Result<T, VerifyError>,
    ) -> Result<T, VerifyError> {
        match self.hook.before(&Call::new(op, path)) {
            Answer::Do => f(path),
            Answer::Instead(other) => f(&other),
            Answer::Fail(errno) => Err(io::Error::from_raw_os_error(errno).into()),
            other => panic!("{other:?} is no answer to {op:?}"),
        }
    }
}

impl<H: Hook> Disk for Hooked<H> {
    fn look_at_dir(&self, dir: &Path) -> io::Result<Metadata> {
        self.honest(Call::new(Op::LookAtDir, dir), || RealDisk.look_at_dir(dir))
    }

    fn make_dir(&self, dir: &Path) -> io::Result<()> {
        self.honest(Call::new(Op::MakeDir, dir), || RealDisk.make_dir(dir))
    }

    fn free_bytes(&self, dir: &Path) -> Option<u64> {
        let free = self.honest(Call::new(Op::FreeBytes, dir), || Ok(RealDisk.free_bytes(dir)));
        free.ok().flatten()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.honest(Call::new(Op::List, dir), || RealDisk.list(dir))
    }

    fn look(&self, path: &Path) -> io::Result<Metadata> {
        self.honest(Call::new(Op::Look, path), || RealDisk.look(path))
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        self.honest(Call::new(Op::Create, path), || RealDisk.create(path))
    }

    fn write(&self, file: &File, path: &Path, block: &[u8]) -> io::Result<usize> {
        let call = Call::new(Op::Write, path);
        let mut piece = block[..block.len().min(PIECE)].to_vec();
        match self.hook.before(&call) {
            Answer::Do => {}
            Answer::Fail(errno) => return Err(io::Error::from_raw_os_error(errno)),
            Answer::Half => piece.truncate(piece.len() / 2),
            Answer::Lie => return Ok(0),
            Answer::Flip => piece[0] ^= 1,
            other => panic!("{other:?} is no answer to {call:?}"),
        }
        let written = RealDisk.write(file, path, &piece)?;
        self.hook.after(&call, &piece[..written]);
        Ok(written)
    }

    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.ask(Call::new(Op::Sync, path), || RealDisk.sync(file, path), || ())
    }

    fn close(&self, file: File, path: &Path) -> io::Result<()> {
        // When it fails, the file is closed all the same: by being dropped.
        self.honest(Call::new(Op::Close, path), || RealDisk.close(file, path))
    }

    fn open(&self, path: &Path) -> io::Result<File> {
        let opened = self.instead(Op::Open, path, |path| Ok(RealDisk.open(path)?));
        opened.map_err(|found| match found {
            VerifyError::Io(error) => error,
            other => panic!("{other}"),
        })
    }

    fn forget_cached(&self, file: &File, path: &Path) -> io::Result<()> {
        let call = Call::new(Op::ForgetCached, path);
        self.honest(call, || RealDisk.forget_cached(file, path))
    }

    fn read(&self, file: &File, path: &Path, block: &mut [u8]) -> io::Result<usize> {
        let piece = block.len().min(PIECE);
        let piece = match self.hook.before(&Call::new(Op::Read, path)) {
            Answer::Do => piece,
            Answer::Half => piece / 2,
            Answer::Fail(errno) => return Err(io::Error::from_raw_os_error(errno)),
            other => panic!("{other:?} is no answer to a read"),
        };
        RealDisk.read(file, path, &mut block[..piece])
    }

    fn link(&self, path: &Path, name: &Path) -> io::Result<()> {
        let call = Call::named(Op::Link, path, name);
        match self.hook.before(&call) {
            Answer::Do if !self.links => Err(io::Error::from_raw_os_error(EOPNOTSUPP)),
            Answer::Do => {
                RealDisk.link(path, name)?;
                self.hook.after(&call, &[]);
                Ok(())
            }
            Answer::Rename => {
                RealDisk.rename(path, name)?;
                self.hook.after(&Call::named(Op::Rename, path, name), &[]);
                Ok(())
            }
            Answer::Fail(errno) => Err(io::Error::from_raw_os_error(errno)),
            other => panic!("{other:?} is no answer to {call:?}"),
        }
    }

    fn rename(&self, path: &Path, name: &Path) -> io::Result<()> {
        self.honest(Call::named(Op::Rename, path, name), || RealDisk.rename(path, name))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.honest(Call::new(Op::Remove, path), || RealDisk.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.ask(Call::new(Op::SyncDir, dir), || RealDisk.sync_dir(dir), || ())
    }

    fn identify(&self, path: &Path) -> Result<Header, VerifyError> {
        self.instead(Op::Identify, path, |path| RealDisk.identify(path))
    }

    fn peek(&self, path: &Path) -> Result<Identity, VerifyError> {
        self.instead(Op::Peek, path, |path| RealDisk.peek(path))
    }

    fn verify(&self, path: &Path) -> Result<Identity, VerifyError> {
        self.instead(Op::Verify, path, |path| RealDisk.verify(path))
    }
}

/// Remembers what was called, and does it.
#[derive(Debug, Default)]
pub(super) struct Log(pub(super) RefCell<Vec<Call>>);

impl Hook for Log {
    fn before(&self, call: &Call) -> Answer {
        self.0.borrow_mut().push(call.clone());
        Answer::Do
    }
}

/// Answers by a function.
pub(super) struct Answering<F>(pub(super) F);

impl<F> Debug for Answering<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answering")
    }
}

impl<F: Fn(&Call) -> Answer> Hook for Answering<F> {
    fn before(&self, call: &Call) -> Answer {
        (self.0)(call)
    }
}
