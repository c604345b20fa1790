//! Two users that nobody is, and what they share.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use torc_tests::outcome::Outcome;
use torc_tests::running::{Call, Running};
use torc_tests::torc::Torc;

use crate::torc;

pub(super) const STRANGER: u32 = 65_534;

/// A user with a home of their own, in a world that they share with a stranger.
pub(super) struct Scene {
    pub(super) torc: Torc,
    /// The number of the user, another one in each test: some places are named after it.
    pub(super) victim: u32,
}

impl Scene {
    /// Sets the stage; none where that cannot be done.
    pub(super) fn set(victim: u32) -> Option<Self> {
        if !Uid::effective().is_root() {
            eprintln!("SKIPPED: only root can act as two other users");
            return None;
        }
        let scene = Self { torc: torc(), victim };
        scene.clear();
        let root = scene.torc.root();
        fs::set_permissions(root, Permissions::from_mode(0o711)).unwrap();
        for name in ["home", "run", "tmp", "work"] {
            chown(root.join(name), Some(victim), Some(victim)).unwrap();
        }
        fs::create_dir(scene.world()).unwrap();
        fs::set_permissions(scene.world(), Permissions::from_mode(0o1777)).unwrap();
        let can_run = scene.victim(["--version"]).dir("/").run();
        if !can_run.status.success() {
            eprintln!("SKIPPED: other users cannot run the binaries under test: {can_run}");
            return None;
        }
        Some(scene)
    }

    /// A directory to which all may write, as `/tmp` is.
    pub(super) fn world(&self) -> PathBuf {
        self.torc.root().join("world")
    }

    pub(super) fn in_world(&self, name: &str) -> PathBuf {
        self.world().join(name)
    }

    /// The places that are named after the victim, where all may write.
    pub(super) fn shared_places(&self) -> [PathBuf; 2] {
        ["/tmp", "/dev/shm"].map(|base| Path::new(base).join(format!("torc-{}", self.victim)))
    }

    /// A call of torcctl by the victim, without a runtime directory that nobody else can get at.
    pub(super) fn victim<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Call {
        let call = self.torc.args(args).user(self.victim);
        call.env("XDG_RUNTIME_DIR", "").env("TMPDIR", "")
    }

    /// A torcd of the victim.
    pub(super) fn torcd<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Call {
        let call = self.torc.torcd(args).user(self.victim);
        call.env("XDG_RUNTIME_DIR", "").env("TMPDIR", "")
    }

    /// Runs a script of the stranger's, in which `$W` is the world and `$1` an argument.
    pub(super) fn stranger(&self, script: &str, argument: &Path) -> Outcome {
        self.stranger_call(script, argument).run()
    }

    pub(super) fn stranger_call(&self, script: &str, argument: &Path) -> Call {
        let shell = self.torc.program("sh".as_ref()).user(STRANGER).dir("/");
        shell.env("W", self.world()).args(["-c", script, "sh"]).args([argument])
    }

    /// A file of the victim's in the world that nobody may change.
    pub(super) fn treasure(&self) -> PathBuf {
        let path = self.in_world("treasure");
        fs::write(&path, "gold").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        chown(&path, Some(self.victim), Some(self.victim)).unwrap();
        path
    }

    /// Removes what is in the places that all users share.
    pub(super) fn clear(&self) {
        for place in self.shared_places() {
            remove(&place);
        }
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for process in self.torc.processes() {
                torc_tests::processes::signal(process.pid, Signal::SIGKILL);
            }
        } else {
            self.torc.wait_for_silence();
        }
        self.clear();
    }
}

pub(super) fn remove(path: &Path) {
    let is_dir = fs::symlink_metadata(path).is_ok_and(|there| there.is_dir());
    let _ = if is_dir { fs::remove_dir_all(path) } else { fs::remove_file(path) };
}

/// Returns a path and all below it.
pub(super) fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut all = vec![path.to_owned()];
    if fs::symlink_metadata(path).is_ok_and(|there| there.is_dir()) {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        all.extend(entries.flat_map(|entry| all_below(&entry.path())));
    }
    all
}

/// Checks that a refusal says what to do, and that a treasure is as it was.
#[track_caller]
pub(super) fn expect_refusal(outcome: &Outcome, what: &str, treasure: &Path) {
    assert!(!outcome.status.success(), "{what} was taken: {outcome}");
    assert!(outcome.status.code().is_some(), "{what}: {outcome}");
    assert!(outcome.stderr.contains("error: "), "{what} is not named: {outcome}");
    assert!(!outcome.stderr.contains("panicked"), "{what}: {outcome}");
    assert_eq!(fs::read_to_string(treasure).unwrap(), "gold", "{what}");
}

/// Ends a torcd that was started by hand.
#[track_caller]
pub(super) fn end(torcd: Running) {
    torcd.signal(Signal::SIGTERM);
    torcd.wait().expect(0);
}
