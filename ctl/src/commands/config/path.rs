//! `torcctl config path`: the files of settings.

use serde::Serialize;
use torc_protocol::config::sources::{Place, Sources, State};

use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::column::{Column, Field, View};
use crate::output::stdout::Stdout;

const EXAMPLES: &str = "\
Examples:
  torcctl config path
  torcctl config path --format json | jq -r '.[] | select(.state == \"read\") | .path'

A later one goes before an earlier one. That of a project is torc.toml in the working directory, or in
the nearest directory above it that has one.

Columns: layer, path, state, settings, problem";

/// Print which files of settings there are, and which would be read
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Places {
    /// Show these columns, named below, in this order
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    columns: Vec<String>,
}

/// A place of a file.
#[derive(Debug, Serialize)]
struct PlaceView {
    /// `system`, `user` or `project`.
    layer: &'static str,
    path: String,
    /// `read`, `missing`, `ignored` or `wrong`.
    state: &'static str,
    /// How many settings are in it.
    settings: u64,
    /// Why it is ignored, or what is wrong with it.
    problem: Option<String>,
}

impl View for PlaceView {
    const NOUN: &'static str = "file";
    const ID: &'static str = "path";
    const COLUMNS: &'static [Column<Self>] = &[
        Column { name: "layer", heading: "LAYER", field: Field::Text(|it| Some(it.layer)) },
        Column { name: "path", heading: "FILE", field: Field::Text(|it| Some(&it.path)) },
        Column { name: "state", heading: "STATE", field: Field::Text(|it| Some(it.state)) },
        Column { name: "settings", heading: "SETTINGS", field: Field::Count(|it| it.settings) },
        Column {
            name: "problem",
            heading: "PROBLEM",
            field: Field::Text(|it| it.problem.as_deref()),
        },
    ];
    const SHOWN: &'static [&'static str] = &["layer", "path", "state", "settings", "problem"];
}

impl From<Place> for PlaceView {
    fn from(place: Place) -> Self {
        let (state, settings, problem) = match place.state {
            State::Missing => ("missing", 0, None),
            State::Read(entries) => ("read", entries.len(), None),
            State::Strange => {
                let why = "it belongs to somebody else, in a directory for everybody";
                ("ignored", 0, Some(why.to_owned()))
            }
            State::Wrong(error) => ("wrong", 0, Some(error.to_string())),
        };
        Self {
            layer: place.layer.name(),
            path: place.path.display().to_string(),
            state,
            settings: settings as u64,
            problem,
        }
    }
}

pub(super) fn run(ctx: &Context, args: &Places) -> Result<u8, CliError> {
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let mut list = stdout.list(&args.columns)?;
    for place in Sources::here(true).places() {
        list.item(&PlaceView::from(place))?;
    }
    list.end()?;
    Ok(exit_code::DONE)
}
