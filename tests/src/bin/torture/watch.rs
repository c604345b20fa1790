//! Rings the bell for what happens in the file system: evidence, and changes at the target.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::unistd::pipe;

use crate::bell::Bell;

/// A thread that watches until this is dropped.
pub(crate) struct Watch {
    thread: Option<JoinHandle<()>>,
    /// Closing it ends the thread.
    lifeline: Option<OwnedFd>,
}

struct Watcher {
    inotify: Inotify,
    evidence: WatchDescriptor,
    written: File,
    bell: Arc<Bell>,
}

impl Watch {
    /// Begins to watch the file `evidence`, from its present end, and the directory `target`.
    pub(crate) fn start(bell: Arc<Bell>, evidence: &Path, target: &Path) -> anyhow::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let changes = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE;
        inotify.add_watch(target, changes)?;
        let watch = inotify.add_watch(evidence, AddWatchFlags::IN_MODIFY)?;
        let mut written = File::open(evidence).context("opening the evidence")?;
        written.read_to_end(&mut Vec::new())?;
        let (end, lifeline) = pipe()?;
        let mut watcher = Watcher { inotify, evidence: watch, written, bell };
        let thread = thread::spawn(move || watcher.run(&end));
        Ok(Self { thread: Some(thread), lifeline: Some(lifeline) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.lifeline = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Watcher {
    fn run(&mut self, end: &OwnedFd) {
        loop {
            let mut fds = [
                PollFd::new(self.inotify.as_fd(), PollFlags::POLLIN),
                PollFd::new(end.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
            if fds[1].any().unwrap_or(true) {
                return;
            }
            self.tell();
        }
    }

    fn tell(&mut self) {
        let events = self.inotify.read_events().unwrap_or_default();
        let changes = events.iter().filter(|event| event.wd != self.evidence).count();
        if changes > 0 {
            self.bell.target(changes as u32);
        }
        if changes < events.len() {
            let mut text = Vec::new();
            let _ = self.written.read_to_end(&mut text);
            let lines = text.iter().filter(|byte| **byte == b'\n').count();
            self.bell.evidence(lines as u32);
        }
    }
}
