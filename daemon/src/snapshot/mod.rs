//! Snapshots: how the database comes to disk, and back.
//!
//! - [`load`]: the newest good one, at start.
//! - [`aside`]: for a fresh start.
//! - [`writer_process`]: the process that writes one.

pub mod aside;
pub mod lease;
pub mod load;
pub mod snapshotter;
pub mod writer_process;
