//! One file for each command: what it is for, its `Args`, and `run`, which returns the exit code.

pub mod api;
pub mod cancel;
pub mod complete;
pub mod completions;
pub mod config;
pub mod daemon;
pub mod exec;
pub mod explain;
pub mod files;
#[cfg(test)]
mod fixtures;
pub mod help;
pub mod jobs;
mod list;
pub mod logs;
pub mod man;
mod rerun;
pub mod results;
pub mod retry;
pub mod run;
mod running;
pub mod service;
pub mod snapshot;
pub mod status;
pub mod submit;
pub mod user_data;
mod value;
pub mod wait;
pub mod watch;
mod watching;
pub mod workflows;
