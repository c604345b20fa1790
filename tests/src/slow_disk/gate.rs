//! What every call to the disk has to pass.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use fuser::Errno;

use crate::wait::LIMIT;

/// What a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Names, attributes, contents.
    Look,
    /// Opening for reading.
    Open,
    /// Opening for writing.
    OpenToWrite,
    /// A new name.
    Create,
    /// Another name, fewer names, other attributes.
    Alter,
    /// Contents.
    Write,
    /// `fsync`, of a directory too.
    Sync,
    /// What must not fail.
    Close,
}

/// What can be slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// Opening and creating files.
    Open,
    /// Writing.
    Write,
    /// `fsync`.
    Sync,
}

/// What can be wrong with the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is free, and writing says ENOSPC.
    Full,
    /// There is room, but writing says EDQUOT.
    Quota,
    /// Writing and `fsync` say EIO.
    Broken,
    /// Whatever would change something says EROFS.
    ReadOnly,
    /// Everything says ESTALE.
    Stale,
}

impl Fault {
    /// Returns what it answers to such a call.
    fn answer(self, kind: Kind) -> Option<Errno> {
        let changes = !matches!(kind, Kind::Look | Kind::Open | Kind::Close);
        match self {
            Self::Full => (kind == Kind::Write).then_some(Errno::ENOSPC),
            Self::Quota => (kind == Kind::Write).then_some(Errno::EDQUOT),
            Self::Broken => matches!(kind, Kind::Write | Kind::Sync).then_some(Errno::EIO),
            Self::ReadOnly => changes.then_some(Errno::EROFS),
            Self::Stale => (kind != Kind::Close).then_some(Errno::ESTALE),
        }
    }
}

/// A call that is to be carried out, or to be answered with an error.
type Call = Box<dyn FnOnce(Result<(), Errno>) + Send>;

#[derive(Default)]
struct State {
    frozen: bool,
    held: Vec<(Kind, Call)>,
    open: Duration,
    write: Duration,
    sync: Duration,
    fault: Option<Fault>,
}

impl State {
    fn delay(&self, kind: Kind) -> Duration {
        match kind {
            Kind::Open | Kind::OpenToWrite | Kind::Create => self.open,
            Kind::Write => self.write,
            Kind::Sync => self.sync,
            Kind::Look | Kind::Alter | Kind::Close => Duration::ZERO,
        }
    }

    fn verdict(&self, kind: Kind) -> Result<(), Errno> {
        self.fault.and_then(|fault| fault.answer(kind)).map_or(Ok(()), Err)
    }
}

/// Lets calls through, or not.
#[derive(Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    held: Condvar,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let held = state.held.len();
        f.debug_struct("Gate").field("frozen", &state.frozen).field("held", &held).finish()
    }
}

impl Gate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out a call, now or when the disk is thawed. Does not block: a slow call has a thread
    /// of its own.
    pub(super) fn pass(&self, kind: Kind, call: impl FnOnce(Result<(), Errno>) + Send + 'static) {
        let mut state = self.state();
        if state.frozen {
            state.held.push((kind, Box::new(call)));
            self.held.notify_all();
            return;
        }
        let (delay, verdict) = (state.delay(kind), state.verdict(kind));
        drop(state);
        if delay.is_zero() {
            return call(verdict);
        }
        thread::spawn(move || {
            thread::sleep(delay);
            call(verdict);
        });
    }

    /// Returns whether nothing is free.
    pub(super) fn is_full(&self) -> bool {
        self.state().fault == Some(Fault::Full)
    }

    pub(super) fn freeze(&self) {
        self.state().frozen = true;
    }

    /// Waits until somebody waits for a call, and returns whether one does. The kernel closes files
    /// for those who have gone on already: that does not count.
    pub(super) fn wait_for_a_victim(&self) -> bool {
        let is_waited_for = |(kind, _): &(Kind, Call)| *kind != Kind::Close;
        let nobody = |state: &mut State| !state.held.iter().any(is_waited_for);
        let waited = self.held.wait_timeout_while(self.state(), LIMIT, nobody);
        !nobody(&mut waited.unwrap_or_else(PoisonError::into_inner).0)
    }

    pub(super) fn thaw(&self) {
        let mut state = self.state();
        state.frozen = false;
        let held = std::mem::take(&mut state.held);
        drop(state);
        for (kind, call) in held {
            self.pass(kind, call);
        }
    }

    pub(super) fn slow_down(&self, what: Slow, by: Duration) {
        let mut state = self.state();
        match what {
            Slow::Open => state.open = by,
            Slow::Write => state.write = by,
            Slow::Sync => state.sync = by,
        }
    }

    pub(super) fn fault(&self, fault: Option<Fault>) {
        self.state().fault = fault;
    }
}
