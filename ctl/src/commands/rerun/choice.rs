//! The jobs that are to run again, with their reasons in words.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use torc_protocol::id::JobId;
use torc_protocol::result::FileStamp;
use torc_protocol::spec::Command;
use torc_protocol::status::JobStatus;
use torc_protocol::view::JobCounts;

use super::record::{Job, Record};
use super::{failed, needed};
use crate::error::{CliError, ErrorKind};
use crate::output::column::{Column, Field, View};
use crate::spec::resolved::Workflow;

/// A job that is to run again. The field names are the keys of the JSON output.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Again {
    /// Its number.
    pub(super) job_id: JobId,
    /// Its name.
    pub(super) name: String,
    /// Why.
    pub(super) reason: String,
    /// The file or the job that is why, if one is.
    pub(super) because_of: Option<String>,
}

impl View for Again {
    const NOUN: &'static str = "job";
    const ID: &'static str = "job_id";
    const COLUMNS: &'static [Column<Self>] = &[
        Column { name: "job_id", heading: "JOB", field: Field::Count(|it| it.job_id.0) },
        Column { name: "name", heading: "NAME", field: Field::Text(|it| Some(&it.name)) },
        Column { name: "reason", heading: "REASON", field: Field::Text(|it| Some(&it.reason)) },
        Column {
            name: "because_of",
            heading: "BECAUSE OF",
            field: Field::Text(|it| it.because_of.as_deref()),
        },
    ];
    const SHOWN: &'static [&'static str] = &["job_id", "name", "reason", "because_of"];
}

/// What is to run again.
#[derive(Debug)]
pub(super) struct Choice {
    /// The jobs, in the order of submission.
    pub(super) jobs: Vec<Again>,
    /// What some of them run from now on.
    pub(super) commands: Vec<(JobId, Command)>,
    /// What the user should know of it.
    pub(super) warnings: Vec<String>,
}

/// The most warnings of one kind.
const WARNINGS: usize = 5;

/// Chooses what is needed: by the record, by how the files are, and by the commands in `with`.
pub(super) fn needed_jobs(
    record: &Record,
    files: &[Option<FileStamp>],
    with: Option<&Workflow>,
) -> Choice {
    let mut warnings = Vec::new();
    let changed =
        with.map(|file| changed_commands(record, file, &mut warnings)).unwrap_or_default();
    let places: Vec<_> = changed.iter().map(|(place, _)| *place).collect();
    let needed = needed::needed(record, files, &places);
    for (path, job) in needed.gone.iter().take(WARNINGS) {
        let (path, job) = (&record.paths[*path as usize], &record.jobs[*job as usize].name);
        warnings.push(format!("{path} is gone, which job '{job}' has read"));
    }
    let jobs = again(record, &needed.reasons, |reason, job| needed_reason(record, reason, job));
    let commands = changed
        .into_iter()
        .filter(|(place, _)| needed.reasons[*place as usize].is_some())
        .map(|(place, command)| (record.jobs[place as usize].id, command))
        .collect();
    Choice { jobs, commands, warnings }
}

/// Chooses what failed, or of it only the jobs of these names or numbers, and all downstream of it.
///
/// # Errors
///
/// When one that is named is not there or did not fail.
pub(super) fn failed_jobs(record: &Record, named: &[String]) -> Result<Choice, CliError> {
    let mut wanted = HashSet::new();
    for name in named {
        wanted.insert(find_failed(record, name)?);
    }
    let reasons = failed::failed(record, |job| named.is_empty() || wanted.contains(&job));
    let jobs = again(record, &reasons, |reason, job| match reason {
        failed::Reason::Failed => (ended(job), None),
        failed::Reason::NotRun => (NOT_RUN.to_owned(), None),
        failed::Reason::CanceledWith(on) => because_of(record, "canceled because of", on),
        failed::Reason::DependsOn(on) => because_of(record, "depends on", on),
    });
    Ok(Choice { jobs, commands: Vec::new(), warnings: Vec::new() })
}

/// Returns how many jobs of the workflow are not chosen, by state.
pub(super) fn outside(record: &Record, chosen: &HashSet<JobId>) -> JobCounts {
    let mut counts = JobCounts::default();
    for job in record.jobs.iter().filter(|job| !chosen.contains(&job.id)) {
        counts.total += 1;
        *counts.of(job.status) += 1;
    }
    counts
}

