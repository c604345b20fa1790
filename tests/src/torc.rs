//! A home of its own for a test.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::database::Database;
use crate::processes::{self, Process};
use crate::running::Call;
use crate::wait::wait_until;

/// The binaries under test, as cargo has built them.
#[derive(Clone, Copy, Debug)]
pub struct Binaries {
    /// torcd.
    pub torcd: &'static str,
    /// torcctl.
    pub torcctl: &'static str,
}

/// Where torc runs for one test: its own home, runtime, temporary and working directory.
///
/// Everything is below a short path, because that of a socket is limited. Dropping it checks that
/// no process is left.
#[derive(Debug)]
pub struct Torc {
    dir: TempDir,
    bin: &'static Path,
}

impl Torc {
    /// Makes the directories.
    #[track_caller]
    pub fn new(binaries: Binaries) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("torc-")
            .tempdir_in("/tmp")
            .expect("a temporary directory can be made");
        for name in ["home", "run", "tmp", "work"] {
            DirBuilder::new()
                .mode(0o700)
                .create(dir.path().join(name))
                .expect("a directory can be made");
        }
        Self { dir, bin: side_by_side(binaries) }
    }

    /// Returns a call of torcctl with these arguments.
    pub fn args<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        self.call("torcctl").args(args.into_iter().map(|arg| arg.as_ref().to_owned()))
    }

    /// Returns a call of torcctl without arguments.
    pub fn torcctl(&self) -> Call {
        self.call("torcctl")
    }

    /// Returns a call of torcd with these arguments, for one that is expected to end.
    pub fn torcd<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Call {
        self.call("torcd").args(args.into_iter().map(|arg| arg.as_ref().to_owned()))
    }

    /// Returns a call of another program in this home.
    pub fn program(&self, path: &Path) -> Call {
        Call::new(path, &self.work(), &self.environment())
    }

    /// Starts a torcd with these arguments, and waits until it is ready.
    #[track_caller]
    pub fn daemon<S: AsRef<str>>(&self, args: impl IntoIterator<Item = S>) -> Daemon {
        self.start(Command::new(self.bin.join("torcd")), args)
    }

    /// Does as [`Self::daemon`], with this directory in the place of `/dev/shm`. Only root may do so.
    #[track_caller]
    pub fn daemon_in<S: AsRef<str>>(
        &self,
        memory: &Path,
        args: impl IntoIterator<Item = S>,
    ) -> Daemon {
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$0\" /dev/shm && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script]).arg(memory).arg(self.bin.join("torcd"));
        self.start(command, args)
    }

    #[track_caller]
    fn start<S: AsRef<str>>(
        &self,
        mut command: Command,
        args: impl IntoIterator<Item = S>,
    ) -> Daemon {
        command.args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self.settle(&mut command);
        Daemon::start(command, Stdio::piped())
    }

    /// Starts a torcd by way of a shell: `script` has it as `$0` and these arguments as `$@`. Waits
    /// until it is ready.
    #[track_caller]
    pub fn daemon_by<S: AsRef<str>>(
        &self,
        script: &str,
        stdin: Stdio,
        environment: &[(&str, OsString)],
        args: impl IntoIterator<Item = S>,
    ) -> Daemon {
        let mut command = Command::new("sh");
        command.args(["-c", script]).arg(self.torcd_path());
        command.args(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self.settle(&mut command);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        Daemon::start(command, stdin)
    }

    /// Starts a torcd that takes SIGHUP as a service does, also where the tests have a terminal.
    /// Waits until it is ready.
    #[track_caller]
    pub fn service<S: AsRef<str>>(
        &self,
        environment: &[(&str, OsString)],
        args: impl IntoIterator<Item = S>,
    ) -> Daemon {
        self.daemon_by("trap '' HUP; exec \"$0\" \"$@\"", Stdio::piped(), environment, args)
    }

    /// Lets a program see this home and nothing else.
    pub fn settle(&self, command: &mut Command) {
        command.current_dir(self.work()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.environment());
    }

    /// Returns where torcd is, for scripts.
    #[must_use]
    pub fn torcd_path(&self) -> PathBuf {
        self.bin.join("torcd")
    }

    /// Returns where torcctl is, for scripts.
    #[must_use]
    pub fn torcctl_path(&self) -> PathBuf {
        self.bin.join("torcctl")
    }

    /// Returns the working directory.
    #[must_use]
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Returns the home directory.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Returns the directory of sockets.
    #[must_use]
    pub fn runtime(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// Returns the directory that holds the others.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a path in the working directory.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.work().join(name)
    }

    /// Writes a file in the working directory.
    #[track_caller]
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, contents).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Returns where `exec` leaves its database.
    #[must_use]
    pub fn database_path(&self) -> PathBuf {
        self.path("torc_output/torc.db")
    }

    /// Opens what `exec` has left.
    #[track_caller]
    #[must_use]
    pub fn database(&self) -> Database {
        Database::open(self.database_path())
    }

    /// Waits until a file in the working directory has contents, and returns them.
    #[track_caller]
    pub fn contents_of(&self, name: &str) -> String {
        let path = self.path(name);
        let mut contents = String::new();
        wait_until(&format!("{} is written", path.display()), || {
            contents = fs::read_to_string(&path).unwrap_or_default();
            !contents.is_empty()
        });
        contents
    }

    /// Returns the processes of this test that run.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        processes::at_home(&self.home())
    }

    /// Waits until no process is left.
    #[track_caller]
    pub fn wait_for_silence(&self) {
        let mut left = self.processes();
        wait_until(&format!("these end: {left:?}"), || {
            left = self.processes();
            left.is_empty()
        });
    }

    /// Returns what is left in the runtime directory, locks of nobody aside.
    #[must_use]
    pub fn sockets(&self) -> Vec<String> {
        names_in(&self.runtime().join("torc"))
            .into_iter()
            .filter(|name| name.ends_with(".sock"))
            .collect()
    }

    fn call(&self, program: &str) -> Call {
        Call::new(&self.bin.join(program), &self.work(), &self.environment())
    }

    /// Returns the file of settings of the system, as this test has it.
    #[must_use]
    pub fn system_config(&self) -> PathBuf {
        self.dir.path().join("etc.toml")
    }

    /// Returns the file of settings of the user, in a directory that is there.
    #[must_use]
    pub fn user_config(&self) -> PathBuf {
        let dir = self.home().join(".config/torc");
        fs::create_dir_all(&dir).expect("a directory can be made");
        dir.join("torc.toml")
    }

    fn environment(&self) -> [(&'static str, PathBuf); 4] {
        [
            ("HOME", self.home()),
            ("XDG_RUNTIME_DIR", self.runtime()),
            ("TMPDIR", self.dir.path().join("tmp")),
            ("TORC_SYSTEM_CONFIG", self.system_config()),
        ]
    }
}

