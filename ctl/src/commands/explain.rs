//! `torcctl explain`: why a job is as it is.

use torc_protocol::request::{Explain, WorkflowSelector};
use torc_protocol::response::Explanation;

use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::output::page::{check_format, write_json};
use crate::output::stdout::Stdout;
use crate::style::{Palette, one_line};

const EXAMPLES: &str = "\
Examples:
  torcctl explain align_7                   why that job of the latest workflow does not run
  torcctl explain align_7 -w night          that of another workflow
  torcctl explain 4711 --format json        the job with this id; keys: job, reasons, hint

Exit codes: 6 there is no such job";

/// What the output describes.
const NOUN: &str = "an explanation";

/// Say why a job is as it is: what it waits for, why it was canceled
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The job: its name, or its id unless --workflow is given
    #[arg(value_name = "JOB")]
    job: String,
    /// The workflow of a job that is named: its id, its name, or `latest`
    #[arg(long, short = 'w', value_name = "WORKFLOW", value_parser = value::workflow)]
    workflow: Option<WorkflowSelector>,
}

/// Runs it.
///
/// # Errors
///
/// When the job does not exist, or nobody can be asked.
pub async fn run(ctx: &mut Context, args: Args) -> Result<u8, CliError> {
    check_format(ctx.globals.format, NOUN)?;
    let job = value::job(&args.job, args.workflow.as_ref());
    let explanation = ctx.reader().await?.client.call(Explain { job }).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    if stdout.format.is_for_programs() {
        write_json(stdout.format, NOUN, &explanation, stdout.open())?;
    } else {
        stdout.line(&sentences(&explanation, stdout.layout.palette))?;
    }
    Ok(exit_code::DONE)
}

fn sentences(explanation: &Explanation, palette: Palette) -> String {
    let job = &explanation.job;
    let status = palette.paint(job.status.into(), job.status.as_str());
    let mut lines = vec![format!("{} is {status}:", one_line(&job.name))];
    lines.extend(explanation.reasons.iter().map(|reason| format!("  {}", one_line(reason))));
    lines.extend(explanation.hint.iter().map(|hint| format!("hint: {}", one_line(hint))));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use torc_protocol::status::JobStatus;

    use super::*;
    use crate::commands::fixtures::job;

    #[test]
    fn reasons_stand_on_lines_of_their_own_and_the_hint_last() {
        let mut explanation = Explanation {
            job: job(7, "align", JobStatus::Blocked),
            reasons: vec!["it waits for 2 jobs".to_owned(), "a\tb is running".to_owned()],
            hint: Some("torcctl jobs get 5".to_owned()),
        };
        assert_eq!(
            sentences(&explanation, Palette::PLAIN),
            "align is blocked:\n  it waits for 2 jobs\n  a\\tb is running\nhint: torcctl jobs get 5"
        );
        explanation.reasons.truncate(1);
        explanation.hint = None;
        let text = sentences(&explanation, Palette::PLAIN);
        assert_eq!(text, "align is blocked:\n  it waits for 2 jobs");
    }
}
