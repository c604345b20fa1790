//! One connection: hello, then requests, each served before the next is read.

use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use torc_protocol::connection::{ConnectionError, HELLO_TIMEOUT, ServerSide};
use torc_protocol::response::{ErrorCode, RequestError, Response};

use crate::handlers::client::{Client, Failure};
use crate::handlers::submit::Submission;
use crate::handlers::{self, Handlers};
use crate::seats::Seat;

/// Serves a connection until it ends, the daemon does, or its seat is wanted for another.
pub async fn run(stream: UnixStream, seat: Seat, handlers: &Handlers, stop: CancellationToken) {
    let mut submission = Submission::default();
    let account = seat.account().clone();
    let ended = tokio::select! {
        ended = serve(stream, seat, handlers, &mut submission) => ended,
        () = account.lost() => {
            tracing::debug!("a client was cut off that did nothing, so that others can be served");
            Ok(())
        }
        () = stop.cancelled() => Ok(()),
    };
    submission.give_up(handlers);
    if let Err(error) = ended {
        tracing::debug!("a session broke: {error}");
    }
}

async fn serve(
    stream: UnixStream,
    seat: Seat,
    handlers: &Handlers,
    submission: &mut Submission,
) -> Result<(), ConnectionError> {
    let mut client = Client::greet(stream, seat).await?;
    while let Some(request) = client.request().await? {
        handlers.warn(&mut client).await?;
        match handlers::handle(request, handlers, submission, &mut client).await {
            Ok(()) => {}
            Err(Failure::Refused(error)) => client.send(error).await?,
            Err(Failure::Broken(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Tells a client for which there is no seat why, in reply to its first request.
pub async fn turn_away(stream: UnixStream, connections: usize) {
    let refusal = RequestError::new(
        ErrorCode::Unavailable,
        format!("torcd serves {connections} connections at a time, and all of them work"),
    )
    .hint("try again when some of its clients have ended");
    let turned_away = async {
        let mut connection = ServerSide::open(stream).await?;
        connection.arrived(0).await?;
        connection.send(Response::Error(refusal)).await
    };
    match timeout(HELLO_TIMEOUT, turned_away).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!("a client that is turned away is gone: {error}"),
        Err(_) => tracing::debug!("a client that is turned away asks for nothing"),
    }
}
