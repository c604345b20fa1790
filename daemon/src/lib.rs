//! torcd: the daemon that runs jobs and keeps the record of them.

pub mod store;
pub mod sys;
pub mod worker;
