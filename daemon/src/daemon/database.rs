//! Finds the database a home, and loads into it what an earlier daemon left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use torc_protocol::paths;

use crate::config::{Config, Database};
use crate::daemon::start_error::StartError;
use crate::snapshot::aside;
use crate::snapshot::load::{self, Loaded};
use crate::store::home::{Home, PrivateDir};
use crate::store::verify::{self, VerifyError};

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
}

/// Finds the home that the configuration asks for.
///
/// # Errors
///
/// When there is none, or what is at the snapshot's place cannot be used.
pub(super) async fn open(config: &Config) -> Result<Opened, StartError> {
    match &config.database {
        Database::ReadOnly(path) => read_only(path),
        Database::File(path) => {
            if config.fresh {
                set_aside(path)?;
            }
            let dir = private_dir()?;
            Ok(Opened {
                home: Home::File(path.clone()),
                staging: dir.path().to_owned(),
                _staging_dir: Some(dir),
                load: None,
            })
        }
        Database::Memory => in_memory(config, paths::memory_dir().is_some()).await,
        Database::PureMemory => in_memory(config, false).await,
    }
}

async fn in_memory(config: &Config, on_tmpfs: bool) -> Result<Opened, StartError> {
    if config.fresh {
        set_aside(&config.snapshot)?;
    }
    let dir = private_dir()?;
    let staging = dir.path().to_owned();
    let into = staging.join(if on_tmpfs { "torc.db" } else { "loaded.db" });
    let found = load(&config.snapshot, &into).await?;
    if on_tmpfs {
        return Ok(Opened { home: Home::Tmpfs(dir), staging, _staging_dir: None, load: None });
    }
    let load = found.then_some(into);
    Ok(Opened { home: Home::Memory, staging, _staging_dir: Some(dir), load })
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
    let identity = verify::identify(path).map_err(|error| match error {
        VerifyError::Newer(_) => refused(error.to_string()).hint("use the torc that wrote it"),
        _ => refused(error.to_string()),
    })?;
    let dir = private_dir()?;
    let staging = dir.path().to_owned();
    // One that a daemon works on is read from a copy: the file alone lacks what is in its log.
    let log = PathBuf::from(format!("{}-wal", path.display()));
    if identity.write_ahead && log.exists() {
        let copy = staging.join("torc.db");
        fs::copy(path, &copy)
            .and_then(|_| fs::copy(&log, staging.join("torc.db-wal")))
            .map_err(|error| refused(error.to_string()))?;
        return Ok(Opened { home: Home::File(copy), staging, _staging_dir: Some(dir), load: None });
    }
    let home = Home::ReadOnly(path.to_owned());
    Ok(Opened { home, staging, _staging_dir: Some(dir), load: None })
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
    let pid = std::process::id();
    let mut attempt = 0;
    loop {
        match PrivateDir::create(&parent, &format!("{pid}-{attempt}")) {
            Ok(dir) => return Ok(dir),
            // A daemon of this number was killed and left it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            Err(error) => {
                let message = format!("cannot make a directory in {}: {error}", parent.display());
                return Err(StartError::new(1, message)
                    .hint("make room in memory, or keep the database on disk with `--database`"));
            }
        }
    }
}
