//! What torcctl asks of torcd: one struct per verb, one enum of them all.
//!
//! Variants of [`Request`] are appended, never reordered. [`crate::call::Call`] ties each verb to its
//! reply.
//!
//! In JSON (`torcctl api`), the names here in small letters are the keys; what may be left out has a
//! default, and a key that is not known is an error.

mod selector_form;

use serde::{Deserialize, Serialize};

use self::selector_form::JobSelectorForm;
use crate::id::{AttemptNumber, JobId, WorkflowId};
use crate::json::{Nothing, nothing};
use crate::spec::{
    Command, Environment, FileSpec, JobSpec, RunOptions, UserDataSpec, WorkflowSpec,
};
use crate::status::{JobStatus, WorkflowStatus};
use crate::time::Span;

/// Which workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkflowSelector {
    /// The one that was submitted last.
    #[default]
    Latest,
    /// The one with this number.
    Id(WorkflowId),
    /// The latest of this name.
    Name(String),
}

/// Which job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "JobSelectorForm", into = "JobSelectorForm")]
pub enum JobSelector {
    /// The one with this number, in whichever workflow.
    Id(JobId),
    /// The one of this name.
    Name(WorkflowSelector, String),
}

/// Which part of a list, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Page {
    /// The name of a field of the view; without it, by number.
    pub sort: Option<String>,
    /// Last first.
    pub reverse: bool,
    /// Pass over so many.
    pub offset: u64,
    /// At most so many.
    pub limit: Option<u64>,
}

/// Ask for a sign of life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Nothing", into = "Nothing")]
pub struct Ping;

/// Ask how the daemon is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Nothing", into = "Nothing")]
pub struct Status;

nothing!(Ping, Status);

/// Begin a submission; nobody sees it before its [`SubmitCommit`], and it is dropped when the
/// connection ends before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submit {
    /// The head.
    pub spec: WorkflowSpec,
    /// Names this submission for good: a second one with the same key makes nothing, and is told of
    /// the first. At most [`Submit::MAX_KEY`] bytes. Of somebody who was not told whether a
    /// submission was recorded, it may be sent again.
    pub key: Option<String>,
}

impl Submit {
    /// The longest key, in bytes.
    pub const MAX_KEY: usize = 128;
}

/// Add jobs to the submission that this connection has begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitJobs {
    /// In the order in which they are to be started.
    pub jobs: Vec<JobSpec>,
}

/// Add files and user data to the submission that this connection has begun, before the jobs that
/// name them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubmitFiles {
    /// Files.
    pub files: Vec<FileSpec>,
    /// User data.
    pub user_data: Vec<UserDataSpec>,
}

/// Run a workflow again that has ended, or is paused.
///
/// The jobs that are named, and no others, lose what they have reached. Of those, the ones that wait
/// for a job which is not complete wait again; and those that were canceled because of it can run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// Which.
    pub workflow: WorkflowSelector,
    /// The jobs that are to run.
    pub jobs: Vec<JobRange>,
    /// What some of them run from now on.
    #[serde(default)]
    pub commands: Vec<(JobId, Command)>,
    /// The environment of who asks: that of the first run is forgotten.
    #[serde(default)]
    pub environment: Environment,
    /// How it is run this time.
    #[serde(default)]
    pub options: RunOptions,
    /// After the reply, stream its events as [`Watch`] does; none is missed.
    #[serde(default)]
    pub watch: bool,
}

/// Jobs of a workflow with numbers that follow each other, actions aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRange {
    /// The first.
    pub first: JobId,
    /// The last.
    pub last: JobId,
}

impl JobRange {
    /// Returns the ranges of these jobs.
    #[must_use]
    pub fn of(jobs: impl IntoIterator<Item = JobId>) -> Vec<Self> {
        let mut jobs: Vec<JobId> = jobs.into_iter().collect();
        jobs.sort_unstable();
        let mut ranges: Vec<Self> = Vec::new();
        for job in jobs {
            match ranges.last_mut() {
                Some(range) if job.0 <= range.last.0.saturating_add(1) => range.last = job,
                _ => ranges.push(Self { first: job, last: job }),
            }
        }
        ranges
    }
}

/// Set jobs aside that have not started, or take them back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetDisabled {
    /// Of which workflow.
    pub workflow: WorkflowSelector,
    /// Which jobs.
    pub jobs: Vec<JobSelector>,
    /// Aside, or back.
    pub disabled: bool,
}

/// Ask why a job is not running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    /// Which.
    pub job: JobSelector,
}

/// Get one workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GetWorkflow {
    /// Which.
    pub workflow: WorkflowSelector,
}

/// Remove a workflow that has ended, with all that is on record of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteWorkflow {
    /// Which.
    pub workflow: WorkflowSelector,
}

/// List which jobs of a workflow wait for which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListEdges {
    /// Which workflow.
    pub workflow: WorkflowSelector,
}

/// List the files of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListFiles {
    /// Which workflow.
    pub workflow: WorkflowSelector,
    /// Only names that match this glob.
    pub name: Option<String>,
    /// Which part.
    pub page: Page,
}

/// List which jobs of a workflow read and write which files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListFileUses {
    /// Which workflow.
    pub workflow: WorkflowSelector,
}

/// List the user data of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListUserData {
    /// Which workflow.
    pub workflow: WorkflowSelector,
    /// Only names that match this glob.
    pub name: Option<String>,
    /// Which part.
    pub page: Page,
}

