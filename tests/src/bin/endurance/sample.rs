//! What torcd takes of the machine at one moment.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rusqlite::{Connection, OpenFlags};
use torc_protocol::id::WorkflowId;
use torc_protocol::paths;
use torc_protocol::request::Status;
use torc_tests::benchmark::service::Service;
use torc_tests::client::Client;
use torc_tests::footprint::{Footprint, entries};
use torc_tests::wait::LIMIT;

/// What the database takes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Database {
    /// The file, in bytes.
    pub(crate) bytes: u64,
    /// It is on a tmpfs.
    in_memory: bool,
    /// The log beside it, in bytes.
    pub(crate) log: u64,
    pub(crate) pages: u64,
    /// So many of them hold nothing.
    pub(crate) free: u64,
    /// So many snapshots are on record.
    pub(crate) snapshots: u64,
}

/// One line of the table.
#[derive(Clone, Default)]
pub(crate) struct Sample {
    /// Jobs a second since the sample before.
    pub(crate) rate: f64,
    /// How long requests took since then, the shortest first.
    pub(crate) waits: Vec<Duration>,
    pub(crate) torcd: Footprint,
    pub(crate) worker: Footprint,
    pub(crate) database: Database,
    /// The last snapshot: its size in bytes, and how long it took.
    pub(crate) snapshot: (u64, Duration),
    /// Files in the runtime directory, in the one of the database, and where snapshots go.
    pub(crate) entries: u64,
}

/// Takes samples.
pub(crate) struct Sampler<'a> {
    stage: &'a Service,
    /// The file of the database.
    path: PathBuf,
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(stage: &'a Service) -> anyhow::Result<Self> {
        let status = Client::connect(stage.socket())?.call(Status)?;
        Ok(Self { stage, path: status.database.into() })
    }

    pub(crate) fn stage(&self) -> &'a Service {
        self.stage
    }

    pub(crate) fn take(&self, rate: f64, waits: Vec<Duration>) -> anyhow::Result<Sample> {
        let stage = self.stage;
        let status = Client::connect(stage.socket())?.call(Status)?;
        if let Some(error) = &status.snapshot.error {
            anyhow::bail!("a snapshot has failed: {}", error.reason);
        }
        let snapshot = status.snapshot.last.map_or_else(Default::default, |last| {
            let took = last.finished_at.0.saturating_sub(last.started_at.0);
            (last.bytes, Duration::from_micros(took.try_into().unwrap_or(0)))
        });
        let database_dir = self.path.parent().unwrap_or(Path::new("/"));
        let places = [&stage.runtime(), database_dir, &stage.work()];
        Ok(Sample {
            rate,
            waits,
            torcd: Footprint::of(self.stage.torcd())?,
            worker: Footprint::of(stage.worker()?)?,
            database: self.database()?,
            snapshot,
            entries: places.iter().map(|dir| entries(dir)).sum(),
        })
    }

    pub(crate) fn memory_of_torcd(&self) -> anyhow::Result<u64> {
        Ok(Footprint::of(self.stage.torcd())?.pss)
    }

    pub(crate) fn database(&self) -> anyhow::Result<Database> {
        let length = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        let connection = self.open()?;
        let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, u64>(0));
        Ok(Database {
            bytes: length(&self.path),
            in_memory: paths::is_tmpfs(&self.path),
            log: length(Path::new(&log)),
            pages: number("PRAGMA page_count")?,
            free: number("PRAGMA freelist_count")?,
            snapshots: number("SELECT count(*) FROM snapshot")?,
        })
    }

    /// Waits until nothing of a workflow is left in the database.
    pub(crate) fn wait_until_gone(&self, id: WorkflowId) -> anyhow::Result<()> {
        let connection = self.open()?;
        let end = Instant::now() + LIMIT;
        let sql = "SELECT count(*) FROM workflow WHERE id = ?1";
        while connection.query_row(sql, [id.0], |row| row.get::<_, u64>(0))? > 0 {
            ensure!(Instant::now() < end, "workflow {id} is still in the database");
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Takes a sample once all workflows are gone and what they took is given back; when that never
    /// happens, of what there is.
    pub(crate) fn when_compact(&self) -> anyhow::Result<Sample> {
        let connection = self.open()?;
        let end = Instant::now() + LIMIT;
        let sql = "SELECT count(*) FROM workflow";
        while connection.query_row(sql, [], |row| row.get::<_, u64>(0))? > 0 {
            ensure!(Instant::now() < end, "workflows are still in the database");
            thread::sleep(Duration::from_millis(20));
        }
        let end = Instant::now() + LIMIT / 6;
        while !self.database()?.is_compact() && Instant::now() < end {
            thread::sleep(Duration::from_millis(20));
        }
        self.take(0.0, Vec::new())
    }

    fn open(&self) -> anyhow::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(LIMIT)?;
        Ok(connection)
    }
}

impl Database {
    /// So many bytes are few.
    const FEW: u64 = 4 * 1_024 * 1_024;
    /// The size of a page in bytes.
    const PAGE: u64 = 4_096;

    /// Returns whether there are few free pages, and neither the file nor a log in memory is longer
    /// than its pages need. One on a disk is not cut: nobody knows how long that would take.
    pub(crate) fn is_compact(&self) -> bool {
        let few = Self::FEW.max(self.pages * Self::PAGE / 4);
        self.free * Self::PAGE <= few
            && self.bytes <= self.pages * Self::PAGE + few
            && (!self.in_memory || self.log <= few)
    }
}
