//! Views for tests.

use torc_protocol::id::{JobId, WorkflowId};
use torc_protocol::status::{JobStatus, WorkflowStatus};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobCounts, JobView, WorkflowView};

/// Returns workflow 3 `night`: twelve jobs, two of which failed.
pub(crate) fn workflow() -> WorkflowView {
    WorkflowView {
        id: WorkflowId(3),
        name: "night".to_owned(),
        description: None,
        status: WorkflowStatus::Failed,
        jobs: JobCounts { total: 12, completed: 10, failed: 2, ..JobCounts::default() },
        submitted_at: Timestamp(1_000_000),
        finished_at: Some(Timestamp(5_000_000)),
        working_dir: "/data".to_owned(),
        output_dir: "/data/torc_output".to_owned(),
        metadata: None,
    }
}

/// Returns a job of workflow 3.
pub(crate) fn job(id: u64, name: &str, status: JobStatus) -> JobView {
    JobView {
        id: JobId(id),
        workflow_id: WorkflowId(3),
        name: name.to_owned(),
        command: "true".to_owned(),
        status,
        priority: 0,
        attempts: 0,
        return_code: None,
        cpus: 1,
        memory: None,
        gpus: 0,
        labels: Vec::new(),
    }
}