fn again<R: Copy>(
    record: &Record,
    reasons: &[Option<R>],
    tell: impl Fn(R, &Job) -> (String, Option<String>),
) -> Vec<Again> {
    let chosen =
        record.jobs.iter().zip(reasons).filter_map(|(job, reason)| Some((job, (*reason)?)));
    let entry = |(job, reason): (&Job, R)| {
        let (reason, because_of) = tell(reason, job);
        Again { job_id: job.id, name: job.name.clone(), reason, because_of }
    };
    chosen.map(entry).collect()
}

const NOT_RUN: &str = "has not run yet";

fn needed_reason(record: &Record, reason: needed::Reason, job: &Job) -> (String, Option<String>) {
    let path = |path: u32| record.paths[path as usize].clone();
    let of_file = |what: &str, file: u32| (format!("{what}: {}", path(file)), Some(path(file)));
    match reason {
        needed::Reason::NotComplete => (ended(job), None),
        needed::Reason::CommandChanged => ("command changed".to_owned(), None),
        needed::Reason::OutputMissing(file) => of_file("output missing", file),
        needed::Reason::InputChanged(file) => of_file("input changed", file),
        needed::Reason::InputAppeared(file) => of_file("input is new", file),
        needed::Reason::CanceledWith(on) => because_of(record, "canceled because of", on),
        needed::Reason::DependsOn(on) => because_of(record, "depends on", on),
    }
}

/// Returns a reason that is another job.
fn because_of(record: &Record, what: &str, on: u32) -> (String, Option<String>) {
    let on = &record.jobs[on as usize].name;
    (format!("{what} {on}"), Some(on.clone()))
}

/// Returns how a job ended that did not complete.
fn ended(job: &Job) -> String {
    match (job.status, job.return_code, &job.reason) {
        (JobStatus::Blocked | JobStatus::Ready | JobStatus::Pending, ..) => NOT_RUN.to_owned(),
        (status, _, Some(reason)) => format!("{status} ({reason})"),
        // A code of 0 is no reason to run again, and a canceled job has that of a run before.
        (status, None | Some(0), None) | (status @ JobStatus::Canceled, ..) => status.to_string(),
        (status, Some(code), None) => format!("{status} (return code {code})"),
    }
}

fn changed_commands(
    record: &Record,
    file: &Workflow,
    warnings: &mut Vec<String>,
) -> Vec<(u32, Command)> {
    let mut in_file: HashMap<&str, &str> =
        file.jobs.iter().map(|job| (job.name.as_str(), job.command.as_str())).collect();
    let mut changed = Vec::new();
    let mut missing = 0_u64;
    for (place, job) in (0..).zip(&record.jobs) {
        match in_file.remove(job.name.as_str()) {
            Some(command) if command != job.command => {
                changed.push((place, Command::Line(command.to_owned())));
            }
            Some(_) => {}
            None => missing += 1,
        }
    }
    if missing > 0 || !in_file.is_empty() {
        warnings.push(format!(
            "the file and workflow {} have not the same jobs: {missing} are not in the file, {} \
             only there; nothing but the commands of those in both is compared",
            record.workflow.id,
            in_file.len()
        ));
    }
    changed
}

