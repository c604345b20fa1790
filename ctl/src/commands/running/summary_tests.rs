use torc_protocol::view::{JobCounts, SnapshotFailure, SnapshotPhase};

use super::*;
use crate::commands::running::fixtures::{failed_job, outcome, snapshot};
use crate::commands::running::outcome::Idle;

#[test]
fn the_keys_are_those_that_were_promised() {
    let mut outcome = outcome(WorkflowStatus::Failed);
    outcome.counts = JobCounts { total: 3, completed: 2, failed: 1, ..JobCounts::default() };
    outcome.failed = vec![failed_job(&[])];
    outcome.saved = Saved::Durable(Some(Box::new(snapshot())));
    insta::assert_snapshot!(serde_json::to_string_pretty(&Summary::from(&outcome)).unwrap(), @r#"
    {
      "workflow_id": 4,
      "name": "night",
      "status": "failed",
      "jobs": {
        "total": 3,
        "completed": 2,
        "failed": 1,
        "canceled": 0,
        "terminated": 0
      },
      "failed_jobs": [
        {
          "job_id": 12,
          "name": "job2",
          "command": "gzip -k foo",
          "status": "failed",
          "attempt": 1,
          "return_code": 2,
          "reason": "exit code 2"
        }
      ],
      "elapsed_s": 12.3,
      "snapshot": {
        "path": "/w/torc_output/torc.db",
        "generation": 3,
        "durable": true,
        "bytes": 1258291,
        "error": null,
        "kept": null
      }
    }
    "#);
}

#[test]
fn a_snapshot_that_failed_is_not_durable_and_says_why() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    outcome.saved = Saved::Failed(SnapshotFailure {
        path: "/full/torc.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: Some(28),
        reason: "No space left on device".to_owned(),
        kept: Some(Kept { path: "/dev/shm/torc-1/x/torc.db".to_owned(), in_memory: true }),
    });
    let json = serde_json::to_value(Summary::from(&outcome)).unwrap();
    let expected = serde_json::json!({
        "path": "/full/torc.db", "generation": null, "durable": false, "bytes": null,
        "error": "No space left on device",
        "kept": {"path": "/dev/shm/torc-1/x/torc.db", "in_memory": true},
    });
    assert_eq!(json["snapshot"], expected);
    assert_eq!(json["status"], "completed");
}

#[test]
fn what_went_wrong_beside_the_jobs_has_keys_of_its_own() {
    let mut outcome = outcome(WorkflowStatus::Completed);
    let action =
        FailedAction { name: "on_workflow_start#1".to_owned(), reason: "exit code 3".to_owned() };
    outcome.failed_actions = vec![action];
    outcome.idle = Some(Idle { why: "nothing to do".to_owned(), is_done: true });
    let json = serde_json::to_value(Summary::from(&outcome)).unwrap();
    let expected = serde_json::json!([{"name": "on_workflow_start#1", "reason": "exit code 3"}]);
    assert_eq!(json["failed_actions"], expected);
    assert_eq!(json["nothing_to_do"], "nothing to do");
}
