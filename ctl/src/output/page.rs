//! Single things: for people a page of labelled lines, for programs one JSON value.

use std::io::{self, Write};

use serde::Serialize;

use crate::error::CliError;
use crate::format::Format;
use crate::style::{Palette, Tone};

/// Labelled lines, aligned.
#[derive(Debug, Default)]
pub struct Page {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    label: &'static str,
    text: String,
    tone: Tone,
}

impl Page {
    /// Adds a line.
    pub fn line(&mut self, label: &'static str, text: impl Into<String>) -> &mut Self {
        self.toned(label, text, Tone::Plain)
    }

    /// Adds a line in the colour of `tone`.
    pub fn toned(&mut self, label: &'static str, text: impl Into<String>, tone: Tone) -> &mut Self {
        self.lines.push(Line { label, text: text.into(), tone });
        self
    }

    /// Writes the page.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn write(&self, palette: Palette, mut out: impl Write) -> io::Result<()> {
        let width = self.lines.iter().map(|line| line.label.len()).max().unwrap_or(0);
        for line in &self.lines {
            let label = palette.paint(Tone::Dim, &format!("{:<width$}", line.label));
            writeln!(out, "{label}  {}", palette.paint(line.tone, &line.text))?;
        }
        out.flush()
    }
}

/// Checks, before anything is done, that `format` is one of those that single things have.
///
/// # Errors
///
/// When it is CSV or `id`; `what` is then named.
pub fn check_format(format: Format, what: &str) -> Result<(), CliError> {
    match format {
        Format::Csv => {
            Err(CliError::usage(format!("there is no CSV form of {what}"))
                .hint("use `--format json`"))
        }
        Format::Id => Err(CliError::usage(format!("`--format id` has nothing to print of {what}"))
            .hint("use `--format json`")),
        Format::Table | Format::Json | Format::Ndjson => Ok(()),
    }
}

/// Writes `value` as JSON in the form that `format` asks for.
///
/// # Errors
///
/// When it cannot be written, or as [`check_format`] says.
pub fn write_json(
    format: Format,
    what: &str,
    value: &impl Serialize,
    mut out: impl Write,
) -> Result<(), CliError> {
    check_format(format, what)?;
    let written = match format {
        Format::Ndjson => serde_json::to_writer(&mut out, value),
        Format::Json | Format::Table | Format::Csv | Format::Id => {
            serde_json::to_writer_pretty(&mut out, value)
        }
    };
    written.map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_page_are_aligned() {
        let mut page = Page::default();
        page.line("pid", "42").line("database", "/x.db");
        let mut out = Vec::new();
        page.write(Palette::PLAIN, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "pid       42\ndatabase  /x.db\n");
    }

    #[test]
    fn json_is_indented_and_ndjson_is_not() {
        let write = |format| {
            let mut out = Vec::new();
            write_json(format, "a pair", &[1, 2], &mut out)
                .map(|()| String::from_utf8(out).unwrap())
        };
        assert_eq!(write(Format::Json).unwrap(), "[\n  1,\n  2\n]\n");
        assert_eq!(write(Format::Ndjson).unwrap(), "[1,2]\n");
        assert_eq!(write(Format::Csv).unwrap_err().message, "there is no CSV form of a pair");
        let refused = write(Format::Id).unwrap_err();
        assert_eq!(refused.message, "`--format id` has nothing to print of a pair");
        assert_eq!(refused.exit_code(), 2);
    }
}
