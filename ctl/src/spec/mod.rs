//! From what the user writes to jobs: commands, parameters, and their combinations; and workflow
//! files.
//!
//! Everything is checked before anything is sent: once an [`expansion::Expansion`] exists, its jobs
//! can be made without failing, and a [`resolved::Workflow`] has nothing left to look up. For
//! `exec`, the modules build on each other in this order: `decimal`, `value`, `number_format`, then
//! `parameter` and `template`, then `commands_file` and `expansion`. For workflow files:
//! `complaint`, then `fields` (what there is), `file` (from text to a tree), `model` (from the tree
//! to templates), `resolve` (from templates to jobs) on top of `parameter` and `template`, and
//! `workflow_file`, which is where others begin.

pub mod commands_file;
pub mod complaint;
pub mod decimal;
pub mod dry_run;
pub mod duration;
pub mod expansion;
pub mod fields;
pub mod file;
pub mod listing;
pub mod memory;
pub mod model;
pub mod number_format;
pub mod parameter;
pub mod plain_path;
pub mod quote;
pub mod resolve;
pub mod resolved;
pub mod signal;
pub mod template;
pub mod value;
pub mod workflow_file;
