//! The file system: each call passes the gate, and is then carried out in the backing directory.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, RenameFlags as Rename, renameat2};
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::statvfs::statvfs;
use nix::sys::time::TimeSpec;
use nix::unistd::linkat;

use crate::slow_disk::gate::{Gate, Kind};
use crate::slow_disk::nodes::{Nodes, Open};

/// Nothing is remembered by the kernel.
const NO_CACHE: Duration = Duration::ZERO;
const FIRST: Generation = Generation(0);

/// The file system.
#[derive(Debug)]
pub(super) struct Passthrough {
    nodes: Arc<Nodes>,
    gate: Arc<Gate>,
}

impl Passthrough {
    pub(super) fn new(backing: &Path, gate: Arc<Gate>) -> io::Result<Self> {
        Ok(Self { nodes: Arc::new(Nodes::new(backing)?), gate })
    }

    /// Carries out `call` when the gate lets it, and has `reply` tell what came of it.
    fn pass<T: 'static>(
        &self,
        kind: Kind,
        call: impl FnOnce(&Nodes) -> io::Result<T> + Send + 'static,
        reply: impl FnOnce(Result<T, Errno>) + Send + 'static,
    ) {
        let nodes = self.nodes.clone();
        self.gate.pass(kind, move |allowed| {
            reply(allowed.and_then(|()| call(&nodes).map_err(Errno::from)));
        });
    }
}

fn answer_entry(reply: ReplyEntry) -> impl FnOnce(Result<fuser::FileAttr, Errno>) + Send {
    move |outcome| match outcome {
        Ok(attributes) => reply.entry(&NO_CACHE, &attributes, FIRST),
        Err(error) => reply.error(error),
    }
}

fn answer_attr(reply: ReplyAttr) -> impl FnOnce(Result<fuser::FileAttr, Errno>) + Send {
    move |outcome| match outcome {
        Ok(attributes) => reply.attr(&NO_CACHE, &attributes),
        Err(error) => reply.error(error),
    }
}

