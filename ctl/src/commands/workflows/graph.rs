//! `torcctl workflows graph`: which job waits for which, as a text that other programs draw.
//!
//! Jobs are written as they come; of the dependencies two numbers are kept each, to be sorted, so
//! that the same workflow gives the same text. Jobs are called by their ids in it, and their names
//! are labels: a label may hold anything.

mod colors;
mod dot;
mod json;
mod mermaid;

use std::io::{self, Write};

use clap::ValueEnum;
use torc_protocol::id::JobId;
use torc_protocol::request::{GetWorkflow, ListEdges, ListJobs, WorkflowSelector};
use torc_protocol::view::{JobView, WorkflowView};

use self::colors::{Colors, StatusColors};
use crate::client::Client;
use crate::commands::{value, watching};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::format::Format;
use crate::output::stdout::Stdout;
use crate::stderr;
use crate::style::count;

const EXAMPLES: &str = "\
Examples:
  torcctl workflows graph | dot -Tsvg > graph.svg
  torcctl workflows graph night --as mermaid
  torcctl workflows graph 3 --status-colors failed=red,completed=#ffffff
  torcctl workflows graph 3 --status-colors none
  torcctl workflows graph 3 --as json      keys: workflow, jobs[id, name, status],
                                           edges[job_id, depends_on]";

/// More jobs than this are no picture any more.
const MANY: u64 = 2_000;

/// Draw which jobs of a workflow wait for which
///
/// Writes a text for Graphviz or Mermaid, with the state of each job as its colour.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Graph {
    /// The workflow: its id, its name, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, default_value = "latest")]
    workflow: WorkflowSelector,
    /// The language of the text [default: dot; json with --format json]
    #[arg(long = "as", value_enum, value_name = "LANGUAGE", hide_default_value = true)]
    language: Option<Language>,
    /// Other colours for some states, or `none`: a name, or # and six hexadecimal digits
    #[arg(long, value_name = "STATUS=COLOUR,…", default_value_t, hide_default_value = true)]
    status_colors: StatusColors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Language {
    /// For Graphviz
    Dot,
    /// For Mermaid, which many wikis and forges draw
    Mermaid,
    /// For programs
    Json,
}

/// Writes a graph in one language.
trait Drawing {
    /// Writes what stands before the first job.
    fn begin(&mut self, out: &mut dyn Write, workflow: &WorkflowView) -> io::Result<()>;
    /// Writes a job.
    fn job(&mut self, out: &mut dyn Write, job: &JobView) -> io::Result<()>;
    /// Writes that `waiting` waits for `first`. Comes after all jobs.
    fn edge(&mut self, out: &mut dyn Write, first: JobId, waiting: JobId) -> io::Result<()>;
    /// Writes what stands behind the last dependency.
    fn end(&mut self, out: &mut dyn Write) -> io::Result<()>;
}

pub(super) async fn run(ctx: &Context, args: Graph) -> Result<u8, CliError> {
    let set = if ctx.globals.format == Format::Json { Format::Json } else { Format::Table };
    let language = language(args.language, ctx.globals.given_format.unwrap_or(set))?;
    let mut reader = ctx.reader().await?;
    let call = GetWorkflow { workflow: args.workflow };
    let workflow = reader.client.call(call).await?;
    if workflow.jobs.total > MANY && language != Language::Json && !ctx.globals.quiet {
        stderr::say(&format!(
            "warning: {} has {}; programs that draw take minutes from some thousands on",
            watching::name(&workflow),
            count(workflow.jobs.total, "job")
        ));
    }
    let mut out = Stdout::new(ctx.globals.format, ctx.globals.color).open();
    let drawing = &mut *drawing(language, args.status_colors.0);
    draw(&mut reader.client, &workflow, drawing, &mut out).await?;
    out.flush()?;
    Ok(exit_code::DONE)
}

fn language(named: Option<Language>, format: Format) -> Result<Language, CliError> {
    match (named, format) {
        (_, Format::Ndjson | Format::Csv | Format::Id) => {
            Err(CliError::usage("there is no such form of a graph")
                .hint("use `--as dot`, `--as mermaid` or `--as json`"))
        }
        (Some(language), _) => Ok(language),
        (None, Format::Json) => Ok(Language::Json),
        (None, Format::Table) => Ok(Language::Dot),
    }
}

fn drawing(language: Language, colors: Colors) -> Box<dyn Drawing> {
    match language {
        Language::Dot => Box::new(dot::Dot { colors }),
        Language::Mermaid => Box::new(mermaid::Mermaid::new(colors)),
        Language::Json => Box::new(json::Json::default()),
    }
}

async fn draw(
    client: &mut Client,
    workflow: &WorkflowView,
    drawing: &mut dyn Drawing,
    out: &mut dyn Write,
) -> Result<(), CliError> {
    let selector = WorkflowSelector::Id(workflow.id);
    drawing.begin(out, workflow)?;
    let mut ids = Vec::new();
    client.stream(ListJobs { workflow: selector.clone(), ..ListJobs::default() }).await?;
    while let Some(jobs) = client.next::<ListJobs>().await? {
        for job in &jobs {
            ids.push(job.id);
            drawing.job(out, job)?;
        }
    }
    ids.sort_unstable();
    let mut edges = Vec::new();
    client.stream(ListEdges { workflow: selector }).await?;
    while let Some(chunk) = client.next::<ListEdges>().await? {
        // Those of actions, which are no jobs, are not drawn.
        edges.extend(chunk.iter().filter_map(|edge| {
            let place = |id| ids.binary_search(id).ok().map(|place| place as u32);
            Some((place(&edge.depends_on)?, place(&edge.job_id)?))
        }));
    }
    edges.sort_unstable();
    for (first, waiting) in edges {
        drawing.edge(out, ids[first as usize], ids[waiting as usize])?;
    }
    Ok(drawing.end(out)?)
}

#[cfg(test)]
mod tests;
