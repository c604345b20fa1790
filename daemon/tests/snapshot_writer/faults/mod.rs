//! Snapshots on disks that fail, hang, lose power or lie, and writers that are killed, at every call.
//!
//! All of it goes through the seam, `torcd::snapshot_writer::disk::Disk`: a [`disk::Hooked`] disk does
//! what the real one does, unless its hook decides otherwise for this call. What must hold afterwards
//! is in [`findings`], once for all; `unprotected` shows that it finds what it is there for.

mod disk;
mod findings;
mod images;
mod killed;
mod nth_call;
mod power;
mod power_cut;
mod scene;
mod stalled;
mod unprotected;
