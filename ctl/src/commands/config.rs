//! `torcctl config`: what is set, and where.

mod path;
mod show;

use crate::context::Context;
use crate::error::CliError;

const EXAMPLES: &str = "\
Examples:
  torcctl config show                    every setting, its value, and where it is set
  torcctl config show snapshot.keep      all about one
  torcctl config path                    the files that are read

docs/configuration.md explains them.";

/// Show the settings of torcctl and torcd, and where they are set
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Debug)]
enum Verb {
    Show(show::Show),
    Path(path::Places),
}

impl Args {
    /// Returns whether nothing can be done when the settings are wrong.
    #[must_use]
    pub fn needs_settings(&self) -> bool {
        matches!(self.verb, Verb::Show(_))
    }
}

/// Runs it.
///
/// # Errors
///
/// When there is no such setting or column.
pub fn run(ctx: &Context, args: Args) -> Result<u8, CliError> {
    match args.verb {
        Verb::Show(args) => show::run(ctx, &args),
        Verb::Path(args) => path::run(ctx, &args),
    }
}
