//! One file for each command: what it is for, its `Args`, and `run`, which returns the exit code.

pub mod cancel;
pub mod completions;
pub mod daemon;
pub mod exec;
pub mod jobs;
mod list;
pub mod logs;
pub mod results;
pub mod snapshot;
pub mod status;
mod value;
pub mod workflows;
