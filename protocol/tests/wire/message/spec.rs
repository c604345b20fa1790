//! What is submitted, and the words that travel in many messages.

use bytes::Bytes;
use torc_protocol::id::{AttemptId, AttemptNumber, JobId, WorkflowId};
use torc_protocol::spec::{
    ActionSpec, Capacity, Environment, FileSpec, Halt, JobContext, JobSettings, JobSpec, RetryRule,
    RunOptions, TimeLimit, UserDataSpec, WorkflowSpec,
};
use torc_protocol::time::{Span, Timestamp};

use super::{Command, HaltAfter, JobStatus, StdioMode, StopCause, Trigger, WorkflowStatus, golden};

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
        Paused => Self::Paused,
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
        TimeLimit => Self::TimeLimit,
        Halted => Self::Halted,
        OutOfMemory => Self::OutOfMemory,
        Again => Self::Again,
    }
}

golden! {
    Trigger {
        OnWorkflowStart => Self::OnWorkflowStart,
        OnWorkflowComplete => Self::OnWorkflowComplete,
        OnJobsReady => Self::OnJobsReady,
        OnJobsComplete => Self::OnJobsComplete,
        OnWorkerStart => Self::OnWorkerStart,
        OnWorkerComplete => Self::OnWorkerComplete,
    }
}

golden! {
    HaltAfter {
        Jobs => Self::Jobs(3),
        Share => Self::Share(1_250),
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
        delete_on_success: true,
        retry: vec![RetryRule {
            exit_codes: vec![3, -1],
            any: true,
            max_retries: 2,
            recovery_script: Some("./mend".to_owned()),
        }],
        retry_delay: Span(1_500_000),
        timeout: Some(Span(60_000_000)),
        requirements: Some("small".to_owned()),
        cpus: 4,
        memory: Some(1 << 30),
        limit_memory: true,
        gpus: 2,
        runtime: Some(Span(3_600_000_000)),
        termination_signal: 12,
        timeout_code: 152,
        out_of_memory_code: 137,
        cancel_on_blocking_job_failure: true,
        labels: vec!["gpu".to_owned()],
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
        metadata: Some("{}".to_owned()),
        settings: vec![settings()],
        actions: vec![ActionSpec {
            trigger: Trigger::OnJobsReady,
            jobs: vec![1, 300],
            commands: vec!["date".to_owned()],
            persistent: true,
        }],
        options: options(),
    }
}

pub(crate) fn options() -> RunOptions {
    RunOptions {
        max_parallel_jobs: Some(8),
        capacity: Capacity { cpus: Some(3), memory: Some(1 << 33), gpus: Some(1) },
        labels: vec!["gpu".to_owned(), "big".to_owned()],
        time_limit: Some(TimeLimit {
            stop_at: Timestamp(1_700_000_002_000_000),
            grace: Span(30_000_000),
        }),
        halt: Some(Halt { after: HaltAfter::Share(1_250), now: true }),
    }
}

pub(crate) fn files() -> Vec<FileSpec> {
    vec![FileSpec { name: "table".to_owned(), path: "out/table.csv".to_owned() }]
}

pub(crate) fn user_data() -> Vec<UserDataSpec> {
    let data = Some("{\"a\":1}".to_owned());
    vec![UserDataSpec { name: "config".to_owned(), data, is_ephemeral: true }]
}

pub(crate) fn jobs() -> Vec<JobSpec> {
    let job = |number: u32, command| JobSpec {
        name: format!("job{number}"),
        command,
        priority: -7,
        settings: number,
        depends_on: vec![0, 300],
        inputs: vec![1],
        outputs: vec![2, 3],
        input_user_data: vec![4],
        output_user_data: vec![5],
        environment: vec![("SEED".to_owned(), "1".to_owned())],
        invocation_script: Some("./wrap".to_owned()),
    };
    vec![job(1, Command::Line("true".to_owned())), job(2, Command::Argv(vec!["ls".to_owned()]))]
}
