//! Finds the database a home, and loads into it what an earlier daemon left.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use torc_protocol::id::AttemptId;
use torc_protocol::journal;
use torc_protocol::paths::{self, DATABASE_NAME};

use crate::config::{Config, Database};
use crate::daemon::start_error::StartError;
use crate::snapshot::aside;
use crate::snapshot::lease::{Lease, Predecessor};
use crate::snapshot::load::{self, Loaded};
use crate::store::home::{Home, PrivateDir};
use crate::store::image;
use crate::store::verify::{self, VerifyError};
use crate::sys;

/// The name of the worker's journal in a directory of ours.
pub(super) const JOURNAL_NAME: &str = "begun";

/// A home, and a private directory for copies on their way to disk.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) home: Home,
    /// The home itself, where that is such a directory.
    pub(super) staging: PathBuf,
    /// Removes `staging` where it is not the home.
    pub(super) _staging_dir: Option<PrivateDir>,
    /// What was found, to be loaded into SQLite's own memory.
    pub(super) load: Option<PathBuf>,
    /// What keeps other daemons away from what we write.
    pub(super) leases: Vec<Lease>,
    /// What daemons that died over this database have left.
    pub(super) remains: Remains,
}

/// What a daemon that died over a database has left in memory.
#[derive(Debug, Default)]
pub(super) struct Remains {
    /// The attempts that its worker had begun.
    pub(super) begun: HashSet<AttemptId>,
    dirs: Vec<PathBuf>,
}

impl Remains {
    /// Removes it, once it is recorded. A directory with a database in it stays: that may be wanted.
    pub(super) fn clear(self) {
        for dir in self.dirs.iter().filter(|dir| !dir.join(DATABASE_NAME).exists()) {
            // Another daemon may be sweeping at the same time.
            let _ = fs::remove_dir_all(dir);
        }
    }
}

impl Opened {
    /// A home that is not itself in the private directory.
    fn new(home: Home, dir: PrivateDir) -> Self {
        Self {
            home,
            staging: dir.path().to_owned(),
            _staging_dir: Some(dir),
            load: None,
            leases: Vec::new(),
            remains: Remains::default(),
        }
    }
}

/// Finds the home that the configuration asks for.
///
/// # Errors
///
/// When there is none, or what is at the snapshot's place cannot be used.
pub(super) async fn open(config: &Config) -> Result<Opened, StartError> {
    let mut held = vec![config.snapshot.clone()];
    if let Database::ReadOnly(path) = &config.database {
        return read_only(path);
    }
    if let Database::File(path) = &config.database
        && *path != config.snapshot
    {
        held.push(path.clone());
    }
    let leases = take_leases(held, config.steal).await?;
    let remains = remains(&leases.iter().filter_map(Lease::predecessor).collect::<Vec<_>>());
    let opened = match &config.database {
        Database::File(path) => on_disk(config, path)?,
        Database::PureMemory => in_memory(config, false).await?,
        Database::Memory | Database::ReadOnly(_) => {
            in_memory(config, paths::memory_dir().is_some()).await?
        }
    };
    Ok(Opened { leases, remains, ..opened })
}

async fn take_leases(targets: Vec<PathBuf>, steal: bool) -> Result<Vec<Lease>, StartError> {
    let taking = tokio::task::spawn_blocking(move || {
        targets.iter().map(|target| Lease::take(target, steal)).collect::<Result<Vec<_>, _>>()
    });
    let taken =
        taking.await.map_err(|error| StartError::new(1, format!("starting failed: {error}")))?;
    Ok(taken?)
}

fn on_disk(config: &Config, path: &Path) -> Result<Opened, StartError> {
    if config.fresh {
        set_aside(path)?;
    }
    Ok(Opened::new(Home::File(path.to_owned()), private_dir()?))
}

async fn in_memory(config: &Config, on_tmpfs: bool) -> Result<Opened, StartError> {
    if config.fresh {
        set_aside(&config.snapshot)?;
    }
    let dir = private_dir()?;
    let staging = dir.path().to_owned();
    let into = staging.join(if on_tmpfs { DATABASE_NAME } else { "loaded.db" });
    let found = load(&config.snapshot, &into).await?;
    if on_tmpfs {
        let home = Home::Tmpfs(dir);
        return Ok(Opened {
            home,
            staging,
            _staging_dir: None,
            load: None,
            leases: Vec::new(),
            remains: Remains::default(),
        });
    }
    Ok(Opened { load: found.then_some(into), ..Opened::new(Home::Memory, dir) })
}

