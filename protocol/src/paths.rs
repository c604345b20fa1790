//! Where things are: sockets, private directories, settings, the default database.
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
use nix::sys::stat::{Mode, fstat, lstat};
use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use nix::unistd::{Uid, mkdir};
use thiserror::Error;

/// The environment variable that names the socket.
pub const SOCKET_VARIABLE: &str = "TORC_SOCKET";
/// The default output directory of `exec` and `run`.
pub const OUTPUT_DIR: &str = "torc_output";
/// The name of the database in it.
pub const DATABASE_NAME: &str = "torc.db";
/// The name of a file of settings.
pub const CONFIG_NAME: &str = "torc.toml";
/// The environment variable that names another file in the place of `/etc/torc/torc.toml`.
pub const SYSTEM_CONFIG_VARIABLE: &str = "TORC_SYSTEM_CONFIG";
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

/// Returns the socket of the user's service: the one that is `set`, else [`SERVICE_SOCKET`] in the
/// runtime directory.
///
/// # Errors
///
/// When the path is too long, or there is no runtime directory that can be trusted.
pub fn service_socket(set: Option<&Path>) -> Result<PathBuf, PathError> {
    let path = match set {
        Some(path) => path.to_owned(),
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

/// Returns the user that this process acts as.
#[must_use]
pub fn own_uid() -> u32 {
    Uid::effective().as_raw()
}

/// Returns the directory for sockets and locks, which is local, ours alone, and exists. Nobody but
/// root can put another in its place.
///
/// The first that will do of `$XDG_RUNTIME_DIR/torc`, `/run/user/UID/torc`, `$SLURM_TMPDIR/torc-UID`,
/// `$TMPDIR/torc-UID`, and `/tmp/torc-UID`.
///
/// # Errors
///
/// When even `/tmp/torc-UID` will not do.
pub fn runtime_dir() -> Result<PathBuf, PathError> {
    let uid = Uid::effective();
    for base in [env_dir("XDG_RUNTIME_DIR"), Some(login_dir())].into_iter().flatten() {
        if check_private(&base).is_ok() && is_local(&base) && is_guarded(&base) {
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
            && is_guarded(&base)
            && dir.as_os_str().len() + "/exec-4194304.sock".len() <= MAX_SOCKET_PATH
            && make_private(&dir).is_ok()
        {
            return Ok(dir);
        }
    }
    let base = Path::new("/tmp");
    if !is_guarded(base) {
        let reason = "others can replace what is in it".to_owned();
        return Err(PathError::NotPrivate { path: base.to_owned(), reason });
    }
    let dir = base.join(name);
    make_private(&dir)?;
    Ok(dir)
}

/// Returns whether nobody but root and us can put something else in the place of what we make in
/// `dir`: of all directories on the way to it none belongs to somebody else, and those that others
/// can write to have the sticky bit.
#[must_use]
pub fn is_guarded(dir: &Path) -> bool {
    let is_safe = |dir: &Path| {
        lstat(dir).is_ok_and(|stat| {
            is_trusted_owner(stat.st_uid)
                && (stat.st_mode & 0o022 == 0 || stat.st_mode & 0o1000 != 0)
        })
    };
    // Without symbolic links, whose own directories would count too.
    std::fs::canonicalize(dir).is_ok_and(|dir| dir.ancestors().all(is_safe))
}

/// Returns whether what belongs to this user is ours or the system's.
#[must_use]
pub fn is_trusted_owner(uid: u32) -> bool {
    uid == own_uid() || uid == 0 || Some(uid) == outer_root()
}

/// Returns as whom a container shows the root of its host, when that has no number in it.
fn outer_root() -> Option<u32> {
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    let mut words = map.split_ascii_whitespace();
    let is_host = words.next() == Some("0") && words.next() == Some("0");
    if is_host {
        return None;
    }
    std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?.trim().parse().ok()
}

/// Returns the directory in memory for databases, ours alone; none where no tmpfs can be trusted.
#[must_use]
pub fn memory_dir() -> Option<PathBuf> {
    memory_dirs().into_iter().next()
}

/// Returns every directory in memory for databases, ours alone, in the order in which they are used.
#[must_use]
pub fn memory_dirs() -> Vec<PathBuf> {
    let shared = Path::new("/dev/shm");
    let ours = is_tmpfs(shared).then(|| shared.join(format!("torc-{}", Uid::effective())));
    let runtime = runtime_dir().ok().filter(|dir| is_tmpfs(dir)).map(|dir| dir.join("memory"));
    ours.into_iter().chain(runtime).filter(|dir| make_private(dir).is_ok()).collect()
}

/// Returns the database of the user's service, in the user's data directory.
#[must_use]
pub fn service_database() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "torc")?;
    Some(dirs.data_dir().join(DATABASE_NAME))
}

/// Returns the file of settings for every user of this host.
#[must_use]
pub fn system_config() -> PathBuf {
    env_dir(SYSTEM_CONFIG_VARIABLE).unwrap_or_else(|| Path::new("/etc/torc").join(CONFIG_NAME))
}

/// Returns the file of settings of this user, in the user's configuration directory; none without a
/// home directory.
#[must_use]
pub fn user_config() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "torc")?;
    Some(dirs.config_dir().join(CONFIG_NAME))
}