impl Drop for Torc {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.wait_for_silence();
            return;
        }
        for process in self.processes() {
            eprintln!("killed at the end of a failed test: {process:?}");
            processes::signal(process.pid, Signal::SIGKILL);
        }
    }
}

/// Returns the names in a directory, in order; none when it is not there.
#[must_use]
pub fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Puts the binaries side by side under their own names, as users have them. Links will not do:
/// torcctl looks beside what it really is.
fn side_by_side(binaries: Binaries) -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let dir = Path::new(binaries.torcctl).with_file_name("under-test");
        fs::create_dir_all(&dir).expect("a directory can be made beside the binaries");
        for (name, built) in [("torcd", binaries.torcd), ("torcctl", binaries.torcctl)] {
            replace(Path::new(built), &dir.join(name)).expect("a binary can be linked");
        }
        dir
    })
}

/// Makes `name` the same file as `built`, also when several test processes do so at a time.
fn replace(built: &Path, name: &Path) -> io::Result<()> {
    let new = name.with_extension(std::process::id().to_string());
    let _ = fs::remove_file(&new);
    fs::hard_link(built, &new).or_else(|_| fs::copy(built, &new).map(drop))?;
    fs::rename(&new, name)?;
    // Renaming a name of a file to another name of the same file leaves both.
    let _ = fs::remove_file(&new);
    Ok(())
}
