//! What is submitted, and the words that travel in many messages.

use bytes::Bytes;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::spec::{Environment, JobContext, JobSettings, JobSpec, WorkflowSpec};
use torc_protocol::time::Span;

use super::{Command, JobStatus, StdioMode, StopCause, WorkflowStatus, golden};

golden! {
    StdioMode {
        Capture => Self::Capture,
        Separate => Self::Separate,
        Combined => Self::Combined,
        NoStdout => Self::NoStdout,
        NoStderr => Self::NoStderr,
        None => Self::None,
    }
}

golden! {
    Command {
        Line => Self::Line("gzip -k *.csv | tee log".to_owned()),
        Argv => Self::Argv(vec!["gzip".to_owned(), "-k".to_owned(), "ä b".to_owned()]),
    }
}

golden! {
    WorkflowStatus {
        Running => Self::Running,
        Completed => Self::Completed,
        Failed => Self::Failed,
        Canceled => Self::Canceled,
    }
}

golden! {
    JobStatus {
        Blocked => Self::Blocked,
        Ready => Self::Ready,
        Pending => Self::Pending,
        Running => Self::Running,
        Completed => Self::Completed,
        Failed => Self::Failed,
        Canceled => Self::Canceled,
        Terminated => Self::Terminated,
        Disabled => Self::Disabled,
    }
}

golden! {
    StopCause {
        Canceled => Self::Canceled,
        Timeout => Self::Timeout,
        Shutdown => Self::Shutdown,
    }
}

pub(crate) fn workflow_id() -> WorkflowId {
    WorkflowId(300)
}

pub(crate) fn job_id() -> JobId {
    JobId(70_000)
}

pub(crate) fn attempt() -> AttemptId {
    AttemptId { job: job_id(), number: AttemptNumber(2) }
}

pub(crate) fn settings() -> JobSettings {
    JobSettings {
        stdio: StdioMode::Separate,
        retries: 3,
        retry_delay: Span(1_500_000),
        timeout: Some(Span(60_000_000)),
        cpus: 4,
        grace: Span(5_000_000),
        environment: vec![("OMP_NUM_THREADS".to_owned(), "4".to_owned())],
        working_dir: Some("sub".to_owned()),
    }
}

pub(crate) fn context() -> JobContext {
    JobContext {
        environment: Environment(Bytes::from_static(b"A=1\0B=\xff\0")),
        working_dir: "/scratch".to_owned(),
        output_dir: "/scratch/torc_output".to_owned(),
    }
}

pub(crate) fn workflow() -> WorkflowSpec {
    WorkflowSpec {
        name: "night".to_owned(),
        description: Some("every night".to_owned()),
        context: context(),
        settings: vec![settings()],
        max_parallel_jobs: Some(8),
    }
}

pub(crate) fn jobs() -> Vec<JobSpec> {
    let job = |number: u32, command| JobSpec {
        name: format!("job{number}"),
        command,
        priority: -7,
        settings: number,
    };
    vec![job(1, Command::Line("true".to_owned())), job(2, Command::Argv(vec!["ls".to_owned()]))]
}
