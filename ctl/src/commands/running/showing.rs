//! What goes to which of our streams: the choices, and the last words.

use std::io::{self, IsTerminal};

use torc_protocol::config::key::Key;

use super::args::{Print, ShowArgs};
use super::outcome::Outcome;
use super::report;
use super::saving::Saved;
use super::summary::Summary;
use crate::context::{Context, choice};
use crate::error::CliError;
use crate::format::Format;
use crate::output::stdout::Stdout;
use crate::progress::display::Mode;
use crate::stderr;
use crate::style::Palette;

/// How a run is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Show {
    /// The output of jobs.
    pub(crate) print: Print,
    /// Whole outputs come in the order of the input.
    pub(crate) keep_order: bool,
    /// Nothing is shown, and nobody waits.
    pub(crate) detach: bool,
}

impl Show {
    /// Shows nothing and does not wait.
    pub(crate) const DETACHED: Self = Self { print: Print::None, keep_order: false, detach: true };

    /// Returns what needs a torcd that outlives us, if anything does.
    pub(crate) fn lasting(&self) -> Option<&'static str> {
        self.detach.then_some("`--detach`")
    }

    /// Returns how `command` shows its run: as asked for, else live for what is `single`.
    pub(crate) fn new(
        ctx: &Context,
        args: &ShowArgs,
        command: &str,
        single: bool,
    ) -> Result<Self, CliError> {
        let programs = ctx.globals.format.is_for_programs();
        if ctx.globals.format == Format::Csv {
            return Err(CliError::usage(format!("`{command}` has no output in csv")).hint(
                "use `--format json` or ndjson, and `torcctl results list --format csv` afterwards",
            ));
        }
        let print = match args.print {
            Some(print) if programs && print != Print::None => {
                return Err(CliError::usage("`--print` and `--format` cannot both have stdout")
                    .hint("leave one of them out; `torcctl logs JOB` shows output afterwards"));
            }
            Some(Print::Live | Print::None) if args.keep_order => {
                return Err(
                    CliError::usage("`--keep-order` needs `--print grouped`").hint("add it")
                );
            }
            Some(print) => print,
            None if args.keep_order => Print::Grouped,
            None if programs => Print::None,
            None => match choice(&ctx.settings, Key::Print) {
                Some(print) => print,
                None if single => Print::Live,
                None => Print::None,
            },
        };
        Ok(Self { print, keep_order: args.keep_order, detach: args.detach })
    }
}

/// Returns how progress is shown. Where jobs write to our streams there is no room for a bar.
pub(crate) fn display_mode(ctx: &Context, print: Print) -> Mode {
    if print != Print::None || ctx.globals.format == Format::Ndjson {
        Mode::Off
    } else {
        waiting_mode(ctx)
    }
}

/// Returns how is shown what is waited for when all jobs have ended and their output is written.
pub(crate) fn waiting_mode(ctx: &Context) -> Mode {
    let stderr = io::stderr();
    if ctx.globals.quiet {
        Mode::Off
    } else if stderr.is_terminal() {
        Mode::Bar(Palette::new(ctx.globals.color, true))
    } else {
        Mode::Lines
    }
}

/// Writes the report to stderr, or the summary to stdout.
pub(crate) fn tell(ctx: &Context, outcome: &Outcome) -> Result<(), CliError> {
    if ctx.globals.format.is_for_programs() {
        let summary = Summary::from(outcome);
        let text = match ctx.globals.format {
            Format::Id => Ok(outcome.workflow.to_string()),
            Format::Json => serde_json::to_string_pretty(&summary),
            Format::Ndjson | Format::Table | Format::Csv => serde_json::to_string(&summary),
        };
        let text = text.map_err(io::Error::from)?;
        if !matches!(outcome.saved, Saved::Durable(_)) {
            stderr::say(report::text(outcome, Palette::PLAIN, true).trim_end());
        }
        return Ok(Stdout::new(ctx.globals.format, ctx.globals.color).line(&text)?);
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
