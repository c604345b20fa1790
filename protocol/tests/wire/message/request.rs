//! What torcctl asks.

use torc_protocol::id::{AttemptNumber, JobId};
use torc_protocol::request::{
    Cancel, DeleteWorkflow, Explain, GetJob, GetWorkflow, JobRange, ListEdges, ListFileUses,
    ListFiles, ListJobs, ListResults, ListUserData, ListWorkflows, Logs, Page, Ping, Restart,
    SetDisabled, Shutdown, Snapshot, Status, Submit, SubmitCommit, SubmitFiles, SubmitJobs, Watch,
};
use torc_protocol::time::Span;

use super::spec::{context, files, job_id, jobs, options, user_data, workflow, workflow_id};
use super::{
    Command, JobSelector, JobStatus, Request, RunningJobs, SnapshotWait, WorkflowSelector,
    WorkflowStatus, golden,
};

golden! {
    RunningJobs {
        Stop => Self::Stop,
        Wait => Self::Wait,
        Again => Self::Again,
    }
}

golden! {
    WorkflowSelector {
        Latest => Self::Latest,
        Id => Self::Id(workflow_id()),
        Name => Self::Name("night".to_owned()),
    }
}

golden! {
    JobSelector {
        Id => Self::Id(job_id()),
        Name => Self::Name(WorkflowSelector::Latest, "job1".to_owned()),
    }
}

golden! {
    SnapshotWait {
        No => Self::No,
        Forever => Self::Forever,
        AtMost => Self::AtMost(Span(30_000_000)),
    }
}

golden! {
    Request {
        Ping => Self::Ping(Ping),
        Status => Self::Status(Status),
        Submit => Self::Submit(Submit { spec: workflow(), key: Some("night-7".to_owned()) }),
        SubmitJobs => Self::SubmitJobs(SubmitJobs { jobs: jobs() }),
        SubmitCommit => Self::SubmitCommit(SubmitCommit { watch: true }),
        Watch => Self::Watch(Watch { workflow: night(), from_seq: Some(1_000_000) }),
        Cancel => Self::Cancel(Cancel {
            workflow: night(),
            jobs: vec![job()],
            grace: Some(Span(2_000_000)),
        }),
        ListWorkflows => Self::ListWorkflows(ListWorkflows {
            status: vec![WorkflowStatus::Failed],
            name: glob(),
            page: page(),
        }),
        ListJobs => Self::ListJobs(ListJobs {
            workflow: night(),
            status: vec![JobStatus::Running],
            name: glob(),
            label: Some("gpu".to_owned()),
            actions: true,
            page: page(),
        }),
        ListResults => Self::ListResults(ListResults {
            workflow: night(),
            status: vec![JobStatus::Terminated],
            name: glob(),
            return_code: Some(-1),
            all_attempts: true,
            actions: true,
            page: page(),
        }),
        GetJob => Self::GetJob(GetJob { job: job() }),
        Logs => Self::Logs(Logs {
            job: job(),
            attempt: Some(AttemptNumber(2)),
            stdout_offset: 70_000,
            stderr_offset: 3,
            limit: 4_194_304,
            wait: true,
        }),
        Snapshot => Self::Snapshot(Snapshot {
            wait: SnapshotWait::Forever,
            path: Some("/scratch/now.db".to_owned()),
        }),
        Shutdown => Self::Shutdown(Shutdown {
            grace: Some(Span(0)),
            running: RunningJobs::Again,
        }),
        SubmitFiles => Self::SubmitFiles(SubmitFiles { files: files(), user_data: user_data() }),
        Restart => Self::Restart(Restart {
            workflow: night(),
            jobs: vec![JobRange { first: job_id(), last: JobId(70_001) }],
            commands: vec![(job_id(), Command::Line("true".to_owned()))],
            environment: context().environment,
            options: options(),
            watch: true,
        }),
        SetDisabled => Self::SetDisabled(SetDisabled {
            workflow: night(),
            jobs: vec![job()],
            disabled: true,
        }),
        Explain => Self::Explain(Explain { job: job() }),
        GetWorkflow => Self::GetWorkflow(GetWorkflow { workflow: night() }),
        DeleteWorkflow => Self::DeleteWorkflow(DeleteWorkflow { workflow: night() }),
        ListEdges => Self::ListEdges(ListEdges { workflow: night() }),
        ListFiles => Self::ListFiles(ListFiles { workflow: night(), name: glob(), page: page() }),
        ListFileUses => Self::ListFileUses(ListFileUses { workflow: night() }),
        ListUserData => Self::ListUserData(ListUserData {
            workflow: night(),
            name: glob(),
            page: page(),
        }),
    }
}

fn night() -> WorkflowSelector {
    WorkflowSelector::Name("night".to_owned())
}

fn job() -> JobSelector {
    JobSelector::Id(job_id())
}

fn glob() -> Option<String> {
    Some("night_*".to_owned())
}

fn page() -> Page {
    Page { sort: Some("wall".to_owned()), reverse: true, offset: 20, limit: Some(10) }
}
