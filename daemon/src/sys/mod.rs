//! System calls that std does not offer, as safe functions. The only `unsafe` outside `worker`.

pub mod files;
pub mod host;
pub mod inherited;
pub mod memory;
pub mod process;
pub mod signals;
pub mod socket;
