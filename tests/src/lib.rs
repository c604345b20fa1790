//! What the tests of torc are made of.
//!
//! [`torc::Torc`] is a home of its own for each test: directories, a socket, no inherited
//! environment. It starts the binaries as users have them, torcd beside torcctl, and when it goes
//! it fails the test if a process is left. [`source`] reads the sources for the rules about them.

#![expect(clippy::missing_panics_doc, reason = "in a test everything that fails panics")]

pub mod benchmark;
pub mod blocks;
pub mod client;
pub mod daemon;
pub mod database;
pub mod footprint;
pub mod fuzz;
pub mod memory;
pub mod outcome;
pub mod processes;
pub mod recipes;
pub mod running;
pub mod schema;
pub mod slow_disk;
pub mod small_disk;
pub mod source;
pub mod supervisor;
pub mod systemd;
pub mod torc;
pub mod wait;
