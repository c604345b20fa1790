//! torcctl: the command line of torc.
//!
//! From the top: `cli` lists the commands; `commands/` has one file for each; they draw on
//! `context`, `spec/` and `progress/`; those on `client`, `standalone` and `output/`; and all on
//! `error`, `exit_code` and `style`. Imports go downwards only (`tests/tests/layers.rs`).
//!
//! torcctl never opens a database: it asks a torcd, or starts one that reads the file.

pub mod client;
pub mod error;
pub mod exit_code;
