//! torcctl: the command line of torc.
//!
//! From the top: `cli` lists the commands; `commands/` has one file for each; they draw on
//! `completion/`, `manual` and `mistakes`, on `context`, `spec/` and `progress/`; those on `client`,
//! `standalone`, `snapshot_files`, `signals` and `output/`; and all on `degraded`, `skew`, `error`,
//! `exit_code`, `format`, `stderr` and `style`.
//! Imports go downwards only (`tests/tests/layers.rs`).
//!
//! `reference` renders `docs/cli.md`; it knows none of the others.
//!
//! torcctl never opens a database: it asks a torcd, or starts one that reads the file.

pub mod cli;
pub mod client;
pub mod commands;
pub mod completion;
pub mod context;
pub mod degraded;
pub mod error;
pub mod exit_code;
pub mod format;
pub mod manual;
pub mod mistakes;
pub mod output;
pub mod progress;
pub mod reference;
pub mod signals;
pub mod skew;
pub mod snapshot_files;
pub mod spec;
pub mod standalone;
pub mod stderr;
pub mod style;