/// Loads the newest good snapshot, and returns whether there was one.
async fn load(target: &Path, into: &Path) -> Result<bool, StartError> {
    let (target, into) = (target.to_owned(), into.to_owned());
    let loaded = tokio::task::spawn_blocking(move || load::load(&target, &into)).await;
    let loaded = loaded.map_err(|error| StartError::new(1, format!("loading failed: {error}")))?;
    match loaded? {
        Loaded::Nothing => Ok(false),
        Loaded::Snapshot { path, generation, quarantined, .. } => {
            tracing::info!("loaded snapshot {generation} from {}", path.display());
            for damaged in quarantined {
                tracing::warn!(
                    "a newer snapshot is damaged and is now {}; went back to {}",
                    damaged.display(),
                    path.display()
                );
            }
            Ok(true)
        }
    }
}

fn read_only(path: &Path) -> Result<Opened, StartError> {
    let refused = |reason: String| {
        StartError::new(2, format!("cannot read {}: {reason}", path.display()))
            .hint("name a database that torc has written, with `--db FILE`")
    };
    let dir = private_dir()?;
    let staging = dir.path().to_owned();
    // One that a daemon works on, or died over, is read from a copy: the file alone lacks what is
    // in its log.
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let shown = if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        let copy = staging.join(DATABASE_NAME);
        fs::copy(path, &copy)
            .and_then(|_| fs::copy(&log, staging.join("torc.db-wal")))
            .map_err(|error| refused(error.to_string()))?;
        image::merge_log(&copy).map_err(|error| refused(error.to_string()))?;
        copy
    } else {
        path.to_owned()
    };
    verify::identify(&shown).map_err(|error| match error {
        VerifyError::Newer(_) => refused(error.to_string()).hint("use the torc that wrote it"),
        _ => refused(error.to_string()),
    })?;
    Ok(Opened::new(Home::ReadOnly(shown), dir))
}

fn set_aside(path: &Path) -> Result<(), StartError> {
    match aside::set_aside(path) {
        Ok(Some(aside)) => {
            tracing::warn!("what was in {} is now in {}", path.display(), aside.display());
            Ok(())
        }
        Ok(None) => Ok(()),
        Err(error) => {
            Err(StartError::new(2, format!("cannot set {} aside: {error}", path.display()))
                .hint("move it yourself, or name another file"))
        }
    }
}

/// Makes a directory of our own in memory, or where there is none that can be trusted, beside the
/// socket.
fn private_dir() -> Result<PrivateDir, StartError> {
    let parent = match paths::memory_dir() {
        Some(dir) => dir,
        None => paths::runtime_dir().map_err(|error| StartError::new(1, error.to_string()))?,
    };
    sweep(&parent);
    let pid = std::process::id();
    let ours = Predecessor { pid, start: sys::process::start_time(pid).unwrap_or(0) };
    let prefix = dir_prefix(ours);
    let mut number = 0;
    loop {
        match PrivateDir::create(&parent, &format!("{prefix}{number}")) {
            Ok(dir) => return Ok(dir),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => {
                let message = format!("cannot make a directory in {}: {error}", parent.display());
                return Err(StartError::new(1, message)
                    .hint("make room in memory, or keep the database on disk with `--database`"));
            }
        }
    }
}

/// Returns how the names of the directories of a daemon begin.
fn dir_prefix(daemon: Predecessor) -> String {
    format!("{}-{}-", daemon.pid, daemon.start)
}

/// Finds what daemons that died have left in memory.
fn remains(predecessors: &[Predecessor]) -> Remains {
    let prefixes: Vec<_> = predecessors.iter().copied().map(dir_prefix).collect();
    let is_theirs = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let parent = paths::memory_dir().or_else(|| paths::runtime_dir().ok());
    let entries = parent.and_then(|parent| fs::read_dir(parent).ok());
    let mut remains = Remains::default();
    for entry in entries.into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_theirs) {
            let noted = fs::read(entry.path().join(JOURNAL_NAME)).unwrap_or_default();
            remains.begun.extend(journal::attempts(&noted));
            remains.dirs.push(entry.path());
        }
    }
    remains
}

/// Removes what killed daemons have left here, unless it holds a database, which may be wanted, or
/// notes of what their workers had begun, which the next daemon on their database needs.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
        let dead = pid.is_some_and(|pid| !sys::host::process_exists(pid));
        let notes = fs::metadata(entry.path().join(JOURNAL_NAME));
        let is_wanted = notes.is_ok_and(|notes| notes.len() > 0);
        if dead && !is_wanted && !entry.path().join(DATABASE_NAME).exists() {
            // Another daemon may be sweeping too.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
