//! The table of settings.

use super::value::Kind;

/// How many snapshots can be kept at most. Bounded so that a copy which a user named for a date or a
/// year, as in `torc.db.20260131`, is never taken for one of ours.
pub const MAX_KEEP: u64 = 1_000;
/// The longest time that can be set, in seconds: a year. A clock can be set forward by that much.
pub const MAX_SECONDS: u64 = 366 * 24 * 3_600;

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `socket`
    Socket,
    /// `daemon.database`
    Database,
    /// `daemon.in_memory`
    InMemory,
    /// `daemon.log`
    Log,
    /// `daemon.log_file`
    LogFile,
    /// `snapshot.path`
    SnapshotPath,
    /// `snapshot.keep`
    SnapshotKeep,
    /// `snapshot.interval_seconds`
    SnapshotInterval,
    /// `snapshot.timeout_seconds`
    SnapshotTimeout,
    /// `snapshot.spill_dir`
    SpillDir,
    /// `exec.max_parallel_jobs`
    MaxParallelJobs,
    /// `exec.output_dir`
    OutputDir,
    /// `exec.stdio`
    Stdio,
    /// `exec.print`
    Print,
    /// `client.torcd_bin`
    TorcdBin,
    /// `client.format`
    Format,
    /// `client.color`
    Color,
}

/// What there is to know about a setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Which it is.
    pub key: Key,
    /// Its name in a file, with its table and a dot before it unless it is outside all tables.
    pub name: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// Its flag: of torcd for the tables `daemon` and `snapshot`, else of torcctl.
    pub flag: &'static str,
    /// What it can be.
    pub kind: Kind,
    /// What it is, as one fragment.
    pub meaning: &'static str,
    /// What counts where it is not set, in words.
    pub default: &'static str,
    /// Whether a torcd that runs takes a new value on SIGHUP.
    pub reloads: bool,
}

impl Setting {
    /// Returns the table that it stands in and its name there; outside all tables the first is empty.
    #[must_use]
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }
}

impl Key {
    /// Returns what there is to know about it.
    #[must_use]
    pub fn setting(self) -> &'static Setting {
        &SETTINGS[self as usize]
    }

    /// Returns its name in a file, with its table.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.setting().name
    }
}

/// Returns the setting of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// Returns the setting whose name is most like this one, if one is.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    crate::nearest::nearest(name, SETTINGS.iter().map(|setting| setting.name))
}

const ONCE: bool = false;
const LIVE: bool = true;

