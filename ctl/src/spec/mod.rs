//! From what the user writes to jobs: commands, parameters, and their combinations.
//!
//! Everything is checked before anything is sent: once an [`expansion::Expansion`] exists, its jobs
//! can be made without failing. The modules build on each other in this order: `decimal`, `value`,
//! `number_format`, then `parameter` and `template`, then `commands_file` and `expansion`.

pub mod commands_file;
pub mod decimal;
pub mod dry_run;
pub mod duration;
pub mod expansion;
pub mod number_format;
pub mod parameter;
pub mod quote;
pub mod template;
pub mod value;
