//! A graph for programs: one JSON object, written as its parts come.

use std::io::{self, Write};

use serde::Serialize;
use torc_protocol::id::JobId;
use torc_protocol::status::JobStatus;
use torc_protocol::view::{EdgeView, JobView, WorkflowView};

use super::Drawing;

/// Writes JSON: `workflow`, `jobs`, `edges`.
#[derive(Default)]
pub(super) struct Json {
    jobs: u64,
    edges: u64,
}

/// A job.
#[derive(Serialize)]
struct Node<'a> {
    id: JobId,
    name: &'a str,
    status: JobStatus,
}

impl Json {
    /// Ends the list of jobs and begins that of edges, once.
    fn begin_edges(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.edges == 0 { write!(out, "\n  ],\n  \"edges\": [") } else { Ok(()) }
    }
}

fn item(out: &mut dyn Write, count: &mut u64, value: &impl Serialize) -> io::Result<()> {
    write!(out, "{}\n    ", if *count == 0 { "" } else { "," })?;
    *count += 1;
    Ok(serde_json::to_writer(out, value)?)
}

impl Drawing for Json {
    fn begin(&mut self, out: &mut dyn Write, workflow: &WorkflowView) -> io::Result<()> {
        write!(out, "{{\n  \"workflow\": ")?;
        serde_json::to_writer(&mut *out, workflow)?;
        write!(out, ",\n  \"jobs\": [")
    }

    fn job(&mut self, out: &mut dyn Write, job: &JobView) -> io::Result<()> {
        let node = Node { id: job.id, name: &job.name, status: job.status };
        item(out, &mut self.jobs, &node)
    }

    fn edge(&mut self, out: &mut dyn Write, first: JobId, waiting: JobId) -> io::Result<()> {
        self.begin_edges(out)?;
        item(out, &mut self.edges, &EdgeView { job_id: waiting, depends_on: first })
    }

    fn end(&mut self, out: &mut dyn Write) -> io::Result<()> {
        self.begin_edges(out)?;
        writeln!(out, "\n  ]\n}}")
    }
}
