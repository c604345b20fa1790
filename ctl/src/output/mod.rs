//! Everything that is given out as a result: the one place that renders views as tables, JSON,
//! NDJSON and CSV.
//!
//! `column` says what a view has, `views` which columns each view of the protocol has, `list` and
//! `table` write lists, `page` single things, `stdout` where they go.

pub mod column;
pub mod list;
pub mod page;
pub mod stdout;
pub mod table;
mod views;
