//! `torcctl watch`: what happens in a workflow, as it happens.

mod lines;
pub(crate) mod reader;

use torc_protocol::event::EventKind;
use torc_protocol::request::{GetWorkflow, WorkflowSelector};
use torc_protocol::view::WorkflowView;

use crate::commands::running::event_lines;
use crate::commands::running::sinks::{Sink, write_all};
use crate::commands::value;
use crate::commands::watching::{News, Watching, exit_code, has_ended};
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::format::Format;
use crate::output::stdout::Stdout;
use crate::signals::Signals;
use crate::style::Palette;

const EXAMPLES: &str = "\
Examples:
  torcctl watch                             the latest workflow, from now on
  torcctl watch night --from-seq 1          with all that is still remembered of it
  torcctl watch 3 --format ndjson | jq -r '.event.job_finished.name // empty'

With --format ndjson each event is an object: seq, at (seconds since 1970), workflow_id, and event,
which has one key, the kind of event. Where events are not told, because they came before or are not
remembered, there is an object with next_seq and state instead: the workflow as it is.

Exit codes: 0 the workflow completed, 1 it did not, 3 torcd has gone, 6 there is no such workflow,
7 it is recorded as running, but nobody runs it";

/// Show what happens in a workflow until it has ended
///
/// Begins with the state of the workflow; or, with --from-seq, with what has happened.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The workflow: its id, its name, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, default_value = "latest")]
    workflow: WorkflowSelector,
    /// Begin with the event of this number; 1 is the first of a torcd
    #[arg(long, value_name = "N")]
    from_seq: Option<u64>,
}

/// Runs it.
///
/// # Errors
///
/// When the workflow does not exist, nobody can be asked, or torcd ends.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    let format = Form::new(ctx)?;
    let mut signals = Signals::listen()?;
    let watch = async {
        // Kept: when it reads a file, its torcd ends with it.
        let mut reader = ctx.reader().await?;
        let workflow = reader.client.call(GetWorkflow { workflow: args.workflow }).await?;
        let mut watching = Watching::begin(reader.client, workflow, args.from_seq).await?;
        let mut is_end_told = false;
        while let Some(news) = watching.next().await? {
            is_end_told = tells_end(&news);
            write_all(Sink::Stdout, format.write(&news)?).await?;
        }
        if !is_end_told {
            write_all(Sink::Stdout, format.end(watching.workflow())).await?;
        }
        Ok(exit_code(watching.workflow()))
    };
    tokio::select! {
        outcome = watch => outcome,
        signal = signals.next() => Ok(signal.exit_code()),
        () = reader::gone() => Ok(exit_code::DONE),
    }
}

/// How events are written.
enum Form {
    Lines(Palette),
    Objects,
}

impl Form {
    fn new(ctx: &Context) -> Result<Self, CliError> {
        match ctx.globals.format {
            Format::Table => {
                let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
                Ok(Self::Lines(stdout.layout.palette))
            }
            Format::Ndjson => Ok(Self::Objects),
            Format::Json | Format::Csv | Format::Id => {
                Err(CliError::usage("events are told one by one, in lines or as ndjson")
                    .hint("use `--format ndjson`"))
            }
        }
    }

    fn write(&self, news: &News) -> Result<Vec<u8>, CliError> {
        Ok(match (self, news) {
            (Self::Objects, News::Events(events)) => event_lines::lines(events),
            (Self::Objects, News::State { workflow, next_seq }) => {
                event_lines::state_line(workflow, *next_seq)?
            }
            (Self::Lines(palette), News::Events(events)) => {
                let lines = events.iter().map(|event| lines::event(event, *palette) + "\n");
                lines.collect::<String>().into_bytes()
            }
            (Self::Lines(_), News::State { workflow, .. }) => self.end(workflow),
        })
    }

    /// Returns the line for a workflow whose end no event tells.
    fn end(&self, workflow: &WorkflowView) -> Vec<u8> {
        match self {
            Self::Lines(palette) => (lines::state(workflow, *palette) + "\n").into_bytes(),
            Self::Objects => Vec::new(),
        }
    }
}

fn tells_end(news: &News) -> bool {
    match news {
        News::State { workflow, .. } => has_ended(workflow),
        News::Events(events) => events
            .last()
            .is_some_and(|event| matches!(event.kind, EventKind::WorkflowFinished { .. })),
    }
}