/// Make the submission visible and let it start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitCommit {
    /// After the reply, stream its events as [`Watch`] does; none is missed.
    #[serde(default)]
    pub watch: bool,
}

/// Stream the events of a workflow: what is remembered since `from_seq`, a mark, then live, until
/// the workflow has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    /// Which.
    #[serde(default)]
    pub workflow: WorkflowSelector,
    /// The first event wanted. Without it, or when it is no longer remembered, the stream begins
    /// with the present state.
    pub from_seq: Option<u64>,
}

/// Withdraw the jobs that have not started and stop those that run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Which workflow.
    pub workflow: WorkflowSelector,
    /// Only these jobs of it; all when empty.
    #[serde(default)]
    pub jobs: Vec<JobSelector>,
    /// How long from SIGTERM to SIGKILL, instead of what each job's settings say.
    pub grace: Option<Span>,
}

/// List workflows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListWorkflows {
    /// Only these states; any when empty.
    pub status: Vec<WorkflowStatus>,
    /// Only names that match this glob.
    pub name: Option<String>,
    /// Which part.
    pub page: Page,
}

/// List the jobs of a workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListJobs {
    /// Which workflow.
    pub workflow: WorkflowSelector,
    /// Only these states; any when empty.
    pub status: Vec<JobStatus>,
    /// Only names that match this glob.
    pub name: Option<String>,
    /// Only jobs that have this label.
    pub label: Option<String>,
    /// The actions of the workflow, instead of its jobs.
    pub actions: bool,
    /// Which part.
    pub page: Page,
}

/// List what the attempts of a workflow's jobs gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListResults {
    /// Which workflow.
    pub workflow: WorkflowSelector,
    /// Only these states of the attempt; any when empty.
    pub status: Vec<JobStatus>,
    /// Only job names that match this glob.
    pub name: Option<String>,
    /// Only this return code.
    pub return_code: Option<i32>,
    /// Every attempt, not only the last of each job.
    pub all_attempts: bool,
    /// Those of the actions of the workflow, instead of those of its jobs.
    pub actions: bool,
    /// Which part.
    pub page: Page,
}

/// Get one job and its attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetJob {
    /// Which.
    pub job: JobSelector,
}

/// Get a part of what an attempt wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// Whose.
    pub job: JobSelector,
    /// Which attempt; the last when not given.
    pub attempt: Option<AttemptNumber>,
    /// From which byte of stdout on.
    #[serde(default)]
    pub stdout_offset: u64,
    /// From which byte of stderr on.
    #[serde(default)]
    pub stderr_offset: u64,
    /// At most so many bytes of each; 4 MiB at most.
    #[serde(default = "Logs::most")]
    pub limit: u32,
    /// When there is nothing new and the attempt runs, wait until there is, or until it has ended.
    #[serde(default)]
    pub wait: bool,
}

impl Logs {
    /// The most that is sent of a stream at once, in bytes: two of them fit into a frame.
    pub const MOST: u32 = 4 * 1024 * 1024;

    /// The default of [`Self::limit`] in JSON.
    fn most() -> u32 {
        Self::MOST
    }
}

/// Whether to wait for a snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotWait {
    /// Reply when it is queued.
    #[default]
    No,
    /// Reply when it is durable or has failed.
    Forever,
    /// The same, but give up waiting after this long; the snapshot goes on.
    AtMost(Span),
}

/// Take a snapshot that holds all that is recorded now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Whether to wait for it.
    #[serde(default)]
    pub wait: SnapshotWait,
    /// Where to, this once, instead of the daemon's target; absolute.
    pub path: Option<String>,
}

/// What becomes of the jobs that run when a daemon is to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunningJobs {
    /// They are stopped, and recorded as terminated.
    #[default]
    Stop,
    /// They end by themselves; none is started meanwhile. As long as one runs, the wish to end is
    /// taken back when the connection ends that brought it, and overridden by a stronger one.
    Wait,
    /// They are stopped, and run again by the next daemon with this database.
    Again,
}

/// End the daemon: the jobs first, the final snapshot last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// How long jobs have from SIGTERM to SIGKILL, instead of what their settings say.
    pub grace: Option<Span>,
    /// What becomes of the jobs that run.
    #[serde(default)]
    pub running: RunningJobs,
}

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each variant is the verb of the same name")]
pub enum Request {
    Ping(Ping),
    Status(Status),
    Submit(Submit),
    SubmitJobs(SubmitJobs),
    SubmitCommit(SubmitCommit),
    Watch(Watch),
    Cancel(Cancel),
    ListWorkflows(ListWorkflows),
    ListJobs(ListJobs),
    ListResults(ListResults),
    GetJob(GetJob),
    Logs(Logs),
    Snapshot(Snapshot),
    Shutdown(Shutdown),
    SubmitFiles(SubmitFiles),
    Restart(Restart),
    SetDisabled(SetDisabled),
    Explain(Explain),
    GetWorkflow(GetWorkflow),
    DeleteWorkflow(DeleteWorkflow),
    ListEdges(ListEdges),
    ListFiles(ListFiles),
    ListFileUses(ListFileUses),
    ListUserData(ListUserData),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_that_follow_each_other_are_one_range() {
        let of = |jobs: &[u64]| {
            let ranges = JobRange::of(jobs.iter().map(|job| JobId(*job)));
            ranges.iter().map(|range| (range.first.0, range.last.0)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[7]), [(7, 7)]);
        assert_eq!(of(&[3, 1, 2, 2, 9, u64::MAX]), [(1, 3), (9, 9), (u64::MAX, u64::MAX)]);
    }
}
