//! What goes to which of our streams: the choices, and the last words.

use std::io::{self, IsTerminal};

use super::Args;
use super::args::Print;
use super::outcome::Outcome;
use super::plan::Plan;
use super::report;
use super::saving::Saved;
use super::summary::Summary;
use crate::context::Context;
use crate::error::CliError;
use crate::format::Format;
use crate::output::stdout::Stdout;
use crate::progress::display::Mode;
use crate::stderr;
use crate::style::Palette;

/// Returns how the output of jobs is shown: as asked for, else live for a single `-- CMD`.
pub(super) fn print_mode(ctx: &Context, args: &Args) -> Result<Print, CliError> {
    let programs = ctx.globals.format.is_for_programs();
    if ctx.globals.format == Format::Csv {
        return Err(CliError::usage("`exec` has no output in csv").hint(
            "use `--format json` or ndjson, and `torcctl results list --format csv` afterwards",
        ));
    }
    match args.workflow.print {
        Some(print) if programs && print != Print::None => {
            Err(CliError::usage("`--print` and `--format` cannot both have stdout")
                .hint("leave one of them out; `torcctl logs JOB` shows output afterwards"))
        }
        Some(Print::Live | Print::None) if args.workflow.keep_order => {
            Err(CliError::usage("`--keep-order` needs `--print grouped`").hint("add it"))
        }
        Some(print) => Ok(print),
        None if args.workflow.keep_order => Ok(Print::Grouped),
        None if !args.input.argv.is_empty() && !programs => Ok(Print::Live),
        None => Ok(Print::None),
    }
}

/// Returns how progress is shown. Where jobs write to our streams there is no room for a bar.
pub(super) fn display_mode(ctx: &Context, print: Print) -> Mode {
    let stderr = io::stderr();
    if ctx.globals.quiet || print != Print::None || ctx.globals.format == Format::Ndjson {
        Mode::Off
    } else if stderr.is_terminal() {
        Mode::Bar(Palette::new(ctx.globals.color, true))
    } else {
        Mode::Lines
    }
}

/// Says which names in braces stay as they are.
pub(super) fn warn_of_unknown_names(plan: &Plan) {
    let unknown = plan.jobs.unknown_names();
    if unknown.is_empty() {
        return;
    }
    let names: Vec<_> = unknown.iter().take(5).map(|name| format!("{{{name}}}")).collect();
    let more = if unknown.len() > names.len() { " and others" } else { "" };
    stderr::say(&format!("warning: {}{more} is no parameter and stays as it is", names.join(", ")));
}

/// Writes the report to stderr, or the summary to stdout.
pub(super) fn tell(ctx: &Context, outcome: &Outcome) -> Result<(), CliError> {
    if ctx.globals.format.is_for_programs() {
        let summary = Summary::from(outcome);
        let json = match ctx.globals.format {
            Format::Json => serde_json::to_string_pretty(&summary),
            Format::Ndjson | Format::Table | Format::Csv => serde_json::to_string(&summary),
        };
        let json = json.map_err(io::Error::from)?;
        if !matches!(outcome.saved, Saved::Durable(_)) {
            stderr::say(report::text(outcome, Palette::PLAIN, true).trim_end());
        }
        return Ok(Stdout::new(ctx.globals.format, ctx.globals.color).line(&json)?);
    }
    let palette = Palette::new(ctx.globals.color, io::stderr().is_terminal());
    let text = report::text(outcome, palette, ctx.globals.quiet);
    if !text.is_empty() {
        stderr::say(text.trim_end());
    }
    Ok(())
}

#[cfg(test)]
#[path = "showing_tests.rs"]
mod tests;
