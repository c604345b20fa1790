//! A systemd of our own, with a manager for services of an ordinary user.
//!
//! It is the one of this machine, started as the first process of namespaces of its own, on a copy of
//! this machine of which only the changes are kept, in memory: its own processes, mounts, network and
//! cgroups. Nothing of it is seen outside, and nothing is left of it. Only root can do so.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::statfs::{CGROUP2_SUPER_MAGIC, statfs};
use nix::unistd::Uid;
use tempfile::TempDir;

use crate::processes;
use crate::running::Call;
use crate::wait::LIMIT;

/// The user of the services. Systemd counts smaller numbers, and some larger ones, as its own.
pub const USER: u32 = 4711;
/// The home directory of that user.
pub const HOME: &str = "/srv/torctest";
/// Where the binaries under test are.
const BIN: &str = "/opt/torc";
/// The programs that are started, and what they need.
const NEEDED: [&str; 8] = [
    "/lib/systemd/systemd",
    "/lib/systemd/system/user@.service",
    "/usr/bin/systemctl",
    "/usr/bin/dbus-daemon",
    "/usr/bin/unshare",
    "/usr/bin/nsenter",
    "/usr/bin/setpriv",
    "/usr/sbin/chroot",
];
/// Enters a cgroup and makes the namespaces. All dies with the thread that has started it.
const SCRIPT: &str = "echo 0 >\"$1/cgroup.procs\" && shift && exec setpriv --pdeathsig=KILL \
    unshare --pid --mount --cgroup --ipc --uts --net --fork --kill-child=KILL sh \"$@\"";
/// How long its last processes may take to be gone, which are killed already.
const LAST_BREATH: Duration = Duration::from_millis(10);

/// A systemd that runs. It is killed, with all that it has started, when this is dropped.
#[derive(Debug)]
pub struct Systemd {
    unshare: Child,
    init: u32,
    cgroup: PathBuf,
    said: File,
    _dir: TempDir,
}

impl Systemd {
    /// Starts one, with the binaries of this directory in the `PATH` of its user; none where that
    /// cannot be, which is said aloud.
    #[must_use]
    pub fn boot(bin: &Path) -> Option<Self> {
        let skipped = |why: &str| eprintln!("SKIPPED: no systemd of our own can be started: {why}");
        if !Uid::effective().is_root() {
            skipped("only root can");
            return None;
        }
        if let Some(missing) = NEEDED.iter().find(|path| !Path::new(path).exists()) {
            skipped(&format!("there is no {missing} (Debian: systemd, dbus-user-session)"));
            return None;
        }
        Self::start(bin).inspect_err(|why| skipped(why)).ok()
    }

    fn start(bin: &Path) -> Result<Self, String> {
        let words = |what: &str| {
            let what = what.to_owned();
            move |error: std::io::Error| format!("{what}: {error}")
        };
        let dir = TempDir::with_prefix_in("torc-systemd-", "/tmp")
            .map_err(words("no temporary directory"))?;
        let cgroup = new_cgroup(dir.path()).map_err(words("no cgroup"))?;
        let said = tempfile::tempfile().map_err(words("no temporary file"))?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh"]).arg(&cgroup);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/src/systemd/boot.sh"));
        command.args([dir.path(), bin]).arg(USER.to_string());
        command.stdin(Stdio::null());
        command.stdout(said.try_clone().map_err(words("stdout"))?);
        command.stderr(said.try_clone().map_err(words("stderr"))?);
        let unshare = command.spawn().map_err(words("sh"))?;
        let mut systemd = Self { unshare, init: 0, cgroup, said, _dir: dir };
        systemd.until_ready()?;
        Ok(systemd)
    }

    /// Waits until the manager of the user answers.
    fn until_ready(&mut self) -> Result<(), String> {
        let end = Instant::now() + LIMIT;
        while Instant::now() < end {
            if let Ok(Some(status)) = self.unshare.try_wait() {
                return Err(format!("it ended with {status}\n{}", self.log()));
            }
            self.init = processes::children(self.unshare.id()).first().copied().unwrap_or(0);
            let asked = || self.user("systemctl").args(["--user", "show"]).run();
            if self.init > 0 && asked().status.success() {
                return Ok(());
            }
            std::thread::sleep(LAST_BREATH);
        }
        Err(format!("the manager of the user does not answer\n{}", self.log()))
    }

    /// Returns a call of a program as the user.
    pub fn user(&self, program: &str) -> Call {
        let (uid, gid) = (format!("--reuid={USER}"), format!("--regid={USER}"));
        let home = format!("HOME={HOME}");
        let runtime = format!("XDG_RUNTIME_DIR=/run/user/{USER}");
        let path = format!("PATH={BIN}:/usr/bin:/bin");
        self.root("setpriv").args([&*uid, &*gid, "--clear-groups", "env", "-i", "-C", HOME]).args([
            home.as_str(),
            &runtime,
            &path,
            "USER=torctest",
            "SYSTEMD_PAGER=",
            program,
        ])
    }

    /// Returns a call of a program as root.
    pub fn root(&self, program: &str) -> Call {
        let target = format!("--target={}", self.init);
        Call::new(Path::new("nsenter"), Path::new("/"), &[]).args([
            target.as_str(),
            "--root",
            "--wd=/",
            "--pid",
            "--mount",
            "--cgroup",
            "--ipc",
            "--uts",
            "--net",
            program,
        ])
    }

    /// Returns the path by which we see a file of it.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    fn log(&mut self) -> String {
        let mut text = String::new();
        let read = self.said.seek(SeekFrom::Start(0));
        let _ = read.and_then(|_| self.said.read_to_string(&mut text));
        text
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        if std::thread::panicking() && self.init > 0 {
            let journal = self.root("journalctl").args(["--no-pager", "--lines=100"]).run();
            eprintln!("--- the journal\n{}\n--- systemd said\n{}\n---", journal.stdout, self.log());
        }
        // Its first process dies with it, and all others with that one.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
        let end = Instant::now() + LIMIT;
        while remove_cgroup(&self.cgroup).is_err() && Instant::now() < end {
            std::thread::sleep(LAST_BREATH);
        }
    }
}

/// Makes a cgroup of version 2 that nobody is in.
fn new_cgroup(dir: &Path) -> std::io::Result<PathBuf> {
    let is_second =
        |path: &&str| statfs(*path).is_ok_and(|stat| stat.filesystem_type() == CGROUP2_SUPER_MAGIC);
    let found = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().find(is_second);
    let found = found.ok_or(std::io::Error::other("none of version 2 is mounted"))?;
    let cgroup = Path::new(found).join(dir.file_name().unwrap_or_default());
    fs::create_dir(&cgroup)?;
    Ok(cgroup)
}

/// Removes a cgroup and those below it, when nobody is in them any more.
fn remove_cgroup(cgroup: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(cgroup)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_cgroup(&entry.path())?;
        }
    }
    fs::remove_dir(cgroup)
}
