//! One connection: hello, then requests, each served before the next is read.

use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;
use torc_protocol::connection::ConnectionError;

use crate::handlers::client::{Client, Failure};
use crate::handlers::submit::Submission;
use crate::handlers::{self, Handlers};

/// Serves a connection until it ends or the daemon does.
pub async fn run(stream: UnixStream, handlers: &Handlers, stop: CancellationToken) {
    let mut submission = Submission::default();
    let ended = tokio::select! {
        ended = serve(stream, handlers, &mut submission) => ended,
        () = stop.cancelled() => Ok(()),
    };
    submission.give_up(handlers);
    if let Err(error) = ended {
        tracing::debug!("a session broke: {error}");
    }
}

async fn serve(
    stream: UnixStream,
    handlers: &Handlers,
    submission: &mut Submission,
) -> Result<(), ConnectionError> {
    let mut client = Client::greet(stream).await?;
    while let Some(request) = client.request().await? {
        match handlers::handle(request, handlers, submission, &mut client).await {
            Ok(()) => {}
            Err(Failure::Refused(error)) => client.send(error).await?,
            Err(Failure::Broken(error)) => return Err(error),
        }
    }
    Ok(())
}
