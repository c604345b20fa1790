//! What queries return. The field names are the keys of the JSON output.
//!
//! As with what is submitted, no `Debug` shows a command or user data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{AttemptNumber, Generation, JobId, WorkflowId};
use crate::resources::NodeResources;
use crate::result::{FileStamp, Usage};
use crate::status::{JobStatus, WorkflowStatus};
use crate::time::{Span, Timestamp};

/// How many jobs are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// All.
    pub total: u64,
    /// Waiting for other jobs, or for the delay before a retry.
    pub blocked: u64,
    /// Waiting for room.
    pub ready: u64,
    /// Given to a worker.
    pub pending: u64,
    /// Running.
    pub running: u64,
    /// Ended well.
    pub completed: u64,
    /// Ended badly.
    pub failed: u64,
    /// Never started.
    pub canceled: u64,
    /// Stopped while running.
    pub terminated: u64,
    /// Set aside.
    pub disabled: u64,
}

impl JobCounts {
    /// Returns the count for one state.
    pub fn of(&mut self, status: JobStatus) -> &mut u64 {
        match status {
            JobStatus::Blocked => &mut self.blocked,
            JobStatus::Ready => &mut self.ready,
            JobStatus::Pending => &mut self.pending,
            JobStatus::Running => &mut self.running,
            JobStatus::Completed => &mut self.completed,
            JobStatus::Failed => &mut self.failed,
            JobStatus::Canceled => &mut self.canceled,
            JobStatus::Terminated => &mut self.terminated,
            JobStatus::Disabled => &mut self.disabled,
        }
    }

    /// Returns how many have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.completed + self.failed + self.canceled + self.terminated
    }
}

/// A workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkflowView {
    /// Its number.
    pub id: WorkflowId,
    /// Its name.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// Its state.
    pub status: WorkflowStatus,
    /// Its jobs by state.
    pub jobs: JobCounts,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// When its last job ended.
    pub finished_at: Option<Timestamp>,
    /// The working directory of its jobs.
    pub working_dir: String,
    /// The directory for files of output.
    pub output_dir: String,
    /// What else its author says of it: a JSON object.
    pub metadata: Option<String>,
}

/// A job.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// Its name.
    pub name: String,
    /// What it runs; an argument vector is shown quoted as for a shell.
    pub command: String,
    /// Its state.
    pub status: JobStatus,
    /// Its priority.
    pub priority: i32,
    /// How many attempts it has had.
    pub attempts: u32,
    /// The code of the last one that ended.
    pub return_code: Option<i32>,
    /// The CPUs that it takes.
    pub cpus: u32,
    /// The memory that it takes, in bytes.
    pub memory: Option<u64>,
    /// The GPUs that it takes.
    pub gpus: u32,
    /// Only a run that has all of these labels runs it.
    pub labels: Vec<String>,
}

impl fmt::Debug for JobView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobView")
            .field("id", &self.id)
            .field("workflow_id", &self.workflow_id)
            .field("name", &self.name)
            .field("status", &self.status)
            .field("attempts", &self.attempts)
            .field("return_code", &self.return_code)
            .finish_non_exhaustive()
    }
}

/// That a job waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeView {
    /// The job that waits.
    pub job_id: JobId,
    /// The job that it waits for.
    pub depends_on: JobId,
}

/// A file that jobs read or write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileView {
    /// Its number.
    pub id: u64,
    /// Its name in the workflow.
    pub name: String,
    /// Its path, as the workflow has it.
    pub path: String,
    /// The job that writes it.
    pub written_by: Option<String>,
    /// How many jobs read it.
    pub read_by: u64,
    /// How it was when a job has last written it.
    pub stamp: Option<FileStamp>,
}

/// That a job reads or writes a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUseView {
    /// The job.
    pub job_id: JobId,
    /// The path of the file, as the workflow has it.
    pub path: String,
    /// Whether it writes it.
    pub is_output: bool,
    /// How it was when the job has last been run; none when it was not there.
    pub stamp: Option<FileStamp>,
}

/// A value that jobs read or write.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserDataView {
    /// Its number.
    pub id: u64,
    /// Its name in the workflow.
    pub name: String,
    /// JSON.
    pub data: Option<String>,
    /// It belongs to one run, not to the workflow.
    pub is_ephemeral: bool,
    /// The job that writes it.
    pub written_by: Option<String>,
    /// How many jobs read it.
    pub read_by: u64,
}

impl fmt::Debug for UserDataView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserDataView")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("written_by", &self.written_by)
            .finish_non_exhaustive()
    }
}

/// An attempt.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultView {
    /// Whose.
    pub job_id: JobId,
    /// Of which workflow.
    pub workflow_id: WorkflowId,
    /// The name of the job.
    pub name: String,
    /// What it ran.
    pub command: String,
    /// Which attempt.
    pub attempt: AttemptNumber,
    /// `pending` or `running` while it lasts, then as the attempt ended.
    pub status: JobStatus,
    /// The code, when it has ended.
    pub return_code: Option<i32>,
    /// Why, in words; empty for a plain success.
    pub reason: String,
    /// On which host.
    pub node: String,
    /// The process id there.
    pub pid: Option<u32>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When its end was seen.
    pub finished_at: Option<Timestamp>,
    /// What it used.
    pub usage: Option<Usage>,
    /// Bytes on stdout.
    pub stdout_bytes: u64,
    /// Bytes on stderr.
    pub stderr_bytes: u64,
    /// The file of its stdout, when it has one.
    pub stdout_path: Option<String>,
    /// The file of its stderr, when it has one.
    pub stderr_path: Option<String>,
    /// The exit code of the recovery script that was run before it, if one was.
    pub recovery_code: Option<i32>,
}

