//! `torcd snapshot-writer` as a process, and torcd's side of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod faults;
mod place;
mod process;
mod rotation;
mod writing;

/// The program under test.
const TORCD: &str = env!("CARGO_BIN_EXE_torcd");
