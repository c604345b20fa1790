//! `torcctl jobs get`.

use torc_protocol::request::{GetJob, WorkflowSelector};
use torc_protocol::response::JobDetail;
use torc_protocol::time::Timestamp;
use torc_protocol::view::{FileUseView, JobView, ResultView};

use crate::commands::value;
use crate::context::Context;
use crate::error::CliError;
use crate::exit_code;
use crate::format::Format;
use crate::output::page::{Page, write_json};
use crate::output::stdout::Stdout;
use crate::style::{count, local_time, one_line, size};

const EXAMPLES: &str = "\
Examples:
  torcctl jobs get job7                    the job of this name in the latest workflow
  torcctl jobs get 4711 --format json      the job with this id, with its attempts
  torcctl jobs get job7 -w night           that of another workflow";

/// So many of the jobs that it waits for, and of its files, are named to people.
const NAMED: usize = 10;

/// Show one job: what it runs, takes, waits for, reads and writes, and its attempts
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Get {
    /// The job: its name, or its id unless --workflow is given
    #[arg(value_name = "JOB")]
    job: String,
    /// The workflow of a job that is named: its id, its name, or `latest`
    #[arg(long, short = 'w', value_name = "WORKFLOW", value_parser = value::workflow)]
    workflow: Option<WorkflowSelector>,
}

pub(super) async fn run(ctx: &Context, args: &Get) -> Result<u8, CliError> {
    let job = value::job(&args.job, args.workflow.as_ref());
    let detail = ctx.reader().await?.client.call(GetJob { job }).await?;
    let stdout = Stdout::new(ctx.globals.format, ctx.globals.color);
    match stdout.format {
        Format::Table => show(stdout, &detail)?,
        Format::Csv => attempts(stdout, &detail)?,
        Format::Json | Format::Ndjson => {
            write_json(stdout.format, "a job", &detail, stdout.open())?;
        }
        Format::Id => stdout.line(&detail.job.id.to_string())?,
    }
    Ok(exit_code::DONE)
}

fn show(stdout: Stdout, detail: &JobDetail) -> Result<(), CliError> {
    page(detail).write(stdout.layout.palette, stdout.open())?;
    if !detail.attempts.is_empty() {
        stdout.line("")?;
        attempts(stdout, detail)?;
    }
    Ok(())
}

fn page(detail: &JobDetail) -> Page {
    let job = &detail.job;
    let mut page = Page::default();
    page.line("job", format!("{} (id {})", one_line(&job.name), job.id))
        .line("workflow", job.workflow_id.to_string())
        .line("command", one_line(&job.command))
        .toned("status", job.status.as_str(), job.status.into());
    if let Some(code) = job.return_code {
        page.line("return code", code.to_string());
    }
    page.line("attempts", job.attempts.to_string())
        .line("priority", job.priority.to_string())
        .line("resources", resources(job));
    if !job.labels.is_empty() {
        page.line("labels", one_line(&job.labels.join(", ")));
    }
    if !detail.depends_on.is_empty() {
        let names = detail.depends_on.iter().map(|name| one_line(name)).collect();
        page.line("waits for", some_of(names).join(", "));
    }
    for (label, is_output) in [("reads", false), ("writes", true)] {
        let files = detail.files.iter().filter(|file| file.is_output == is_output);
        for (at, text) in some_of(files.map(file).collect()).into_iter().enumerate() {
            page.line(if at == 0 { label } else { "" }, text);
        }
    }
    page
}

/// Returns the first of `texts`, and how many more there are.
fn some_of(mut texts: Vec<String>) -> Vec<String> {
    let more = texts.len().saturating_sub(NAMED);
    if more > 1 {
        texts.truncate(NAMED);
        texts.push(format!("and {more} more"));
    }
    texts
}

fn resources(job: &JobView) -> String {
    let mut parts = vec![count(job.cpus.into(), "CPU")];
    parts.extend(job.memory.map(|bytes| format!("{} of memory", size(bytes))));
    if job.gpus > 0 {
        parts.push(count(job.gpus.into(), "GPU"));
    }
    parts.join(", ")
}

