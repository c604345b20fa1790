//! Snapshots: how the database comes to disk, and back.
//!
//! - [`lease`]: that nobody else works at the same place.
//! - [`load`]: the newest good one, at start; [`aside`]: for a fresh start.
//! - [`snapshotter`]: takes them, at most one at a time.
//! - [`source`]: the copy; [`writer_process`]: the process that brings it to disk.

pub mod aside;
pub mod lease;
pub mod load;
pub mod snapshotter;
pub mod source;
pub mod writer_process;
