//! A run for tests.

use torc_protocol::id::{AttemptNumber, Generation, JobId, WorkflowId};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{JobCounts, JobView, ResultView, SnapshotView};

use super::outcome::{FailedJob, Outcome};
use super::saving::Saved;

pub(crate) fn snapshot() -> SnapshotView {
    SnapshotView {
        generation: Generation(3),
        changes: 100,
        path: "/w/torc_output/torc.db".to_owned(),
        bytes: 1_258_291,
        sha256: String::new(),
        started_at: Timestamp(0),
        finished_at: Timestamp(0),
        phases: Vec::new(),
    }
}

pub(crate) fn outcome(status: WorkflowStatus) -> Outcome {
    Outcome {
        workflow: WorkflowId(4),
        name: "night".to_owned(),
        status,
        counts: JobCounts { total: 200, completed: 200, ..JobCounts::default() },
        failed: Vec::new(),
        failed_before: 0,
        failed_actions: Vec::new(),
        left: None,
        is_rerun: false,
        idle: None,
        elapsed: Span(12_300_000),
        saved: Saved::Durable(Some(Box::new(snapshot()))),
        record: Some("/w/torc_output/torc.db".to_owned()),
        found_by: Some(String::new()),
        all_shown: true,
        signal: None,
    }
}

pub(crate) fn failed_job(last_lines: &[&str]) -> FailedJob {
    let result = ResultView {
        job_id: JobId(12),
        workflow_id: WorkflowId(4),
        name: "job2".to_owned(),
        command: "gzip -k foo".to_owned(),
        attempt: AttemptNumber(1),
        status: JobStatus::Failed,
        return_code: Some(2),
        reason: "exit code 2".to_owned(),
        node: "n1".to_owned(),
        pid: Some(1),
        started_at: None,
        finished_at: None,
        usage: None,
        stdout_bytes: 0,
        stderr_bytes: 0,
        stdout_path: None,
        stderr_path: None,
        recovery_code: None,
    };
    FailedJob { result, last_lines: last_lines.iter().map(|line| (*line).to_owned()).collect() }
}

pub(crate) fn job_view(name: &str) -> JobView {
    JobView {
        id: JobId(12),
        workflow_id: WorkflowId(4),
        name: name.to_owned(),
        command: "true".to_owned(),
        status: JobStatus::Ready,
        priority: 0,
        attempts: 0,
        return_code: None,
        cpus: 1,
        memory: None,
        gpus: 0,
        labels: Vec::new(),
    }
}
