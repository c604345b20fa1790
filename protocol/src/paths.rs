//! Where things are: sockets, private directories, the default database.
//!
//! The only module that names directories. Everything in a directory that others can write to is
//! checked through a descriptor: owner, mode, and that it is no symbolic link.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use nix::unistd::{Uid, mkdir};
use thiserror::Error;

/// The environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "TORC_SOCKET";
/// The default output directory of `exec` and `run`.
pub const OUTPUT_DIR: &str = "torc_output";
/// The name of the database in it.
pub const DATABASE_NAME: &str = "torc.db";
/// The name of the socket of the user's service.
pub const SERVICE_SOCKET: &str = "torcd.sock";
/// The longest path of a socket in bytes (`sun_path` less its NUL).
pub const MAX_SOCKET_PATH: usize = 107;

const LUSTRE_MAGIC: FsType = FsType(0x0BD0_0BD0);
const GPFS_MAGIC: FsType = FsType(0x4750_4653);
const CEPH_MAGIC: FsType = FsType(0x00C3_6400);
const BEEGFS_MAGIC: FsType = FsType(0x1983_0326);
const SMB2_MAGIC: FsType = FsType(0xFE53_4D42);
const AFS_MAGIC: FsType = FsType(0x5346_414F);
const FUSE_MAGIC: FsType = FsType(0x6573_5546);

/// Why a place cannot be used.
#[derive(Debug, Error)]
pub enum PathError {
    /// A socket path that the kernel cannot take.
    #[error("the socket path is {length} bytes long, the limit is {MAX_SOCKET_PATH}: {path}")]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
    },
    /// A directory that somebody else owns or can write to, or that is a symbolic link.
    #[error("{path} is not a private directory of ours: {reason}")]
    NotPrivate {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory that cannot be made or looked at.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
}

impl PathError {
    fn io(path: &Path, errno: Errno) -> Self {
        Self::Io { path: path.to_owned(), source: errno.into() }
    }
}

/// Returns the socket of the user's service: `explicit`, else `$TORC_SOCKET`, else
/// [`SERVICE_SOCKET`] in the runtime directory.
///
/// # Errors
///
/// When the path is too long, or there is no runtime directory that can be trusted.
pub fn service_socket(explicit: Option<&Path>) -> Result<PathBuf, PathError> {
    let named = explicit.map(Path::to_owned).or_else(|| {
        env::var_os(SOCKET_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
    });
    let path = match named {
        Some(path) => path,
        None => runtime_dir()?.join(SERVICE_SOCKET),
    };
    check_socket_path(&path)?;
    Ok(path)
}

/// Returns the socket for a private daemon that process `pid` starts.
///
/// # Errors
///
/// As [`service_socket`].
pub fn private_socket(pid: u32) -> Result<PathBuf, PathError> {
    let path = runtime_dir()?.join(format!("exec-{pid}.sock"));
    check_socket_path(&path)?;
    Ok(path)
}

/// Checks that the kernel can take `path` as the address of a socket.
///
/// # Errors
///
/// [`PathError::TooLong`].
pub fn check_socket_path(path: &Path) -> Result<(), PathError> {
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(PathError::TooLong { path: path.to_owned(), length });
    }
    Ok(())
}

/// Returns the directory for sockets and locks, which is local, ours alone, and exists.
///
/// The first that will do of `$XDG_RUNTIME_DIR/torc`, `/run/user/UID/torc`, `$SLURM_TMPDIR/torc-UID`,
/// `$TMPDIR/torc-UID`, and `/tmp/torc-UID`.
///
/// # Errors
///
/// When even `/tmp/torc-UID` will not do.
pub fn runtime_dir() -> Result<PathBuf, PathError> {
    let uid = Uid::effective();
    let user = PathBuf::from(format!("/run/user/{uid}"));
    for base in [env_dir("XDG_RUNTIME_DIR"), Some(user)].into_iter().flatten() {
        if is_private(&base).is_ok() && is_local(&base) {
            let dir = base.join("torc");
            if make_private(&dir).is_ok() {
                return Ok(dir);
            }
        }
    }
    let name = format!("torc-{uid}");
    for base in [env_dir("SLURM_TMPDIR"), env_dir("TMPDIR")].into_iter().flatten() {
        let dir = base.join(&name);
        if is_local(&base)
            && dir.as_os_str().len() + "/exec-4194304.sock".len() <= MAX_SOCKET_PATH
            && make_private(&dir).is_ok()
        {
            return Ok(dir);
        }
    }
    let dir = Path::new("/tmp").join(name);
    make_private(&dir)?;
    Ok(dir)
}

