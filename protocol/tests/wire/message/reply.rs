//! What torcd replies.

use bytes::Bytes;
use torc_protocol::event::Event;
use torc_protocol::id::{AttemptNumber, Generation, JobId};
use torc_protocol::resources::NodeResources;
use torc_protocol::response::{
    Canceled, Deleted, Disabled, Explanation, JobDetail, LogChunk, Pong, RequestError,
    SubmitAccepted, Submitted,
};
use torc_protocol::result::{FileStamp, Usage};
use torc_protocol::time::{Span, Timestamp};
use torc_protocol::view::{
    EdgeView, FileUseView, FileView, JobCounts, JobView, Kept, ResultView, SnapshotFailure,
    SnapshotStatusView, SnapshotView, StatusView, UserDataView, WorkflowView,
};

use super::spec::{attempt, job_id, workflow_id};
use super::{
    ErrorCode, EventKind, Golden, JobStatus, LogPart, Response, SnapshotPhase, SnapshotProgress,
    WatchItem, WorkflowStatus, golden,
};

golden! {
    EventKind {
        WorkflowSubmitted => Self::WorkflowSubmitted { name: "night".to_owned(), jobs: 200 },
        WorkflowRestarted => Self::WorkflowRestarted { name: "night".to_owned(), jobs: 3 },
        JobStarted => Self::JobStarted {
            job_id: job_id(),
            name: "job1".to_owned(),
            attempt: AttemptNumber(2),
            pid: 4_194_304,
        },
        JobFinished => Self::JobFinished {
            job_id: job_id(),
            name: "job1".to_owned(),
            attempt: AttemptNumber(2),
            status: JobStatus::Failed,
            return_code: 137,
            reason: "signal 9".to_owned(),
            usage: usage(),
        },
        JobsCanceled => Self::JobsCanceled { count: 12 },
        ActionFinished => Self::ActionFinished {
            job_id: job_id(),
            name: "on_workflow_start#1".to_owned(),
            status: JobStatus::Failed,
            return_code: 2,
            reason: "exit code 2".to_owned(),
        },
        WorkflowFinished => Self::WorkflowFinished {
            status: WorkflowStatus::Failed,
            counts: counts(),
        },
    }
}

golden! {
    WatchItem {
        State => Self::State { workflow: Box::new(workflow_view()), next_seq: 70_000 },
        Events => Self::Events(events()),
        CaughtUp => Self::CaughtUp { next_seq: 70_001 },
        Cut => Self::Cut { next_seq: 70_002 },
    }
}

golden! {
    SnapshotPhase {
        Waiting => Self::Waiting,
        Copy => Self::Copy,
        Write => Self::Write,
        Sync => Self::Sync,
        Verify => Self::Verify,
        Publish => Self::Publish,
    }
}

golden! {
    SnapshotProgress {
        Queued => Self::Queued,
        Phase => Self::Phase(SnapshotPhase::Sync),
        Done => Self::Done(Box::new(snapshot())),
        Failed => Self::Failed(failure()),
        TimedOut => Self::TimedOut(SnapshotPhase::Write),
        Nothing => Self::Nothing,
        Limit => Self::Limit(Span(300_000_000)),
        Jobs => Self::Jobs(3),
    }
}

golden! {
    ErrorCode {
        InvalidRequest => Self::InvalidRequest,
        NotFound => Self::NotFound,
        WrongState => Self::WrongState,
        Unavailable => Self::Unavailable,
        Internal => Self::Internal,
    }
}

golden! {
    Response {
        Pong => Self::Pong(Pong),
        Status => Self::Status(Box::new(status())),
        SubmitAccepted => Self::SubmitAccepted(SubmitAccepted { existing: Some(workflow_id()) }),
        Submitted => Self::Submitted(Submitted { workflow_id: workflow_id(), jobs: 200, existed: true }),
        Watch => Self::Watch(WatchItem::Events(events())),
        Canceled => Self::Canceled(Canceled {
            workflow_id: workflow_id(),
            canceled: 5,
            stopping: 2,
        }),
        Workflows => Self::Workflows(vec![workflow_view()]),
        Jobs => Self::Jobs(vec![job_view()]),
        Results => Self::Results(vec![result_view()]),
        Job => Self::Job(Box::new(JobDetail {
            job: job_view(),
            attempts: vec![result_view()],
            depends_on: vec!["job0".to_owned()],
            files: vec![file_use()],
        })),
        Logs => Self::Logs(LogChunk {
            attempt: attempt(),
            name: "job1".to_owned(),
            status: JobStatus::Running,
            stdout: LogPart::Bytes(Bytes::from_static(b"\xffline\n")),
            stderr: LogPart::File { path: "/scratch/job1.err".to_owned(), bytes: 1_048_577 },
            ended: true,
        }),
        Snapshot => Self::Snapshot(SnapshotProgress::Done(Box::new(snapshot()))),
        End => Self::End,
        Error => Self::Error(
            RequestError::new(ErrorCode::NotFound, "there is no job 'job9'").hint("look again"),
        ),
        Disabled => Self::Disabled(Disabled { workflow_id: workflow_id(), changed: 2 }),
        Explanation => Self::Explanation(Box::new(Explanation {
            job: job_view(),
            reasons: vec!["it waits for 1 job".to_owned()],
            hint: Some("torcctl retry 300".to_owned()),
        })),
        Workflow => Self::Workflow(Box::new(workflow_view())),
        Deleted => Self::Deleted(Deleted { workflow_id: workflow_id(), jobs: 200 }),
        Edges => Self::Edges(vec![EdgeView { job_id: job_id(), depends_on: JobId(69_999) }]),
        Files => Self::Files(vec![FileView {
            id: 7,
            name: "table".to_owned(),
            path: "out/table.csv".to_owned(),
            written_by: Some("job1".to_owned()),
            read_by: 3,
            stamp: Some(stamp()),
        }]),
        FileUses => Self::FileUses(vec![file_use()]),
        Degraded => Self::Degraded(Box::new(status().snapshot)),
        UserData => Self::UserData(vec![UserDataView {
            id: 8,
            name: "config".to_owned(),
            data: Some("{}".to_owned()),
            is_ephemeral: true,
            written_by: Some("job1".to_owned()),
            read_by: 3,
        }]),
    }
}