/// All settings, in the order of [`Key`], which is that of the documentation.
pub const SETTINGS: [Setting; 17] = [
    Setting {
        key: Key::Socket,
        name: "socket",
        variable: crate::paths::SOCKET_VARIABLE,
        flag: "--socket",
        kind: Kind::Path,
        meaning: "where torcd listens, and torcctl looks for it",
        default: "torcd.sock in the runtime directory",
        reloads: ONCE,
    },
    Setting {
        key: Key::Database,
        name: "daemon.database",
        variable: "TORC_DATABASE",
        flag: "--database",
        kind: Kind::Database,
        meaning: "the file in which the database lives; `:memory:` is SQLite's own memory",
        default: "torc.db in the user's data directory",
        reloads: ONCE,
    },
    Setting {
        key: Key::InMemory,
        name: "daemon.in_memory",
        variable: "TORC_IN_MEMORY",
        flag: "--in-memory",
        kind: Kind::Switch,
        meaning: "whether the database lives in memory, and gets to disk by snapshots",
        default: "false",
        reloads: ONCE,
    },
    Setting {
        key: Key::Log,
        name: "daemon.log",
        variable: "TORC_LOG",
        flag: "--log",
        kind: Kind::Log,
        meaning: "how severe a line of the log must be",
        default: "warn; info where the log goes to a file or the journal",
        reloads: LIVE,
    },
    Setting {
        key: Key::LogFile,
        name: "daemon.log_file",
        variable: "TORC_LOG_FILE",
        flag: "--log-file",
        kind: Kind::Path,
        meaning: "the file that the log goes to",
        default: "standard error; with --daemonize torcd.log in the user's state directory",
        reloads: ONCE,
    },
    Setting {
        key: Key::SnapshotPath,
        name: "snapshot.path",
        variable: "TORC_SERVER_SNAPSHOT_PATH",
        flag: "--snapshot",
        kind: Kind::Path,
        meaning: "where snapshots go; those of `exec` and `run` go to `--db`",
        default: "torc-server-snapshot.db in the working directory",
        reloads: ONCE,
    },
    Setting {
        key: Key::SnapshotKeep,
        name: "snapshot.keep",
        variable: "TORC_SERVER_SNAPSHOT_KEEP",
        flag: "--snapshot-keep",
        kind: Kind::Number { min: 1, max: MAX_KEEP },
        meaning: "how many snapshots are kept",
        default: "5; for `exec` and `run` 1",
        reloads: LIVE,
    },
    Setting {
        key: Key::SnapshotInterval,
        name: "snapshot.interval_seconds",
        variable: "TORC_SNAPSHOT_INTERVAL_SECONDS",
        flag: "--snapshot-interval-seconds",
        kind: Kind::Number { min: 0, max: MAX_SECONDS },
        meaning: "how often a snapshot is taken when something has changed; 0 is never",
        default: "never",
        reloads: LIVE,
    },
    Setting {
        key: Key::SnapshotTimeout,
        name: "snapshot.timeout_seconds",
        variable: "TORC_SNAPSHOT_TIMEOUT_SECONDS",
        flag: "--snapshot-timeout",
        kind: Kind::Number { min: 0, max: MAX_SECONDS },
        meaning: "how long the final snapshot has to get to disk",
        default: "300",
        reloads: LIVE,
    },
    Setting {
        key: Key::SpillDir,
        name: "snapshot.spill_dir",
        variable: "TORC_SPILL_DIR",
        flag: "--spill-dir",
        kind: Kind::Path,
        meaning: "where a final snapshot is saved first that cannot get to its place",
        default: "the first of $SLURM_TMPDIR, $TMPDIR, /dev/shm, /tmp that takes it",
        reloads: LIVE,
    },
    Setting {
        key: Key::MaxParallelJobs,
        name: "exec.max_parallel_jobs",
        variable: "TORC_MAX_PARALLEL_JOBS",
        flag: "--max-parallel-jobs",
        kind: Kind::Number { min: 1, max: u32::MAX as u64 },
        meaning: "how many jobs of a run may run at a time",
        default: "what the node has room for",
        reloads: ONCE,
    },
    Setting {
        key: Key::OutputDir,
        name: "exec.output_dir",
        // Not TORC_OUTPUT_DIR, which every job has in its environment.
        variable: "TORC_EXEC_OUTPUT_DIR",
        flag: "--output-dir",
        kind: Kind::Path,
        meaning: "the directory for files of output",
        default: "torc_output in the working directory",
        reloads: ONCE,
    },
    Setting {
        key: Key::Stdio,
        name: "exec.stdio",
        variable: "TORC_STDIO",
        flag: "--stdio",
        kind: Kind::Word(&["capture", "separate", "combined", "no-stdout", "no-stderr", "none"]),
        meaning: "where the output of a job goes of which nobody says it",
        default: "capture with the database in memory, separate with one on disk",
        reloads: ONCE,
    },
    Setting {
        key: Key::Print,
        name: "exec.print",
        variable: "TORC_PRINT",
        flag: "--print",
        kind: Kind::Word(&["live", "grouped", "none"]),
        meaning: "how the output of jobs is shown",
        default: "none, but live for `exec -- CMD`",
        reloads: ONCE,
    },
    Setting {
        key: Key::TorcdBin,
        name: "client.torcd_bin",
        variable: "TORCD_BIN",
        flag: "--torcd-bin",
        kind: Kind::Path,
        meaning: "the torcd that torcctl starts",
        default: "the one beside torcctl, else the first in PATH",
        reloads: ONCE,
    },
    Setting {
        key: Key::Format,
        name: "client.format",
        variable: "TORC_FORMAT",
        flag: "--format",
        // Not csv, which most commands do not have.
        kind: Kind::Word(&["table", "json", "ndjson"]),
        meaning: "the form of the output",
        default: "table",
        reloads: ONCE,
    },
    Setting {
        key: Key::Color,
        name: "client.color",
        variable: "TORC_COLOR",
        flag: "--color",
        kind: Kind::Word(&["auto", "always", "never"]),
        meaning: "when to use colours",
        default: "auto",
        reloads: ONCE,
    },
];
