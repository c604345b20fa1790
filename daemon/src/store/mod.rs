//! The database. The only module that knows SQL.

pub mod migrate;