fn find_failed(record: &Record, name: &str) -> Result<u32, CliError> {
    let find = |is_it: &dyn Fn(&Job) -> bool| (0..).zip(&record.jobs).find(|(_, job)| is_it(job));
    // A number may be the name of a job, and then it is that.
    let by_id = || name.parse().ok().and_then(|id| find(&|job| job.id == id));
    let found = find(&|job| job.name == name).or_else(by_id);
    let workflow = record.workflow.id;
    let Some((place, job)) = found else {
        let message = format!("workflow {workflow} has no job '{name}'");
        return Err(CliError::new(ErrorKind::NotFound, message)
            .hint(format!("`torcctl jobs list {workflow} --failed` lists those that failed")));
    };
    if matches!(job.status, JobStatus::Failed | JobStatus::Terminated) {
        return Ok(place);
    }
    let message = format!("job '{}' is {}, and only what failed is retried", job.name, job.status);
    Err(CliError::new(ErrorKind::Refused, message)
        .hint(format!("`torcctl run {workflow}` runs all that is needed")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::commands::rerun::record::tests::Script;
    use crate::spec::complaint::Source;
    use crate::spec::workflow_file::understand;

    fn lines(jobs: &[Again]) -> Vec<String> {
        jobs.iter().map(|job| format!("{}: {}", job.name, job.reason)).collect()
    }

    #[test]
    fn reasons_name_what_is_why() {
        let record = Script::graph("a -> b, c, d")
            .reads("a", "in.csv", Some(5))
            .writes("c", "out.csv")
            .status("d", JobStatus::Failed, Some(2))
            .record();
        let changed = Some(FileStamp { modified: 9, bytes: 5 });
        let choice = needed_jobs(&record, &[changed, None], None);
        assert_eq!(
            lines(&choice.jobs),
            [
                "a: input changed: in.csv",
                "b: depends on a",
                "c: output missing: out.csv",
                "d: failed (return code 2)"
            ]
        );
        let causes: Vec<_> = choice.jobs.iter().map(|job| job.because_of.as_deref()).collect();
        assert_eq!(causes, [Some("in.csv"), Some("a"), Some("out.csv"), None]);
    }

    #[test]
    fn a_code_of_zero_is_no_reason() {
        let script = Script::graph("a, b -> c")
            .status("a", JobStatus::Failed, Some(0))
            .status("b", JobStatus::Failed, Some(0))
            .status("c", JobStatus::Canceled, Some(0))
            .reason("a", "output file missing: x");
        let expected =
            ["a: failed (output file missing: x)", "b: failed", "c: canceled because of b"];
        let record = script.record();
        assert_eq!(lines(&needed_jobs(&record, &[], None).jobs), expected);
        assert_eq!(lines(&failed_jobs(&record, &[]).unwrap().jobs), expected);
    }

    #[test]
    fn a_canceled_job_without_a_failed_one_before_it_is_only_canceled() {
        let record = Script::graph("a -> b").status("b", JobStatus::Canceled, Some(1)).record();
        assert_eq!(lines(&needed_jobs(&record, &[], None).jobs), ["b: canceled"]);
    }

    #[test]
    fn commands_of_a_file_replace_those_that_differ() {
        let text = "name: x\njobs:\n  - {name: a, command: 'true'}\n  \
                    - {name: b, command: other}\n  - {name: new, command: x}\n";
        let source = Source { name: "f".into(), text: text.into() };
        let file = understand(&source, None, Path::new("")).unwrap();
        let record = Script::graph("a, b, old").record();
        let choice = needed_jobs(&record, &[], Some(&file));
        assert_eq!(lines(&choice.jobs), ["b: command changed"]);
        assert_eq!(choice.commands, [(record.jobs[1].id, Command::Line("other".to_owned()))]);
        assert!(choice.warnings[0].contains("1 are not in the file, 1 only there"));
    }

    #[test]
    fn a_job_that_is_named_must_have_failed() {
        let record = Script::graph("a, b").status("b", JobStatus::Failed, Some(1)).record();
        let choice = failed_jobs(&record, &["b".to_owned()]).unwrap();
        assert_eq!(lines(&choice.jobs), ["b: failed (return code 1)"]);
        let error = failed_jobs(&record, &["a".to_owned()]).unwrap_err();
        assert_eq!(error.message, "job 'a' is completed, and only what failed is retried");
        assert_eq!(error.exit_code(), 7);
        assert_eq!(failed_jobs(&record, &["x".to_owned()]).unwrap_err().exit_code(), 6);
    }

    #[test]
    fn a_number_is_a_name_first_and_then_an_id() {
        let failed = |script: Script, name| script.status(name, JobStatus::Failed, Some(1));
        let script = failed(failed(Script::graph("a, 100, b"), "a"), "100");
        let record = failed(script, "b").record();
        let retried = |named: &str| lines(&failed_jobs(&record, &[named.to_owned()]).unwrap().jobs);
        assert_eq!(retried("100"), ["100: failed (return code 1)"]);
        assert_eq!(retried("102"), ["b: failed (return code 1)"]);
    }

    #[test]
    fn what_is_not_chosen_is_counted_by_state() {
        let record = Script::graph("a, b, c").status("b", JobStatus::Failed, Some(1)).record();
        let counts = outside(&record, &HashSet::from([record.jobs[0].id]));
        assert_eq!((counts.total, counts.completed, counts.failed), (2, 1, 1));
    }
}