fn file(file: &FileUseView) -> String {
    let path = one_line(&file.path);
    match file.stamp {
        Some(stamp) => {
            let modified = local_time(Timestamp(stamp.modified.div_euclid(1_000)));
            format!("{path} ({}, of {modified})", size(stamp.bytes))
        }
        None => path,
    }
}

/// Lists the attempts: for people what differs between them, for programs everything.
fn attempts(stdout: Stdout, detail: &JobDetail) -> Result<(), CliError> {
    const SHOWN: &[&str] = &[
        "attempt",
        "status",
        "return_code",
        "started_at",
        "wall",
        "cpu",
        "peak_memory",
        "stdout_bytes",
        "stderr_bytes",
        "node",
        "reason",
    ];
    let mut columns: Vec<String> = match stdout.format {
        Format::Table => SHOWN.iter().map(|name| (*name).to_owned()).collect(),
        Format::Json | Format::Ndjson | Format::Csv | Format::Id => Vec::new(),
    };
    let was_recovered = detail.attempts.iter().any(|attempt| attempt.recovery_code.is_some());
    if was_recovered && !columns.is_empty() {
        columns.insert(1, "recovery_code".to_owned());
    }
    let mut list = stdout.list::<ResultView>(&columns)?;
    for attempt in &detail.attempts {
        list.item(attempt)?;
    }
    Ok(list.end()?)
}

#[cfg(test)]
mod tests {
    use torc_protocol::result::FileStamp;
    use torc_protocol::status::JobStatus;

    use super::*;
    use crate::commands::fixtures::job;
    use crate::style::Palette;

    fn text(detail: &JobDetail) -> String {
        let mut out = Vec::new();
        page(detail).write(Palette::PLAIN, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn detail() -> JobDetail {
        JobDetail {
            job: job(7, "align", JobStatus::Blocked),
            attempts: Vec::new(),
            depends_on: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn a_plain_job_has_no_lines_for_what_it_does_not_have() {
        insta::assert_snapshot!(text(&detail()), @r"
        job        align (id 7)
        workflow   3
        command    true
        status     blocked
        attempts   0
        priority   0
        resources  1 CPU
        ");
    }

    #[test]
    fn a_job_tells_what_it_takes_waits_for_reads_and_writes() {
        let mut detail = detail();
        detail.job.cpus = 4;
        detail.job.memory = Some(3 << 29);
        detail.job.gpus = 1;
        detail.job.labels = vec!["big".to_owned(), "night".to_owned()];
        detail.depends_on = (1..=12).map(|number| format!("part_{number}")).collect();
        let file = |path: &str, is_output| FileUseView {
            job_id: detail.job.id,
            path: path.to_owned(),
            is_output,
            stamp: None,
        };
        detail.files = vec![file("a.txt", false), file("b\n.txt", false), file("c.bam", true)];
        insta::assert_snapshot!(text(&detail), @r"
        job        align (id 7)
        workflow   3
        command    true
        status     blocked
        attempts   0
        priority   0
        resources  4 CPUs, 1.5 GiB of memory, 1 GPU
        labels     big, night
        waits for  part_1, part_2, part_3, part_4, part_5, part_6, part_7, part_8, part_9, part_10, and 2 more
        reads      a.txt
                   b\n.txt
        writes     c.bam
        ");
    }

    #[test]
    fn a_file_tells_its_size_and_the_time_of_its_last_change() {
        let stamp = FileStamp { modified: 1_500_000_000, bytes: 2048 };
        let path = "a.txt".to_owned();
        let job_id = torc_protocol::id::JobId(7);
        let file_use = FileUseView { job_id, path, is_output: true, stamp: Some(stamp) };
        let modified = local_time(Timestamp(1_500_000));
        assert_eq!(file(&file_use), format!("a.txt (2.0 KiB, of {modified})"));
    }

    #[test]
    fn the_one_that_is_too_many_is_named_instead_of_counted() {
        let names = |number: usize| vec!["x".to_owned(); number];
        assert_eq!(some_of(names(NAMED)).len(), NAMED);
        assert_eq!(some_of(names(NAMED + 1)).last().unwrap(), "x");
        assert_eq!(some_of(names(NAMED + 2)).last().unwrap(), "and 2 more");
    }
}