/// Returns the home directory.
#[must_use]
pub fn home_dir() -> Option<PathBuf> {
    directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned())
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

/// Returns where the user's own units for systemd are; none without a home directory.
#[must_use]
pub fn unit_dir() -> Option<PathBuf> {
    Some(directories::BaseDirs::new()?.config_dir().join("systemd/user"))
}

/// Returns the directory that a login makes for this user where there is systemd, whether it is
/// there or not: what `$XDG_RUNTIME_DIR` names after a login, but not after `su`.
#[must_use]
pub fn login_dir() -> PathBuf {
    PathBuf::from(format!("/run/user/{}", Uid::effective()))
}

/// Makes `dir` with mode 0700 unless it is there, and checks that it is ours alone.
///
/// # Errors
///
/// [`PathError::NotPrivate`] when it belongs to somebody else, others may enter it, or it is a
/// symbolic link; [`PathError::Io`] when it cannot be made.
pub fn make_private(dir: &Path) -> Result<(), PathError> {
    match mkdir(dir, Mode::S_IRWXU) {
        Ok(()) | Err(Errno::EEXIST) => check_private(dir),
        Err(errno) => Err(PathError::io(dir, errno)),
    }
}

/// Checks that `dir` is there and ours alone.
///
/// # Errors
///
/// As [`make_private`].
pub fn check_private(dir: &Path) -> Result<(), PathError> {
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

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    #[test]
    fn a_directory_is_guarded_when_nobody_else_can_replace_what_is_on_the_way_to_it() {
        let root = tempfile::tempdir_in("/tmp").unwrap();
        let base = root.path().join("base");
        let dir = base.join("dir");
        fs::create_dir_all(&dir).unwrap();
        let is_guarded_with = |mode: u32| {
            fs::set_permissions(&base, Permissions::from_mode(mode)).unwrap();
            is_guarded(&dir)
        };
        for (mode, expected) in
            [(0o755, true), (0o775, false), (0o757, false), (0o1777, true), (0o700, true)]
        {
            assert_eq!(is_guarded_with(mode), expected, "{mode:o}");
        }
        let link = root.path().join("link");
        symlink(&dir, &link).unwrap();
        assert!(is_guarded(&link));
        is_guarded_with(0o777);
        assert!(!is_guarded(&link), "what it leads to counts");
        is_guarded_with(0o700);
        assert!(!is_guarded(&root.path().join("missing")));
        if own_uid() == 0 {
            chown(&base, Some(65_534), None).unwrap();
            assert!(!is_guarded(&dir), "its owner can replace what is in it");
        } else {
            eprintln!("SKIPPED: only root can give a directory to another user");
        }
    }
}