fn events() -> Vec<Event> {
    let event = |(seq, (_, kind)): (u64, (_, EventKind))| Event {
        seq,
        at: Timestamp(1_700_000_000_000_000),
        workflow_id: workflow_id(),
        kind,
    };
    (70_000..).zip(EventKind::all()).map(event).collect()
}

pub(crate) fn usage() -> Usage {
    Usage {
        wall: Span(1_234_567),
        user_cpu: Span(1_000_000),
        system_cpu: Span(20_000),
        peak_memory: 3_145_728,
    }
}

pub(crate) fn resources() -> NodeResources {
    NodeResources {
        host: "n001".to_owned(),
        cpus: 104,
        memory: 274_877_906_944,
        gpus: vec!["0".to_owned(), "GPU-8f6a".to_owned()],
    }
}

pub(crate) fn stamp() -> FileStamp {
    FileStamp { modified: 1_700_000_000_123_456_789, bytes: 70_000 }
}

fn file_use() -> FileUseView {
    FileUseView {
        job_id: job_id(),
        path: "out/table.csv".to_owned(),
        is_output: true,
        stamp: Some(stamp()),
    }
}

fn counts() -> JobCounts {
    JobCounts {
        total: 45,
        blocked: 1,
        ready: 2,
        pending: 3,
        running: 4,
        completed: 5,
        failed: 6,
        canceled: 7,
        terminated: 8,
        disabled: 9,
    }
}

fn workflow_view() -> WorkflowView {
    WorkflowView {
        id: workflow_id(),
        name: "night".to_owned(),
        description: Some("every night".to_owned()),
        status: WorkflowStatus::Failed,
        jobs: counts(),
        submitted_at: Timestamp(1_700_000_000_000_000),
        finished_at: Some(Timestamp(1_700_000_001_000_000)),
        working_dir: "/scratch".to_owned(),
        output_dir: "/scratch/torc_output".to_owned(),
        metadata: Some("{}".to_owned()),
    }
}

fn job_view() -> JobView {
    JobView {
        id: job_id(),
        workflow_id: workflow_id(),
        name: "job1".to_owned(),
        command: "gzip -k a".to_owned(),
        status: JobStatus::Failed,
        priority: -7,
        attempts: 2,
        return_code: Some(137),
        cpus: 4,
        memory: Some(1 << 30),
        gpus: 1,
        labels: vec!["gpu".to_owned()],
    }
}

fn result_view() -> ResultView {
    ResultView {
        job_id: job_id(),
        workflow_id: workflow_id(),
        name: "job1".to_owned(),
        command: "gzip -k a".to_owned(),
        attempt: AttemptNumber(2),
        status: JobStatus::Failed,
        return_code: Some(137),
        reason: "signal 9".to_owned(),
        node: "n001".to_owned(),
        pid: Some(4_194_304),
        started_at: Some(Timestamp(1_700_000_000_500_000)),
        finished_at: Some(Timestamp(1_700_000_001_000_000)),
        usage: Some(usage()),
        stdout_bytes: 6,
        stderr_bytes: 1_048_577,
        stdout_path: None,
        stderr_path: Some("/scratch/job1.err".to_owned()),
        recovery_code: Some(0),
    }
}

fn snapshot() -> SnapshotView {
    SnapshotView {
        generation: Generation(17),
        changes: 4_711,
        path: "/scratch/torc.db".to_owned(),
        bytes: 90_112,
        sha256: "9f86d081".to_owned(),
        started_at: Timestamp(1_700_000_000_000_000),
        finished_at: Timestamp(1_700_000_000_012_000),
        phases: vec![(SnapshotPhase::Copy, Span(4_000)), (SnapshotPhase::Write, Span(8_000))],
    }
}

fn failure() -> SnapshotFailure {
    SnapshotFailure {
        path: "/scratch/torc.db".to_owned(),
        phase: SnapshotPhase::Write,
        errno: Some(28),
        reason: "no space left on device".to_owned(),
        kept: Some(Kept { path: "/tmp/spilled.db".to_owned(), in_memory: true }),
    }
}

fn status() -> StatusView {
    StatusView {
        version: "1.2.3".to_owned(),
        pid: 4_711,
        socket: "/run/torcd.sock".to_owned(),
        started_at: Timestamp(1_700_000_000_000_000),
        database: "/scratch/torc.db".to_owned(),
        in_memory: true,
        read_only: true,
        log: "journal".to_owned(),
        unit: Some("torcd.service".to_owned()),
        node: resources(),
        running_workflows: 2,
        jobs: counts(),
        snapshot: SnapshotStatusView {
            target: Some("/scratch/torc.db".to_owned()),
            keep: 5,
            last: Some(snapshot()),
            changes_since: 3,
            phase: Some(SnapshotPhase::Verify),
            phase_since: Some(Timestamp(1_700_000_000_013_000)),
            error: Some(failure()),
            failing_since: Some(Timestamp(1_700_000_000_011_000)),
        },
    }
}
