//! torcd: the daemon that runs jobs and keeps the record of them.
//!
//! From the top: `cli` reads the command line; `daemon` builds everything from the bottom up and
//! stops it from the top down; `server` accepts connections, `signals` hears the system, and `notify`
//! tells a supervisor how we are; a `session` serves one connection with the `handlers`; the
//! `dispatcher` owns the truth and the `snapshot`ter brings it to disk; under them the `engine`, the
//! `store`, the `nodes` and the `event_bus`. `worker` and `snapshot_writer` are processes of their
//! own. Imports go downwards only (`tests/tests/layers.rs`).

pub mod cli;
pub mod config;
pub mod daemon;
pub mod dispatcher;
pub mod engine;
pub mod event_bus;
pub mod handlers;
pub mod lines;
pub mod nodes;
pub mod notify;
pub mod seats;
pub mod server;
pub mod session;
pub mod signals;
pub mod snapshot;
pub mod snapshot_writer;
pub mod store;
pub mod sys;
pub mod worker;
