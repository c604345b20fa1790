//! What torcctl, torcd and its workers say to each other.
//!
//! Plain types and the codec that carries them; no behaviour of either side but for the reading of
//! settings, which both do alike (`config`, on top of `paths` and `nearest`), and of units (`unit`). The modules build on
//! each other in this order: `id time status resources hello codec paths json nearest unit`, then
//! `spec result view event worker journal`, then `response request call`, then `connection`.
//!
//! Everything here is a promise: a change of any type that travels is a new
//! [`hello::PROTOCOL_VERSION`], and the golden frames in `tests/golden/` fail until it is.

#![warn(missing_docs)]

pub mod call;
pub mod codec;
pub mod config;
pub mod connection;
pub mod event;
pub mod hello;
pub mod id;
pub mod journal;
mod json;
pub mod nearest;
pub mod paths;
pub mod request;
pub mod resources;
pub mod response;
pub mod result;
pub mod spec;
pub mod status;
pub mod time;
pub mod unit;
pub mod view;
pub mod worker;