fn answer_empty(reply: ReplyEmpty) -> impl FnOnce(Result<(), Errno>) + Send {
    move |outcome| match outcome {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn answer_data(reply: ReplyData) -> impl FnOnce(Result<Vec<u8>, Errno>) + Send {
    move |outcome| match outcome {
        Ok(bytes) => reply.data(&bytes),
        Err(error) => reply.error(error),
    }
}

fn answer_open(reply: ReplyOpen) -> impl FnOnce(Result<FileHandle, Errno>) + Send {
    move |outcome| match outcome {
        Ok(handle) => reply.opened(handle, FopenFlags::empty()),
        Err(error) => reply.error(error),
    }
}

/// Opens with the flags of the call, those aside that the kernel has dealt with.
fn open(path: &Path, flags: i32) -> io::Result<File> {
    let flags = OFlag::from_bits_truncate(flags);
    let access = flags & OFlag::O_ACCMODE;
    let rest = flags - (OFlag::O_ACCMODE | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW);
    OpenOptions::new()
        .read(access != OFlag::O_WRONLY)
        .write(access != OFlag::O_RDONLY)
        .custom_flags((rest - OFlag::O_APPEND).bits())
        .open(path)
}

fn to_time(when: TimeOrNow) -> TimeSpec {
    match when {
        TimeOrNow::Now => TimeSpec::UTIME_NOW,
        TimeOrNow::SpecificTime(time) => {
            TimeSpec::from_duration(time.duration_since(UNIX_EPOCH).unwrap_or_default())
        }
    }
}

/// What is to change about a file.
struct Change {
    mode: Option<u32>,
    owner: (Option<u32>, Option<u32>),
    size: Option<u64>,
    times: (Option<TimeOrNow>, Option<TimeOrNow>),
    handle: Option<FileHandle>,
}

impl Change {
    fn make(self, nodes: &Nodes, number: INodeNo) -> io::Result<()> {
        let place = nodes.place(number)?;
        let path = place.path();
        if let Some(mode) = self.mode {
            fs::set_permissions(&path, Permissions::from_mode(mode & 0o7777))?;
        }
        if self.owner != (None, None) {
            chown(&path, self.owner.0, self.owner.1)?;
        }
        if let Some(size) = self.size {
            match self.handle {
                Some(handle) => nodes.file(handle)?.set_len(size)?,
                None => OpenOptions::new().write(true).open(&path)?.set_len(size)?,
            }
        }
        if self.times.0.is_some() || self.times.1.is_some() {
            let [accessed, modified] =
                [self.times.0, self.times.1].map(|time| time.map_or(TimeSpec::UTIME_OMIT, to_time));
            let follow = UtimensatFlags::FollowSymlink;
            utimensat(AT_FDCWD, &path, &accessed, &modified, follow)?;
        }
        Ok(())
    }
}

impl Filesystem for Passthrough {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        self.pass(Kind::Look, move |nodes| nodes.look_up(parent, &name), answer_entry(reply));
    }

    fn forget(&self, _: &Request, number: INodeNo, lookups: u64) {
        self.nodes.forget(number, lookups);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        self.pass(Kind::Look, move |nodes| nodes.attributes(number), answer_attr(reply));
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        handle: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let times = (accessed, modified);
        let change = Change { mode, owner: (uid, gid), size, times, handle };
        let call = move |nodes: &Nodes| {
            change.make(nodes, number)?;
            nodes.attributes(number)
        };
        self.pass(Kind::Alter, call, answer_attr(reply));
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let call = move |nodes: &Nodes| {
            // An empty name beside the descriptor of a link means the link itself.
            let place = nodes.place(number)?;
            let target = nix::fcntl::readlinkat(place.descriptor(), "")?;
            Ok(target.into_encoded_bytes())
        };
        self.pass(Kind::Look, call, answer_data(reply));
    }

    fn mkdir(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let name = name.to_owned();
        let call = move |nodes: &Nodes| {
            DirBuilder::new().mode(mode).create(nodes.place(parent)?.child(&name))?;
            nodes.look_up(parent, &name)
        };
        self.pass(Kind::Create, call, answer_entry(reply));
    }

    fn symlink(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        target: &Path,
        reply: ReplyEntry,
    ) {
        let (name, target) = (name.to_owned(), target.to_owned());
        let call = move |nodes: &Nodes| {
            symlink(target, nodes.place(parent)?.child(&name))?;
            nodes.look_up(parent, &name)
        };
        self.pass(Kind::Create, call, answer_entry(reply));
    }

    fn link(&self, _: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_owned();
        let call = move |nodes: &Nodes| {
            let (file, dir) = (nodes.place(number)?, nodes.place(parent)?);
            let (from, to) = (file.path(), dir.child(&name));
            linkat(AT_FDCWD, &from, AT_FDCWD, &to, AtFlags::AT_SYMLINK_FOLLOW)?;
            nodes.look_up(parent, &name)
        };
        self.pass(Kind::Create, call, answer_entry(reply));
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        let call = move |nodes: &Nodes| fs::remove_file(nodes.place(parent)?.child(&name));
        self.pass(Kind::Alter, call, answer_empty(reply));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let name = name.to_owned();
        let call = move |nodes: &Nodes| fs::remove_dir(nodes.place(parent)?.child(&name));
        self.pass(Kind::Alter, call, answer_empty(reply));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let (name, new_name) = (name.to_owned(), new_name.to_owned());
        let call = move |nodes: &Nodes| {
            let (from, to) = (nodes.place(parent)?, nodes.place(new_parent)?);
            let flags = Rename::from_bits_truncate(flags.bits());
            let (from, to) = (from.child(&name), to.child(&new_name));
            Ok(renameat2(AT_FDCWD, &from, AT_FDCWD, &to, flags)?)
        };
        self.pass(Kind::Alter, call, answer_empty(reply));
    }

    fn open(&self, _: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let writes = OFlag::from_bits_truncate(flags.0).intersects(OFlag::O_ACCMODE);
        let kind = if writes { Kind::OpenToWrite } else { Kind::Open };
        let call = move |nodes: &Nodes| {
            let place = nodes.place(number)?;
            Ok(nodes.opened(Open::File(Arc::new(open(&place.path(), flags.0)?))))
        };
        self.pass(kind, call, answer_open(reply));
    }

    fn create(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        flags: i32,
        reply: ReplyCreate,
    ) {
        let name = name.to_owned();
        let call = move |nodes: &Nodes| {
            let path = nodes.place(parent)?.child(&name);
            let is_new = flags & OFlag::O_EXCL.bits() != 0;
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(!is_new).create_new(is_new).truncate(false);
            let file = options.mode(mode & 0o7777).open(path)?;
            Ok((nodes.look_up(parent, &name)?, nodes.opened(Open::File(Arc::new(file)))))
        };
        self.pass(Kind::Create, call, |outcome| match outcome {
            Ok((attributes, handle)) => {
                reply.created(&NO_CACHE, &attributes, FIRST, handle, FopenFlags::empty());
            }
            Err(error) => reply.error(error),
        });
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let call = move |nodes: &Nodes| {
            let file = nodes.file(handle)?;
            let mut bytes = vec![0; size as usize];
            let mut filled = 0;
            while filled < bytes.len() {
                match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                    0 => break,
                    length => filled += length,
                }
            }
            bytes.truncate(filled);
            Ok(bytes)
        };
        self.pass(Kind::Look, call, answer_data(reply));
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let data = data.to_owned();
        let call = move |nodes: &Nodes| {
            nodes.file(handle)?.write_all_at(&data, offset)?;
            Ok(data.len() as u32)
        };
        self.pass(Kind::Write, call, |outcome| match outcome {
            Ok(length) => reply.written(length),
            Err(error) => reply.error(error),
        });
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        self.pass(Kind::Close, |_| Ok(()), answer_empty(reply));
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        let call = move |nodes: &Nodes| {
            nodes.close(handle);
            Ok(())
        };
        self.pass(Kind::Close, call, answer_empty(reply));
    }

    fn fsync(&self, _: &Request, _: INodeNo, handle: FileHandle, _: bool, reply: ReplyEmpty) {
        let call = move |nodes: &Nodes| nodes.file(handle)?.sync_all();
        self.pass(Kind::Sync, call, answer_empty(reply));
    }

    fn opendir(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let call = move |nodes: &Nodes| Ok(nodes.opened(nodes.list(number)?));
        self.pass(Kind::Look, call, answer_open(reply));
    }

    fn readdir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        self.pass(
            Kind::Look,
            move |nodes| nodes.handle(handle),
            move |outcome| match outcome {
                Ok(Open::Dir(entries)) => {
                    for (place, (number, kind, name)) in
                        entries.iter().enumerate().skip(offset as usize)
                    {
                        if reply.add(*number, place as u64 + 1, *kind, name) {
                            break;
                        }
                    }
                    reply.ok();
                }
                Ok(Open::File(_)) => reply.error(Errno::ENOTDIR),
                Err(error) => reply.error(error),
            },
        );
    }

    fn releasedir(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        reply: ReplyEmpty,
    ) {
        let call = move |nodes: &Nodes| {
            nodes.close(handle);
            Ok(())
        };
        self.pass(Kind::Close, call, answer_empty(reply));
    }

    fn fsyncdir(&self, _: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let call = move |nodes: &Nodes| File::open(nodes.place(number)?.path())?.sync_all();
        self.pass(Kind::Sync, call, answer_empty(reply));
    }

    fn statfs(&self, _: &Request, number: INodeNo, reply: ReplyStatfs) {
        let gate = self.gate.clone();
        let call = move |nodes: &Nodes| {
            let all = statvfs(&nodes.place(number)?.path())?;
            let free = |blocks| if gate.is_full() { 0 } else { blocks };
            Ok((all, free(all.blocks_free()), free(all.blocks_available())))
        };
        self.pass(Kind::Look, call, |outcome| match outcome {
            Ok((all, free, available)) => reply.statfs(
                all.blocks(),
                free,
                available,
                all.files(),
                all.files_free(),
                all.block_size() as u32,
                all.name_max() as u32,
                all.fragment_size() as u32,
            ),
            Err(error) => reply.error(error),
        });
    }
}
