//! What is shown while jobs run: a model that folds events, and renderers that only draw it.

pub mod bar;
pub mod display;
pub mod lines;
pub mod model;
