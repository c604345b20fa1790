//! `torcctl workflows get`.

use torc_protocol::request::{GetWorkflow, WorkflowSelector};
use torc_protocol::view::WorkflowView;

use super::counts;
use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::format::Format;
use crate::output::page::{Page, write_json};
use crate::output::stdout::Stdout;
use crate::style::{duration, local_time, one_line};

const EXAMPLES: &str = "\
Examples:
  torcctl workflows get                           the latest
  torcctl workflows get 3 --format json";

/// Show one workflow
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Get {
    /// The workflow: its id, its name, or `latest`
    #[arg(value_name = "WORKFLOW", value_parser = value::workflow, default_value = "latest")]
    workflow: WorkflowSelector,
}

pub(super) async fn run(ctx: &Context, args: Get) -> Result<u8, CliError> {
    let call = GetWorkflow { workflow: args.workflow };
    let workflow = ctx.reader().await?.client.call(call).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    match stdout.format {
        Format::Table => page(&workflow).write(stdout.layout.palette, stdout.open())?,
        Format::Csv => {
            let mut list = stdout.list::<WorkflowView>(&[])?;
            list.item(&workflow)?;
            list.end()?;
        }
        Format::Json | Format::Ndjson => {
            write_json(stdout.format, "a workflow", &workflow, stdout.open())?;
        }
        Format::Id => stdout.line(&workflow.id.to_string())?,
    }
    Ok(exit_code::DONE)
}

fn page(workflow: &WorkflowView) -> Page {
    let mut page = Page::default();
    page.line("workflow", format!("{} (id {})", one_line(&workflow.name), workflow.id));
    if let Some(text) = &workflow.description {
        page.line("description", one_line(text));
    }
    page.toned("status", workflow.status.as_str(), workflow.status.into())
        .line("jobs", counts(workflow.jobs))
        .line("submitted", local_time(workflow.submitted_at));
    if let Some(finished) = workflow.finished_at {
        let elapsed = duration(finished.since(workflow.submitted_at));
        page.line("finished", format!("{}, after {elapsed}", local_time(finished)));
    }
    page.line("directory", one_line(&workflow.working_dir))
        .line("output", one_line(&workflow.output_dir));
    if let Some(metadata) = &workflow.metadata {
        page.line("metadata", one_line(metadata));
    }
    page
}

#[cfg(test)]
mod tests {
    use torc_protocol::time::Timestamp;

    use super::*;
    use crate::commands::fixtures::workflow;
    use crate::style::Palette;

    #[test]
    fn everything_that_is_known_of_a_workflow_has_its_line() {
        let mut workflow = workflow();
        workflow.description = Some("all\nof it".to_owned());
        workflow.metadata = Some(r#"{"site":"north"}"#.to_owned());
        let mut out = Vec::new();
        page(&workflow).write(Palette::PLAIN, &mut out).unwrap();
        let submitted = local_time(Timestamp(1_000_000));
        let finished = local_time(Timestamp(5_000_000));
        let expected = format!(
            "workflow     night (id 3)\n\
             description  all\\nof it\n\
             status       failed\n\
             jobs         12: 10 completed, 2 failed\n\
             submitted    {submitted}\n\
             finished     {finished}, after 4.0 s\n\
             directory    /data\n\
             output       /data/torc_output\n\
             metadata     {{\"site\":\"north\"}}\n"
        );
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
