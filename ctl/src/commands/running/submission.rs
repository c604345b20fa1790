//! Sending a workflow: its head, then its files and jobs in chunks, then the commit that makes it
//! visible.
//!
//! Until the commit nobody sees it, and it is dropped when our connection ends: all or nothing.

use std::fs::{self, File};
use std::io::Read;

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{
    GetWorkflow, Submit, SubmitCommit, SubmitFiles, SubmitJobs, Watch, WorkflowSelector,
};
use torc_protocol::response::Submitted;
use torc_protocol::spec::{Command, FileSpec, JobSpec, StdioMode, UserDataSpec, WorkflowSpec};

use crate::client::Client;
use crate::error::CliError;

/// A chunk has at most so many jobs or files.
const CHUNK_ITEMS: usize = 1_000;
/// A chunk ends with the item that brings its texts and numbers to this size, in bytes.
const CHUNK_BYTES: usize = 1024 * 1024;

/// A workflow in which nothing is wrong. What there may be millions of is made when it is sent.
pub(crate) trait Submission {
    /// Returns the head.
    fn spec(&self) -> &WorkflowSpec;

    /// Settles where output goes: as was asked for, else `default`.
    fn set_stdio(&mut self, default: StdioMode);

    /// Returns the files.
    fn files(&self) -> impl Iterator<Item = FileSpec>;

    /// Returns the user data.
    fn user_data(&self) -> impl Iterator<Item = UserDataSpec>;

    /// Returns the jobs.
    fn jobs(&self) -> impl Iterator<Item = JobSpec>;

    /// Returns whether jobs have files in the output directory whatever they write.
    fn writes_files(&self) -> bool {
        self.spec().settings.iter().any(|settings| match settings.stdio {
            StdioMode::Capture | StdioMode::None => false,
            StdioMode::Separate
            | StdioMode::Combined
            | StdioMode::NoStdout
            | StdioMode::NoStderr => true,
        })
    }

    /// Makes the output directory, so that one that cannot be made is found before jobs run.
    fn make_output_dir(&self) -> Result<(), CliError> {
        let dir = &self.spec().context.output_dir;
        fs::create_dir_all(dir).map_err(|error| {
            CliError::usage(format!("cannot make the output directory {dir}: {error}"))
                .hint("name another one with `--output-dir DIR`")
        })
    }
}

/// Names a submission, so that it can be sent again when it is not known whether it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key(Option<String>);

impl Key {
    /// Returns the key that a user has chosen.
    pub(crate) fn chosen(key: String) -> Self {
        Self(Some(key))
    }

    /// Returns one that nobody else has; none on a system without randomness, which then sends
    /// nothing twice.
    pub(crate) fn random() -> Self {
        let mut bytes = [0; 16];
        let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
        Self(read.ok().map(|()| format!("torcctl-{:032x}", u128::from_ne_bytes(bytes))))
    }

    /// Returns whether a submission may be sent again under it.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

/// What torcd has of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// All of it; nobody sees it before the commit.
    All,
    /// This workflow, which was submitted with the same key before: nothing was sent.
    Existing(WorkflowId),
}

/// Sends everything but the commit, under this key.
pub(crate) async fn send(
    client: &mut Client,
    submission: &impl Submission,
    key: &Key,
) -> Result<Sent, CliError> {
    let submit = Submit { spec: submission.spec().clone(), key: key.0.clone() };
    if let Some(existing) = client.call(submit).await?.existing {
        return Ok(Sent::Existing(existing));
    }
    for files in chunks(submission.files(), |file| file.name.len() + file.path.len()) {
        client.call(SubmitFiles { files, user_data: Vec::new() }).await?;
    }
    let size = |data: &UserDataSpec| data.name.len() + data.data.as_deref().map_or(0, str::len);
    for user_data in chunks(submission.user_data(), size) {
        client.call(SubmitFiles { files: Vec::new(), user_data }).await?;
    }
    for jobs in chunks(submission.jobs(), job_size) {
        client.call(SubmitJobs { jobs }).await?;
    }
    Ok(Sent::All)
}

