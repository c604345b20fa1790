//! Finds the database a home, and loads into it what an earlier daemon left.

use std::fs;
use std::path::{Path, PathBuf};

use torc_protocol::paths::{self, DATABASE_NAME};
use torc_protocol::view::SnapshotView;

use crate::config::{Config, Database};
use crate::daemon::adoption::{self, Found};
use crate::daemon::begun::{self, Begun};
use crate::daemon::start_error::{FAILED, StartError, USAGE};
use crate::snapshot::aside;
use crate::snapshot::lease::Lease;
use crate::snapshot::remains::{Remain, memory_parents};
use crate::store::home::{Home, OpenError};
use crate::store::image::{self, ImageError};
use crate::store::live;
use crate::store::migrate::SchemaError;
use crate::store::private_dir::{PrivateDir, Purpose};
use crate::store::room;
use crate::store::verify::{self, VerifyError};
use crate::sys::files::with_suffix;

/// A home, and a private directory for copies on their way to disk.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) home: Home,
    /// The home itself, where that is such a directory.
    pub(super) staging: PathBuf,
    /// Removes `staging` where it is not the home.
    pub(super) staging_dir: Option<PrivateDir>,
    /// What was found, to be loaded into SQLite's own memory.
    pub(super) load: Option<PathBuf>,
    /// What keeps other daemons away from what we write.
    pub(super) leases: Vec<Lease>,
    /// What workers of daemons that died over this database had begun.
    pub(super) begun: Begun,
    /// What is at the place of our snapshots, as far as it was loaded.
    pub(super) there: Option<SnapshotView>,
    /// What dead daemons have left of this database.
    pub(super) taken: Taken,
}

/// What dead daemons have left of our database.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// It was gone on from. What of it is a file of its own goes when a snapshot of ours has it.
    pub(super) newest: bool,
    /// Whoever had it lived only as long as a command did.
    pub(super) private: bool,
    /// May go when the snapshot at the end is durable.
    pub(super) until_saved: Vec<Remain>,
    /// May go when what their workers had begun is recorded.
    pub(super) superseded: Vec<Remain>,
}

impl Opened {
    /// A home that is not itself in the private directory.
    fn new(home: Home, dir: PrivateDir) -> Self {
        Self { staging: dir.path().to_owned(), staging_dir: Some(dir), ..Self::bare(home) }
    }

    fn bare(home: Home) -> Self {
        Self {
            home,
            staging: PathBuf::new(),
            staging_dir: None,
            load: None,
            leases: Vec::new(),
            begun: Begun::default(),
            there: None,
            taken: Taken::default(),
        }
    }
}

/// Finds the home that the configuration asks for.
///
/// # Errors
///
/// When there is none, or what is at the snapshot's place cannot be used.
pub(super) async fn open(config: &Config) -> Result<Opened, StartError> {
    let config = config.clone();
    // What is at the snapshot's place may be on a file system that takes its time.
    let opening = tokio::task::spawn_blocking(move || open_now(&config)).await;
    opening.map_err(|error| StartError::new(FAILED, format!("starting failed: {error}")))?
}

fn open_now(config: &Config) -> Result<Opened, StartError> {
    let mut held = vec![config.snapshot.clone()];
    if let Database::ReadOnly(path) = &config.database {
        return read_only(config, path);
    }
    if let Database::File(path) = &config.database
        && *path != config.snapshot
    {
        held.push(path.clone());
    }
    let leases = held
        .iter()
        .map(|target| Lease::take(target, config.steal))
        .collect::<Result<Vec<_>, _>>()?;
    let dead: Vec<_> = leases.iter().filter_map(Lease::predecessor).collect();
    let mut opened = match &config.database {
        Database::File(path) => on_disk(config, path)?,
        Database::PureMemory => in_memory(config, None)?,
        Database::Memory | Database::ReadOnly(_) => in_memory(config, place(config).as_deref())?,
    };
    opened.begun.add(Begun::of(&purpose(config).target, &dead));
    Ok(Opened { leases, ..opened })
}

fn on_disk(config: &Config, path: &Path) -> Result<Opened, StartError> {
    if config.fresh {
        set_aside(path)?;
    } else {
        adoption::refuse_newer(config, path)?;
        if *path != config.snapshot {
            adoption::refuse_other_snapshots(config, path)?;
        }
    }
    Ok(Opened::new(Home::File(path.to_owned()), private_dir(config)?))
}

/// Returns the tmpfs with room for the database that we begin with; none where SQLite's own memory
/// has to do.
fn place(config: &Config) -> Option<PathBuf> {
    match room::place(2 * bytes_there(config), &paths::memory_dirs()) {
        Ok(place) => Some(place),
        Err(short) => {
            tracing::warn!(
                "{short}; so the database is in SQLite's own memory, and is gone if torcd is killed; \
                 hint: make room there, or keep it on disk with `--database FILE`"
            );
            None
        }
    }
}

/// Returns how large the database at the place of our snapshots is.
fn bytes_there(config: &Config) -> u64 {
    fs::metadata(&config.snapshot).map_or(0, |there| there.len())
}

