//! How the user wants things shown: the two global choices, as types.

use clap::ValueEnum;

/// A form of output. All but [`Format::Table`] are promises: names, units and types stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: aligned columns, durations and sizes in readable units
    #[default]
    Table,
    /// One JSON value; lists are one array
    Json,
    /// One JSON value a line
    Ndjson,
    /// A header and a row for each item, raw values
    Csv,
    /// Only what names each item, one a line: its id, or its name or path where that is it
    Id,
}

impl Format {
    /// Returns whether it is made for programs, so that nothing else may appear on stdout.
    #[must_use]
    pub fn is_for_programs(self) -> bool {
        self != Self::Table
    }
}

/// When to use colours and bars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
