//! A graph for Mermaid.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use torc_protocol::id::JobId;
use torc_protocol::status::JobStatus;
use torc_protocol::view::{JobView, WorkflowView};

use super::Drawing;
use super::colors::Colors;
use crate::style::one_line;

/// Writes a Mermaid flowchart.
pub(super) struct Mermaid {
    colors: Colors,
    /// The states that occur.
    seen: BTreeSet<JobStatus>,
}

impl Mermaid {
    /// Returns a chart in these colours.
    pub(super) fn new(colors: Colors) -> Self {
        Self { colors, seen: BTreeSet::new() }
    }
}

impl Drawing for Mermaid {
    fn begin(&mut self, out: &mut dyn Write, _: &WorkflowView) -> io::Result<()> {
        writeln!(out, "flowchart LR")
    }

    fn job(&mut self, out: &mut dyn Write, job: &JobView) -> io::Result<()> {
        write!(out, "  j{}[\"{}\"]", job.id, escaped(&job.name))?;
        if self.colors.of(job.status).is_some() {
            self.seen.insert(job.status);
            write!(out, ":::{}", job.status)?;
        }
        writeln!(out)
    }

    fn edge(&mut self, out: &mut dyn Write, first: JobId, waiting: JobId) -> io::Result<()> {
        writeln!(out, "  j{first} --> j{waiting}")
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        for status in &self.seen {
            if let Some(color) = self.colors.of(*status) {
                writeln!(out, "  classDef {status} fill:{color},stroke:#555555,color:#000000")?;
            }
        }
        Ok(())
    }
}

/// Returns `text` with everything that Mermaid, Markdown or HTML could take for its own as the
/// number of the character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = Before::Nothing;
    for character in one_line(text).chars() {
        let is_harmless = character.is_ascii_alphanumeric()
            || !character.is_ascii()
            || matches!(character, ' ' | '_' | '/' | ':' | '=' | ',')
            || (matches!(character, '-' | '+') && before != Before::Nothing)
            || (character == '.' && before != Before::Number);
        if is_harmless {
            escaped.push(character);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "#{};", u32::from(character));
        }
        before = before.then(character);
    }
    escaped
}

/// What a label has begun with: a dash, or a number with a full stop, begins a list in Markdown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Number,
    Text,
}

impl Before {
    fn then(self, character: char) -> Self {
        match (self, character) {
            (Self::Nothing, ' ') => Self::Nothing,
            (Self::Nothing | Self::Number, '0'..='9') => Self::Number,
            _ => Self::Text,
        }
    }
}
