//! Commands that wait, watch, explain, draw, delete and set aside, against a torcd that says exactly
//! what a test wants it to say.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

#[path = "../script/mod.rs"]
mod script;

mod graph;
mod jobs;
mod lists;
mod views;
mod wait;
mod watch;
mod workflows;
