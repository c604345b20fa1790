//! The database. The only module that knows SQL.
//!
//! - [`home`]: where a database lives: in memory, in a file, or in a file that is only read.
//! - [`migrate`]: the schema.
//! - [`tables`]: one file a table, with the statements that write it.
//! - [`writer`]: the one connection that writes, owned by the dispatcher's thread.
//! - [`reader`]: connections that only read, beside it.
//! - [`query`]: what the list commands ask.
//! - [`image`]: copies for snapshots; [`verify`]: whether a file is a whole database of ours.
//! - [`sql`]: the types that others pass on.
//!
//! A statement of a table takes a connection, and runs in whatever transaction that is in.

pub mod home;
pub mod image;
pub mod migrate;
pub mod query;
pub mod reader;
pub mod sql;
pub mod tables;
pub mod verify;
pub mod writer;