impl fmt::Debug for ResultView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResultView")
            .field("job_id", &self.job_id)
            .field("name", &self.name)
            .field("attempt", &self.attempt)
            .field("status", &self.status)
            .field("return_code", &self.return_code)
            .field("reason", &self.reason)
            .finish_non_exhaustive()
    }
}

/// What a daemon says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Its package version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Where it listens.
    pub socket: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Where its database lives.
    pub database: String,
    /// Whether that is memory.
    pub in_memory: bool,
    /// Whether it only reads.
    pub read_only: bool,
    /// Where it logs: `stderr`, `journal`, or the path of a file.
    pub log: String,
    /// The unit of systemd that it is; none when nothing but a process has started it.
    pub unit: Option<String>,
    /// What its node has.
    pub node: NodeResources,
    /// How many workflows have not ended.
    pub running_workflows: u64,
    /// All jobs of those, by state.
    pub jobs: JobCounts,
    /// The state of its snapshots.
    pub snapshot: SnapshotStatusView,
}

/// How well a daemon's database is kept on disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SnapshotStatusView {
    /// Where snapshots go; none for a daemon that only reads.
    pub target: Option<String>,
    /// How many are kept.
    pub keep: u32,
    /// The last that is durable.
    pub last: Option<SnapshotView>,
    /// Changes since, in transactions.
    pub changes_since: u64,
    /// What the one that runs is doing.
    pub phase: Option<SnapshotPhase>,
    /// Since when it does that.
    pub phase_since: Option<Timestamp>,
    /// Why the last try failed; none after a success.
    pub error: Option<SnapshotFailure>,
    /// Since when every try has failed; none after a success.
    pub failing_since: Option<Timestamp>,
}

/// A snapshot that is on disk, synced and verified.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotView {
    /// Which.
    pub generation: Generation,
    /// It holds every change up to this one.
    pub changes: u64,
    /// Where it is.
    pub path: String,
    /// How large it is.
    pub bytes: u64,
    /// Its SHA-256 in hexadecimal digits. Empty for a database on disk that is its own snapshot.
    pub sha256: String,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When it was durable.
    pub finished_at: Timestamp,
    /// How long each phase took.
    pub phases: Vec<(SnapshotPhase, Span)>,
}

/// The steps of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotPhase {
    /// Waiting for the one before it.
    Waiting,
    /// From memory to memory.
    Copy,
    /// Writing the temporary file beside the target.
    Write,
    /// `fsync` of it.
    Sync,
    /// Reading it back and checking it.
    Verify,
    /// Rotating, renaming, `fsync` of the directory.
    Publish,
}

impl SnapshotPhase {
    /// Returns the word for this phase.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Copy => "copy",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Verify => "verify",
            Self::Publish => "publish",
        }
    }
}

impl std::fmt::Display for SnapshotPhase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a snapshot is not on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFailure {
    /// Where it should have gone.
    pub path: String,
    /// What was being done.
    pub phase: SnapshotPhase,
    /// The system's error number, when it was a system call that failed.
    pub errno: Option<i32>,
    /// What failed, in words.
    pub reason: String,
    /// Where a torcd that has ended has left instead what should be there; none as long as it runs.
    pub kept: Option<Kept>,
}

/// A file that holds the record of a torcd which could not bring it to its place, or was killed.
/// `torcctl snapshot recover` brings it there, and so does the next torcd that has this place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// The file.
    pub path: String,
    /// Whether it is in memory, and gone when the host is rebooted.
    pub in_memory: bool,
}

/// What kind of file a snapshot, or what could become one, is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotPlace {
    /// At the target: the newest.
    Target,
    /// Beside it, with a number: an older one.
    Older,
    /// Beside it: found damaged by an earlier start.
    Damaged,
    /// Beside it: set aside for a fresh start.
    SetAside,
    /// Where a torcd has saved it that could not reach the target.
    Spilled,
    /// The database of a torcd that was killed, in memory.
    Memory,
    /// Anywhere else: somebody has named it.
    Named,
}

impl SnapshotPlace {
    /// Returns the word for this place.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Older => "older",
            Self::Damaged => "damaged",
            Self::SetAside => "set_aside",
            Self::Spilled => "spilled",
            Self::Memory => "memory",
            Self::Named => "named",
        }
    }
}

impl std::fmt::Display for SnapshotPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// A file that is a snapshot, or should be. `torcd snapshots` tells of them, a line of JSON each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFileView {
    /// Where it is.
    pub path: String,
    /// What kind of place that is.
    pub place: SnapshotPlace,
    /// Where its record belongs, as far as that is known.
    pub target: Option<String>,
    /// What is wrong with it; none when it is a good one. Without a deep check only its header and
    /// its number were read.
    pub problem: Option<String>,
    /// The name that its database keeps for life.
    pub instance: Option<String>,
    /// Which snapshot it is, or the last that was taken of it.
    pub generation: Option<Generation>,
    /// It holds every change up to this one.
    pub changes: Option<u64>,
    /// When that snapshot was begun.
    pub taken_at: Option<Timestamp>,
    /// On which host.
    pub host: Option<String>,
    /// The size of the file.
    pub bytes: Option<u64>,
    /// For what is spilled or in memory: what is to become of it.
    pub fate: Option<Fate>,
}

/// What is to become of a record that is not at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is newer than what is at its place, and goes there.
    Newer,
    /// All that it holds is at its place.
    Superseded,
    /// What is at its place is of another database, or has gone on without it: both are wanted.
    Diverged,
}
