//! Snapshots: how the database comes to disk, and back.
//!
//! - [`lease`]: that nobody else works at the same place.
//! - [`load`]: the newest good one, at start; [`aside`]: for a fresh start.
//! - [`remains`]: what torcds have left that were killed or could not save; [`takeover`]: what
//!   becomes of it at start.
//! - [`snapshotter`]: takes them, at most one at a time.
//! - [`spill`]: the last one, when its place does not take it.
//! - [`source`]: the copy; [`writer_process`]: the process that brings it to disk.
//! - [`listing`]: what there is, for `torcctl snapshot`.

pub mod aside;
pub mod lease;
pub mod listing;
pub mod load;
pub mod remains;
pub mod snapshotter;
pub mod source;
pub mod spill;
pub mod takeover;
pub mod writer_process;
