//! The database. The only module that knows SQL.
//!
//! - [`home`]: where a database lives: in memory, in a file, or in a file that is only read.
//! - [`private_dir`]: directories in memory for it, and what the dead have left there.
//! - [`migrate`]: the schema.
//! - [`tables`]: one file a table, with the statements that write it.
//! - [`writer`]: the one connection that writes, owned by the dispatcher's thread.
//! - `checkpoints`: from the log into the database, beside it.
//! - `free_pages`: what deleted rows have left, given back.
//! - [`reader`]: connections that only read, beside it.
//! - [`residence`]: where it lives now, for those who read it there; [`moving`]: to another home.
//! - [`room`]: whether there is room for it in memory.
//! - [`query`]: what the list commands ask.
//! - [`lineage`]: which of two databases goes on from the other.
//! - [`live`]: copies of a database that another process writes to.
//! - [`image`]: copies for snapshots; [`verify`]: whether a file is a whole database of ours.
//! - [`shadow`]: databases in SQLite's own memory, and their copies.
//! - [`sql`]: the types that others pass on.
//!
//! A statement of a table takes a connection, and runs in whatever transaction that is in.

mod checkpoints;
mod free_pages;
pub mod home;
pub mod image;
pub mod lineage;
pub mod live;
pub mod migrate;
pub mod moving;
pub mod private_dir;
pub mod query;
pub mod reader;
pub mod residence;
pub mod room;
pub mod shadow;
pub mod sql;
pub mod tables;
pub mod verify;
pub mod writer;