/// Returns the directory in memory for databases, ours alone; none where no tmpfs can be trusted.
#[must_use]
pub fn memory_dir() -> Option<PathBuf> {
    let dir = Path::new("/dev/shm").join(format!("torc-{}", Uid::effective()));
    if is_tmpfs(Path::new("/dev/shm")) && make_private(&dir).is_ok() {
        return Some(dir);
    }
    let dir = runtime_dir().ok()?.join("memory");
    (is_tmpfs(dir.parent()?) && make_private(&dir).is_ok()).then_some(dir)
}

/// Returns the database of the user's service, in the user's data directory.
#[must_use]
pub fn service_database() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "torc")?;
    Some(dirs.data_dir().join(DATABASE_NAME))
}

/// Returns the log of the user's service, in a directory that exists: the user's state directory, or
/// the runtime directory where that one is shared between hosts or cannot be made.
///
/// # Errors
///
/// As [`runtime_dir`].
pub fn service_log() -> Result<PathBuf, PathError> {
    let state = directories::ProjectDirs::from("", "", "torc")
        .and_then(|dirs| dirs.state_dir().map(Path::to_owned))
        .filter(|dir| std::fs::create_dir_all(dir).is_ok() && is_local(dir));
    let dir = match state {
        Some(dir) => dir,
        None => runtime_dir()?,
    };
    Ok(dir.join("torcd.log"))
}

/// Makes `dir` with mode 0700 unless it is there, and checks that it is ours alone.
///
/// # Errors
///
/// [`PathError::NotPrivate`] when it belongs to somebody else, others may enter it, or it is a
/// symbolic link; [`PathError::Io`] when it cannot be made.
pub fn make_private(dir: &Path) -> Result<(), PathError> {
    match mkdir(dir, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => is_private(dir),
        Err(errno) => Err(PathError::io(dir, errno)),
    }
}

fn is_private(dir: &Path) -> Result<(), PathError> {
    let not_private = |reason: String| PathError::NotPrivate { path: dir.to_owned(), reason };
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let opened = match open(dir, flags, Mode::empty()) {
        Ok(opened) => opened,
        Err(Errno::ELOOP | Errno::ENOTDIR) => {
            return Err(not_private("it is not a directory".to_owned()));
        }
        Err(errno) => return Err(PathError::io(dir, errno)),
    };
    let stat = fstat(opened.as_fd()).map_err(|errno| PathError::io(dir, errno))?;
    let ours = Uid::effective().as_raw();
    if stat.st_uid != ours {
        return Err(not_private(format!("it belongs to uid {}, we are {ours}", stat.st_uid)));
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(not_private(format!("its mode is {:04o}, not 0700", stat.st_mode & 0o7777)));
    }
    Ok(())
}

/// Returns whether `path` is on a file system of this host alone. Unknown ones count as local.
#[must_use]
pub fn is_local(path: &Path) -> bool {
    const SHARED: &[FsType] = &[
        NFS_SUPER_MAGIC,
        LUSTRE_MAGIC,
        GPFS_MAGIC,
        CEPH_MAGIC,
        BEEGFS_MAGIC,
        SMB2_MAGIC,
        AFS_MAGIC,
        FUSE_MAGIC,
    ];
    statfs(path).is_ok_and(|stat| !SHARED.contains(&stat.filesystem_type()))
}

/// Returns whether `path` is in memory.
#[must_use]
pub fn is_tmpfs(path: &Path) -> bool {
    statfs(path).is_ok_and(|stat| stat.filesystem_type() == TMPFS_MAGIC)
}

fn env_dir(variable: &str) -> Option<PathBuf> {
    let value = env::var_os(variable)?;
    let usable = |value: &OsStr| value.as_bytes().starts_with(b"/");
    usable(&value).then(|| PathBuf::from(value))
}
