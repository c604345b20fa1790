//! The options about the record of a private torcd.

use std::path::PathBuf;

use clap::Args;
use torc_protocol::config::key::{MAX_KEEP, MAX_SECONDS};

/// Where the record of a private torcd is kept.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "The record (of a private torcd)")]
pub(crate) struct RecordArgs {
    /// Keep the database in memory and snapshots of it at --db (this is the default)
    #[arg(long, conflicts_with = "on_disk")]
    pub(crate) in_memory: bool,
    /// Keep the database itself at --db
    #[arg(long)]
    pub(crate) on_disk: bool,
    /// Start with an empty database, and move the one that is there aside
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Take the database over from a torcd that has died on another host
    #[arg(long)]
    pub(crate) steal: bool,
    /// Keep so many snapshots [env: TORC_SERVER_SNAPSHOT_KEEP] [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_KEEP as i64))]
    pub(crate) snapshot_keep: Option<u32>,
    /// Take a snapshot every N seconds as well, when something has changed; 0 is never
    /// [env: TORC_SNAPSHOT_INTERVAL_SECONDS]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=MAX_SECONDS))]
    pub(crate) snapshot_interval_seconds: Option<u64>,
    #[command(flatten)]
    pub(crate) end: EndArgs,
}

/// What becomes of the record at the end of a torcd.
#[derive(Args, Debug, Default)]
pub(crate) struct EndArgs {
    /// Give the final snapshot so many seconds to get to disk; then it is saved elsewhere
    /// [env: TORC_SNAPSHOT_TIMEOUT_SECONDS] [default: 300]
    #[arg(long, value_name = "SECS", value_parser = clap::value_parser!(u64).range(..=MAX_SECONDS))]
    pub(crate) snapshot_timeout: Option<u64>,
    /// Where a final snapshot is saved first that cannot get to its place [env: TORC_SPILL_DIR]
    ///
    /// Then come `$SLURM_TMPDIR`, `$TMPDIR`, /dev/shm and /tmp. `torcctl snapshot recover` brings it
    /// home.
    #[arg(long, value_name = "DIR")]
    pub(crate) spill_dir: Option<PathBuf>,
}

impl EndArgs {
    /// Returns whether any of these was given.
    pub(crate) fn any(&self) -> bool {
        self.snapshot_timeout.is_some() || self.spill_dir.is_some()
    }
}

impl RecordArgs {
    /// Returns whether any of these was given, which makes sense for a private torcd only.
    pub(crate) fn any(&self) -> bool {
        self.in_memory
            || self.on_disk
            || self.fresh
            || self.steal
            || self.snapshot_keep.is_some()
            || self.snapshot_interval_seconds.is_some()
            || self.end.any()
    }
}
