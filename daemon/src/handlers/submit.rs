//! `submit`: the head, chunks of files and jobs, and the commit. One submission a connection at a time.

use torc_protocol::id::WorkflowId;
use torc_protocol::request::{
    Submit, SubmitCommit, SubmitFiles, SubmitJobs, Watch, WorkflowSelector,
};
use torc_protocol::response::{ErrorCode, RequestError, SubmitAccepted};

use crate::dispatcher::input::{Begun, Input};
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, watch};

/// The submission that a connection has begun.
#[derive(Debug, Default)]
pub struct Submission(Option<WorkflowId>);

impl Submission {
    /// Forgets a submission that was not committed.
    pub fn give_up(self, handlers: &Handlers) {
        if let (Some(draft), Some(writing)) = (self.0, &handlers.writing) {
            writing.dispatcher.send(Input::Drop { draft });
        }
    }

    fn begun(&self) -> Result<WorkflowId, RequestError> {
        self.0.ok_or_else(|| {
            RequestError::new(
                ErrorCode::InvalidRequest,
                "no submission was begun on this connection",
            )
        })
    }
}

pub(super) async fn begin(
    request: Submit,
    handlers: &Handlers,
    submission: &mut Submission,
    client: &mut Client,
) -> Result<(), Failure> {
    let dispatcher = &handlers.writing()?.dispatcher;
    if let Some(draft) = submission.0.take() {
        dispatcher.send(Input::Drop { draft });
    }
    let Submit { spec, key } = request;
    let spec = Box::new(spec);
    let existing = match dispatcher.ask(|reply| Input::Begin { spec, key, reply }).await? {
        Begun::Draft(draft) => {
            submission.0 = Some(draft);
            None
        }
        Begun::Existing(first) => Some(first),
    };
    Ok(client.send(SubmitAccepted { existing }).await?)
}

pub(super) async fn add_files(
    request: SubmitFiles,
    handlers: &Handlers,
    submission: &mut Submission,
    client: &mut Client,
) -> Result<(), Failure> {
    let draft = submission.begun()?;
    let dispatcher = &handlers.writing()?.dispatcher;
    let added = dispatcher.ask(|reply| Input::AddFiles { draft, added: request, reply }).await;
    if let Err(error) = added {
        submission.0 = None;
        return Err(error.into());
    }
    Ok(client.send(SubmitAccepted::default()).await?)
}

pub(super) async fn add_jobs(
    request: SubmitJobs,
    handlers: &Handlers,
    submission: &mut Submission,
    client: &mut Client,
) -> Result<(), Failure> {
    let draft = submission.begun()?;
    let dispatcher = &handlers.writing()?.dispatcher;
    let added = dispatcher.ask(|reply| Input::AddJobs { draft, jobs: request.jobs, reply }).await;
    if let Err(error) = added {
        submission.0 = None;
        return Err(error.into());
    }
    Ok(client.send(SubmitAccepted::default()).await?)
}

pub(super) async fn commit(
    request: SubmitCommit,
    handlers: &Handlers,
    submission: &mut Submission,
    client: &mut Client,
) -> Result<(), Failure> {
    let draft = submission.begun()?;
    submission.0 = None;
    let dispatcher = &handlers.writing()?.dispatcher;
    let watch = request.watch;
    let (submitted, live) = dispatcher.ask(|reply| Input::Commit { draft, watch, reply }).await?;
    let id = submitted.workflow_id;
    client.send(submitted).await?;
    match live {
        Some(live) => watch::stream(live, 0, handlers, client).await,
        // It existed before, or nobody else can watch now; the client is told which.
        None if watch => {
            let request = Watch { workflow: WorkflowSelector::Id(id), from_seq: None };
            watch::handle(request, handlers, client).await
        }
        None => Ok(()),
    }
}