fn in_memory(config: &Config, place: Option<&Path>) -> Result<Opened, StartError> {
    if config.fresh {
        let aside = set_aside(&config.snapshot)?;
        adoption::set_aside(config, &aside)?;
    }
    let on_tmpfs = place.is_some();
    let dir = match place {
        Some(place) => private_dir_in(place, config)?,
        None => private_dir(config)?,
    };
    // Under another name, lest a part of it be taken for what a dead daemon has left.
    let into = dir.path().join("loaded.db");
    let mut begun = Begun::default();
    let Found { there, left } = adoption::find(config, &into)?;
    left.superseded.iter().filter_map(Remain::dir).for_each(|dir| begun.read(dir));
    let mut taken = Taken { superseded: left.superseded, ..Taken::default() };
    let mut loaded = there.is_some();
    let mut home = dir;
    if let Some(newest) = left.newest {
        taken.newest = true;
        taken.private = newest.purpose().is_some_and(|purpose| purpose.private);
        loaded = true;
        home = match adoption::adopt(newest, home, &purpose(config), &into, on_tmpfs)? {
            (home, None) => {
                begun.take_over(home.path()).map_err(StartError::system("rename notes of ours"))?;
                home
            }
            (home, Some(remain)) => {
                remain.dir().into_iter().for_each(|dir| begun.read(dir));
                taken.until_saved.push(remain);
                home
            }
        };
    }
    let opened = if on_tmpfs {
        if loaded && into.exists() {
            let named = fs::rename(&into, home.path().join(DATABASE_NAME));
            named.map_err(StartError::system("rename a file of ours in memory"))?;
        }
        let staging = home.path().to_owned();
        Opened { staging, ..Opened::bare(Home::Tmpfs(home)) }
    } else {
        Opened { load: loaded.then_some(into), ..Opened::new(Home::Memory, home) }
    };
    Ok(Opened { begun, there, taken, ..opened })
}

fn read_only(config: &Config, path: &Path) -> Result<Opened, StartError> {
    let refused = |reason: String| {
        StartError::new(USAGE, format!("cannot read {}: {reason}", path.display()))
            .hint("name a database that torc has written, with `--db FILE`")
    };
    let dir = private_dir(config)?;
    let staging = dir.path().to_owned();
    let newer = |reason: String| refused(reason).hint("use the torc that wrote it");
    // One that a daemon works on, or died over, is read from a copy: the file alone lacks what is
    // in its log, and changes under whoever reads it.
    let shown = if with_suffix(path, "-wal").exists() {
        let copy = staging.join("shown.db");
        live::copy(path, &copy).map_err(|error| match error {
            ImageError::Open(OpenError::Schema { source, .. }) => match source {
                SchemaError::Newer(_) => newer(source.to_string()),
                _ => refused(source.to_string()),
            },
            _ => refused(error.to_string()),
        })?;
        copy
    } else {
        path.to_owned()
    };
    verify::identify(&shown).map_err(|error| match error {
        VerifyError::Newer(_) => newer(error.to_string()),
        _ => refused(error.to_string()),
    })?;
    adoption::tell_of_newer(config, path, &shown);
    Ok(Opened::new(Home::ReadOnly(shown), dir))
}

/// Moves what is at `path` aside for a fresh start, and returns the name that it has, or would have.
fn set_aside(path: &Path) -> Result<PathBuf, StartError> {
    let failed = |error: &dyn std::fmt::Display| {
        StartError::new(USAGE, format!("cannot set {} aside: {error}", path.display()))
            .hint("move it yourself, or name another file")
    };
    let log = with_suffix(path, "-wal");
    if fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        // A database and its log cannot be moved in one step.
        image::merge_log(path).map_err(|error| failed(&error))?;
    }
    let (aside, moved) = aside::set_aside(path).map_err(|error| failed(&error))?;
    if moved {
        tracing::warn!("what was in {} is now in {}", path.display(), aside.display());
    }
    Ok(aside)
}

impl Opened {
    /// Lets what is in our directories outlive us, however we end: from now on it is in use.
    pub(super) fn hold(&mut self) {
        self.home.hold();
        if let Some(dir) = &mut self.staging_dir {
            dir.hold();
        }
    }

    /// Removes what dead daemons have left whose record is with ours, and the notes of their workers.
    pub(super) fn forget_the_dead(&mut self) {
        std::mem::take(&mut self.begun).clear();
        self.taken.superseded.drain(..).for_each(Remain::remove);
    }

    /// Lets the directory beside our home go with us, in good order.
    pub(super) fn let_staging_go(&mut self) {
        if let Some(dir) = &mut self.staging_dir {
            dir.let_go();
        }
    }
}

/// Returns what the directories of this daemon are for: the place of its record.
pub(super) fn purpose(config: &Config) -> Purpose {
    let target = match &config.database {
        Database::File(path) => path,
        Database::Memory | Database::PureMemory | Database::ReadOnly(_) => &config.snapshot,
    };
    Purpose { target: target.clone(), private: config.lifeline }
}

/// Makes a directory of our own in memory, or where there is none that can be trusted, beside the
/// socket.
fn private_dir(config: &Config) -> Result<PrivateDir, StartError> {
    let parent = match room::place(bytes_there(config), &memory_parents()) {
        Ok(parent) => parent,
        Err(_) => {
            paths::runtime_dir().map_err(|error| StartError::new(FAILED, error.to_string()))?
        }
    };
    private_dir_in(&parent, config)
}

fn private_dir_in(parent: &Path, config: &Config) -> Result<PrivateDir, StartError> {
    memory_parents().iter().for_each(|parent| begun::sweep(parent));
    PrivateDir::create(parent, &purpose(config)).map_err(|error| {
        let message = format!("cannot make a directory in {}: {error}", parent.display());
        StartError::new(FAILED, message)
            .hint("make room in memory, or keep the database on disk with `--database`")
    })
}
