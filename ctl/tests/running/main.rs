//! `run`, `retry`, `submit` and `exec --resume` against a torcd that says exactly what a test wants
//! it to say: what is asked of torcd, in which order, and what the user hears.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops at once")]

#[path = "../script/mod.rs"]
mod script;

mod answers;
mod end;
mod events;
mod numbers;
mod once;
mod rerun;
mod resume;
mod workflow_file;