/// A workflow that torcd has.
#[derive(Debug)]
pub(crate) struct Committed {
    /// What torcd said of it.
    pub(crate) submitted: Submitted,
    /// Its name, where that may be another: it was submitted with the same key before.
    pub(crate) name: Option<String>,
}

/// Makes it visible. With `watch` the events follow on this connection.
pub(crate) async fn commit(
    client: &mut Client,
    sent: Sent,
    watch: bool,
) -> Result<Committed, CliError> {
    let Sent::Existing(workflow_id) = sent else {
        let submitted = client.call(SubmitCommit { watch }).await?;
        return Ok(Committed { submitted, name: None });
    };
    let workflow = WorkflowSelector::Id(workflow_id);
    let view = client.call(GetWorkflow { workflow: workflow.clone() }).await?;
    if watch {
        client.stream(Watch { workflow, from_seq: Some(0) }).await?;
    }
    let submitted = Submitted { workflow_id, jobs: view.jobs.total, existed: true };
    Ok(Committed { submitted, name: Some(view.name) })
}

fn chunks<T>(
    items: impl Iterator<Item = T>,
    size: impl Fn(&T) -> usize,
) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.peekable();
    std::iter::from_fn(move || {
        items.peek()?;
        let mut chunk = Vec::with_capacity(items.size_hint().0.clamp(1, CHUNK_ITEMS));
        let mut bytes = 0;
        while chunk.len() < CHUNK_ITEMS
            && bytes < CHUNK_BYTES
            && let Some(item) = items.next()
        {
            bytes += size(&item);
            chunk.push(item);
        }
        Some(chunk)
    })
}

/// The most bytes that the place of a job or file takes on the wire.
const PLACE: usize = 5;

fn job_size(job: &JobSpec) -> usize {
    let command = match &job.command {
        Command::Line(line) => line.len(),
        Command::Argv(argv) => argv.iter().map(|word| word.len() + 1).sum(),
    };
    let lists =
        [&job.depends_on, &job.inputs, &job.outputs, &job.input_user_data, &job.output_user_data];
    let places: usize = lists.iter().map(|list| list.len()).sum();
    let environment: usize =
        job.environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    let script = job.invocation_script.as_deref().map_or(0, str::len);
    job.name.len() + command + places * PLACE + environment + script
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(count: usize, bytes: usize) -> impl Iterator<Item = JobSpec> {
        (0..count).map(move |index| JobSpec {
            name: format!("job{index}"),
            command: Command::Line("x".repeat(bytes)),
            ..JobSpec::default()
        })
    }

    fn lengths(count: usize, bytes: usize) -> Vec<usize> {
        chunks(jobs(count, bytes), job_size).map(|chunk| chunk.len()).collect()
    }

    #[test]
    fn chunks_are_bounded_in_jobs_and_in_bytes() {
        assert_eq!(lengths(2_500, 10), [1_000, 1_000, 500]);
        assert_eq!(lengths(5, 600 * 1024), [2, 2, 1]);
        assert_eq!(lengths(2, 5 * 1024 * 1024), [1, 1]);
        assert_eq!(lengths(0, 1), [0; 0]);
    }

    #[test]
    fn what_a_job_waits_for_counts_too() {
        let job = JobSpec { depends_on: (0..100_000).collect(), ..JobSpec::default() };
        let jobs = std::iter::repeat_n(job, 6);
        let lengths: Vec<_> = chunks(jobs, job_size).map(|chunk| chunk.len()).collect();
        assert_eq!(lengths, [3, 3]);
    }

    #[test]
    fn no_two_submissions_have_the_same_random_key() {
        let keys = [Key::random(), Key::random()].map(|key| key.0.unwrap());
        assert_ne!(keys[0], keys[1]);
        assert!(keys.iter().all(|key| key.len() <= Submit::MAX_KEY), "{keys:?}");
    }

    #[test]
    fn chunks_keep_the_order() {
        let names: Vec<_> =
            chunks(jobs(1_500, 1), job_size).flatten().map(|job| job.name).collect();
        assert_eq!(names.len(), 1_500);
        assert_eq!((names[0].as_str(), names[1_499].as_str()), ("job0", "job1499"));
    }
}
