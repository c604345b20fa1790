//! A disk of our own that can be slow, frozen, full or broken, in an instant and back.
//!
//! A FUSE file system in this process that passes everything through to a directory beside it. What
//! holds:
//! - A frozen disk answers nobody. Whoever asks hangs in the kernel, where no signal reaches, as on a
//!   file server that is gone; the calls are carried out when it is thawed.
//! - A test looks at [`SlowDisk::backing`], never at [`SlowDisk::dir`]: it would hang as well, and
//!   if it mapped a file of it into memory, even without a freeze.
//! - Dropping it thaws and unmounts it, also when the test has failed and files are open in it.
//! - Nothing is cached from one call to the next, so that every look at it is a call.

mod gate;
mod nodes;
mod passthrough;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption};
use nix::mount::{MntFlags, umount2};
use tempfile::TempDir;

use crate::slow_disk::gate::Gate;
use crate::slow_disk::passthrough::Passthrough;

pub use crate::slow_disk::gate::{Fault, Slow};

/// The name by which its mounts are known.
const NAME: &str = "torc-slow-disk";

/// A mounted disk.
#[derive(Debug)]
pub struct SlowDisk {
    gate: Arc<Gate>,
    dir: PathBuf,
    backing: PathBuf,
    /// Serves it until it is unmounted.
    _session: BackgroundSession,
    /// Removed last.
    _root: TempDir,
}

impl SlowDisk {
    /// Mounts one that is neither slow nor broken; none where that cannot be had, which is said
    /// aloud.
    #[must_use]
    pub fn mount() -> Option<Self> {
        match Self::try_mount() {
            Ok(disk) => Some(disk),
            Err(error) => {
                eprintln!("SKIPPED: a FUSE file system cannot be mounted here: {error}");
                None
            }
        }
    }

    fn try_mount() -> io::Result<Self> {
        unmount_orphans();
        // `fuser` would look for a program to mount for us, which says less.
        fs::File::options().read(true).write(true).open("/dev/fuse")?;
        let root = tempfile::Builder::new().prefix("torc-disk-").tempdir_in("/tmp")?;
        let (dir, backing) = (root.path().join("disk"), root.path().join("backing"));
        fs::create_dir(&dir)?;
        fs::create_dir(&backing)?;
        let gate = Arc::new(Gate::default());
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName(NAME.to_owned())];
        let files = Passthrough::new(&backing, gate.clone())?;
        let session = fuser::spawn_mount(files, &dir, &config)?;
        Ok(Self { gate, dir, backing, _session: session, _root: root })
    }

    /// Returns where it is mounted, for those under test.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns a path on it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Returns the directory that has its files, which always answers.
    #[must_use]
    pub fn backing(&self) -> &Path {
        &self.backing
    }

    /// Answers nobody from now on.
    pub fn freeze(&self) {
        self.gate.freeze();
    }

    /// Waits until somebody hangs in it.
    ///
    /// # Panics
    ///
    /// When nobody does for [`crate::wait::LIMIT`].
    #[track_caller]
    pub fn wait_for_a_victim(&self) {
        assert!(self.gate.wait_for_a_victim(), "nobody asks anything of the frozen disk");
    }

    /// Carries out what was asked meanwhile, and answers again.
    pub fn thaw(&self) {
        self.gate.thaw();
    }

    /// Takes so long for each call of a kind from now on.
    pub fn slow_down(&self, what: Slow, by: Duration) {
        self.gate.slow_down(what, by);
    }

    /// Breaks it, or mends it.
    pub fn fault(&self, fault: Option<Fault>) {
        self.gate.fault(fault);
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        self.fault(None);
        self.thaw();
        // Whoever still has a file open in it gets errors from now on, and hangs no longer.
        let _ = umount2(&self.dir, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH);
    }
}

/// Unmounts what test processes have left that were killed. Nobody can use it any more.
fn unmount_orphans() {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let ours = mounts.lines().filter_map(|line| line.strip_prefix(NAME)?.split(' ').nth(1));
    for dir in ours {
        let is_dead = fs::metadata(dir)
            .is_err_and(|error| error.raw_os_error() == Some(nix::errno::Errno::ENOTCONN as i32));
        if is_dead && umount2(dir, MntFlags::MNT_DETACH).is_ok() {
            let _ = Path::new(dir).parent().map(fs::remove_dir_all);
        }
    }
}

#[cfg(test)]
mod tests;
