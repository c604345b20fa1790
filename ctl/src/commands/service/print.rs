//! `torcctl service print`: the units, for packages and for whoever writes them by hand.

use std::path::{Path, PathBuf};

use crate::commands::service::unit::{Unit, Words};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::format::Format;
use crate::output::stdout::Stdout;

const EXAMPLES: &str = "\
Examples:
  torcctl service print
  torcctl service print socket --torcd-bin /usr/bin/torcd > torcd.socket    in a package";

/// Print the units that `service install` writes
///
/// The socket is the usual one in the runtime directory of whoever runs torcd, unless --socket names
/// another. No systemd is needed.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct PrintArgs {
    /// Which one; both without
    #[arg(value_enum)]
    unit: Option<Unit>,
}

pub(super) fn run(ctx: &Context, args: &PrintArgs) -> Result<u8, CliError> {
    if ctx.globals.format != Format::Table {
        return Err(CliError::usage("units have one form only, that of systemd")
            .hint("leave `--format` out"));
    }
    let torcd = torcd(ctx)?;
    let socket = ctx.globals.socket.as_deref().map(std::path::absolute).transpose()?;
    let words = Words::new(&torcd, socket.as_deref(), None)?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    let text = match args.unit {
        Some(unit) => words.text_of(unit),
        None => both(&words),
    };
    stdout.line(text.trim_end())?;
    Ok(exit_code::DONE)
}

fn both(words: &Words) -> String {
    Unit::ALL.map(|unit| format!("#\n# {unit}\n#\n{}", words.text_of(unit))).join("\n")
}

/// Returns the torcd that the units name, as an absolute path.
pub(super) fn torcd(ctx: &Context) -> Result<PathBuf, CliError> {
    let torcd = ctx.torcd()?;
    Ok(std::path::absolute(Path::new(&torcd))?)
}
