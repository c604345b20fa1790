//! A graph for Graphviz.

use std::io::{self, Write};

use torc_protocol::id::JobId;
use torc_protocol::view::{JobView, WorkflowView};

use super::Drawing;
use super::colors::Colors;
use crate::style::one_line;

/// Writes DOT.
pub(super) struct Dot {
    /// The colours of jobs.
    pub(super) colors: Colors,
}

impl Drawing for Dot {
    fn begin(&mut self, out: &mut dyn Write, workflow: &WorkflowView) -> io::Result<()> {
        writeln!(out, "digraph {} {{", quoted(&workflow.name))?;
        writeln!(out, "  rankdir=LR;")?;
        writeln!(out, "  node [shape=box, style=\"rounded,filled\", fillcolor=white];")
    }

    fn job(&mut self, out: &mut dyn Write, job: &JobView) -> io::Result<()> {
        write!(out, "  j{} [label={}", job.id, quoted(&job.name))?;
        if let Some(color) = self.colors.of(job.status) {
            write!(out, ", fillcolor=\"{color}\"")?;
        }
        writeln!(out, ", tooltip=\"{}\"];", job.status)
    }

    fn edge(&mut self, out: &mut dyn Write, first: JobId, waiting: JobId) -> io::Result<()> {
        writeln!(out, "  j{first} -> j{waiting};")
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "}}")
    }
}

/// Returns `text` in quotes. In a label a backslash begins an escape (`\N` is the name of the node),
/// so that it is doubled; and an ampersand begins an entity of HTML (`&lt;`).
fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        one_line(text).replace('\\', "\\\\").replace('"', "\\\"").replace('&', "&amp;")
    )
}
