//! What a daemon has of whoever started it, beside its configuration.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::daemon::reload::Tell;
use crate::daemon::start_error::StartError;
use crate::lines::Lines;
use crate::notify::Notifier;
use crate::notify::activation::Activated;

/// Where the log goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// Standard error, whatever that is.
    Stderr,
    /// The journal of systemd, by way of standard error.
    Journal,
    /// This file.
    File(PathBuf),
}

impl fmt::Display for LogPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stderr => f.write_str("stderr"),
            Self::Journal => f.write_str("journal"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// A log that has begun.
#[derive(Clone, Debug)]
pub struct Log {
    /// How its lines get there.
    pub lines: Lines,
    /// Where that is.
    pub place: LogPlace,
    /// How severe they must be.
    pub threshold: Threshold,
}

/// A way to set how severe a line of the log must be. None leaves it to the place of the log.
#[derive(Clone)]
pub struct Threshold(Arc<SetLevel>);

type SetLevel = dyn Fn(Option<&str>) + Send + Sync;

impl Threshold {
    /// Returns one that is set by `set`.
    pub fn new(set: impl Fn(Option<&str>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }

    /// Sets it.
    pub(super) fn set(&self, level: Option<&str>) {
        (self.0)(level);
    }
}

impl fmt::Debug for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Threshold")
    }
}

/// Begins the log.
pub(super) type BeginLog = Box<dyn FnOnce() -> Result<Log, StartError> + Send>;

/// What a daemon has of whoever started it.
#[expect(missing_debug_implementations, reason = "holds a function")]
pub struct Surroundings {
    /// Called when the socket is ours: until then another daemon may be the one that writes the log.
    pub begin_log: BeginLog,
    /// Asked for the configuration again while it runs.
    pub tell: Tell,
    /// Where it says that it is ready, and what becomes of snapshots.
    pub stdout: Lines,
    /// The socket that was opened for it, if one was.
    pub activated: Option<Activated>,
    /// Whom it tells how it is.
    pub notifier: Notifier,
    /// The unit of systemd that it is, if it is one.
    pub unit: Option<String>,
}

/// How a daemon makes itself heard.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    pub(super) log: Log,
    pub(super) stdout: Lines,
    pub(super) notifier: Notifier,
    pub(super) unit: Option<String>,
}
