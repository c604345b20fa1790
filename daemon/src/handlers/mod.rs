//! What each verb does: wire types to ours and back, one file a verb.

mod cancel;
pub mod client;
mod degraded;
mod explain;
mod files;
mod jobs;
mod list;
mod logs;
mod restart;
mod results;
pub mod shutdown;
mod snapshot;
mod status;
pub mod submit;
#[cfg(test)]
mod tests;
mod user_data;
mod watch;
mod workflows;

use std::path::PathBuf;

use torc_protocol::request::{JobSelector, Request, WorkflowSelector};
use torc_protocol::response::{ErrorCode, Pong, RequestError, Response};
use torc_protocol::time::Timestamp;
use torc_protocol::view::{JobView, WorkflowView};

use crate::dispatcher::control::no_workflow;
use crate::dispatcher::input::{DispatcherHandle, Input};
use crate::handlers::client::{Client, Failure};
use crate::handlers::shutdown::ShutdownSender;
use crate::handlers::submit::Submission;
use crate::nodes::LocalNode;
use crate::snapshot::snapshotter::SnapshotHandle;
use crate::store::residence::Residence;
use crate::store::sql::{Connection, SqlError, SqlResult};
use crate::store::tables::{job, workflow};

/// What the handlers work with.
#[derive(Debug)]
pub struct Handlers {
    /// What writes; none in a daemon that only reads.
    pub writing: Option<Writing>,
    /// Where the database lives, and what reads it there.
    pub residence: Residence,
    /// Where the end of the daemon is asked for.
    pub shutdown: ShutdownSender,
    /// What the daemon says of itself.
    pub identity: Identity,
}

/// What only a daemon that writes has.
#[derive(Debug)]
pub struct Writing {
    /// Who owns the truth.
    pub dispatcher: DispatcherHandle,
    /// Who runs the jobs.
    pub node: LocalNode,
    /// Who takes the snapshots.
    pub snapshots: SnapshotHandle,
}

/// What a daemon says of itself that does not change.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where it listens.
    pub socket: PathBuf,
    /// Whether that is memory.
    pub in_memory: bool,
    /// The host.
    pub host: String,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// Where it logs: `stderr`, `journal`, or a path.
    pub log: String,
    /// The unit of systemd that it is, if it is one.
    pub unit: Option<String>,
}

/// Serves one request.
///
/// # Errors
///
/// When it is refused, or the client has gone.
pub async fn handle(
    request: Request,
    handlers: &Handlers,
    submission: &mut Submission,
    client: &mut Client,
) -> Result<(), Failure> {
    match request {
        Request::Ping(_) => Ok(client.send(Pong).await?),
        Request::Status(_) => status::handle(handlers, client).await,
        Request::Submit(request) => submit::begin(request, handlers, submission, client).await,
        Request::SubmitJobs(request) => {
            submit::add_jobs(request, handlers, submission, client).await
        }
        Request::SubmitCommit(request) => {
            submit::commit(request, handlers, submission, client).await
        }
        Request::Watch(request) => watch::handle(request, handlers, client).await,
        Request::Cancel(request) => cancel::handle(request, handlers, client).await,
        Request::ListWorkflows(request) => workflows::list(request, handlers, client).await,
        Request::ListJobs(request) => jobs::list(request, handlers, client).await,
        Request::ListResults(request) => results::list(request, handlers, client).await,
        Request::GetJob(request) => jobs::get(request, handlers, client).await,
        Request::Logs(request) => logs::handle(request, handlers, client).await,
        Request::Snapshot(request) => snapshot::handle(request, handlers, client).await,
        Request::Shutdown(request) => shutdown::handle(request, handlers, client).await,
        Request::SubmitFiles(request) => {
            submit::add_files(request, handlers, submission, client).await
        }
        Request::Restart(request) => restart::handle(request, handlers, client).await,
        Request::SetDisabled(request) => jobs::set_disabled(request, handlers, client).await,
        Request::Explain(request) => explain::handle(request, handlers, client).await,
        Request::GetWorkflow(request) => workflows::get(request, handlers, client).await,
        Request::DeleteWorkflow(request) => workflows::delete(request, handlers, client).await,
        Request::ListEdges(request) => jobs::edges(request, handlers, client).await,
        Request::ListFiles(request) => files::list(request, handlers, client).await,
        Request::ListFileUses(request) => files::uses(request, handlers, client).await,
        Request::ListUserData(request) => user_data::list(request, handlers, client).await,
    }
}

impl Handlers {
    /// Returns what writes.
    fn writing(&self) -> Result<&Writing, RequestError> {
        self.writing.as_ref().ok_or_else(|| {
            RequestError::new(
                ErrorCode::Unavailable,
                format!("{} is served for reading only", self.residence.describe()),
            )
            .hint("start a daemon that writes with `torcctl daemon start`")
        })
    }

    /// Reads one state of the database.
    async fn read<T: Send + 'static>(
        &self,
        f: impl FnOnce(&Connection) -> SqlResult<T> + Send + 'static,
    ) -> Result<T, RequestError> {
        let read = match self.residence.reader() {
            Some(reader) => reader.read(f).await,
            None => {
                let (sender, answer) = tokio::sync::oneshot::channel();
                self.writing()?.dispatcher.send(Input::Read(Box::new(move |connection| {
                    // Whoever asked may have gone.
                    let _ = sender.send(f(connection));
                })));
                answer
                    .await
                    .map_err(|_| RequestError::new(ErrorCode::Unavailable, "torcd is ending"))?
            }
        };
        read.map_err(internal)
    }

    /// Returns the workflow that `selector` names.
    async fn workflow(&self, selector: WorkflowSelector) -> Result<WorkflowView, RequestError> {
        let wanted = selector.clone();
        let found = self.read(move |connection| workflow::find(connection, &wanted)).await?;
        found.ok_or_else(|| no_workflow(&selector))
    }

    /// Returns the job that `selector` names.
    async fn job(&self, selector: JobSelector) -> Result<JobView, RequestError> {
        let (found, what) = match selector {
            JobSelector::Id(id) => (
                self.read(move |connection| job::by_id(connection, id)).await?,
                format!("job {id}"),
            ),
            JobSelector::Name(selector, name) => {
                let workflow = self.workflow(selector).await?.id;
                let what = format!("job '{name}' in workflow {workflow}");
                (self.read(move |c| job::by_name(c, workflow, &name)).await?, what)
            }
        };
        found.ok_or_else(|| {
            RequestError::new(ErrorCode::NotFound, format!("there is no {what}"))
                .hint("`torcctl jobs list` shows what there is")
        })
    }
}

/// Returns the error for a fault of ours, and logs it.
fn internal(error: SqlError) -> RequestError {
    tracing::error!("the database cannot be read: {error}");
    RequestError::new(ErrorCode::Internal, format!("the database cannot be read: {error}"))
}

/// Ends a reply of many parts.
async fn end(client: &mut Client) -> Result<(), Failure> {
    Ok(client.send(Response::End).await?)
}
