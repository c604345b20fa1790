//! Lists, sent in chunks while they are read.

use tokio::sync::mpsc;
use torc_protocol::response::{ErrorCode, RequestError, Response};

use crate::dispatcher::input::Input;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, end, internal};
use crate::store::query::QueryError;
use crate::store::sql::Connection;

/// So many rows make a chunk.
const CHUNK: usize = 500;
/// So many chunks are read ahead of a client.
const AHEAD: usize = 4;

/// Sends what `query` gives to its argument.
///
/// # Errors
///
/// When it is refused, or the client has gone.
pub(super) async fn send<V: Send + 'static>(
    handlers: &Handlers,
    client: &mut Client,
    query: impl FnOnce(&Connection, &mut dyn FnMut(V) -> bool) -> Result<(), QueryError>
    + Send
    + 'static,
) -> Result<(), Failure>
where
    Response: From<Vec<V>>,
{
    match &handlers.reader {
        Some(reader) => {
            let (chunks, mut receiver) = mpsc::channel(AHEAD);
            let reading = reader.read(move |c| {
                Ok(in_chunks(c, query, |chunk| chunks.blocking_send(chunk).is_ok()))
            });
            let sending = async {
                while let Some(chunk) = receiver.recv().await {
                    client.send(chunk).await?;
                }
                // What is not read any more ends the reading.
                drop(receiver);
                Ok::<(), Failure>(())
            };
            let (read, sent) = tokio::join!(reading, sending);
            sent?;
            read.map_err(internal)?.map_err(refusal)?;
        }
        None => {
            // The dispatcher must not wait for a client: all of the list is read first.
            let (chunks, mut receiver) = mpsc::unbounded_channel();
            let (done, outcome) = tokio::sync::oneshot::channel();
            handlers.writing()?.dispatcher.send(Input::Read(Box::new(move |connection| {
                // Whoever asked may have gone.
                let _ = done.send(in_chunks(connection, query, |chunk| chunks.send(chunk).is_ok()));
            })));
            while let Some(chunk) = receiver.recv().await {
                client.send(chunk).await?;
            }
            let ending = |_| RequestError::new(ErrorCode::Unavailable, "torcd is ending");
            outcome.await.map_err(ending)?.map_err(refusal)?;
        }
    }
    end(client).await
}

fn in_chunks<V>(
    connection: &Connection,
    query: impl FnOnce(&Connection, &mut dyn FnMut(V) -> bool) -> Result<(), QueryError>,
    mut push: impl FnMut(Vec<V>) -> bool,
) -> Result<(), QueryError> {
    let mut chunk = Vec::new();
    query(connection, &mut |row| {
        chunk.push(row);
        chunk.len() < CHUNK || push(std::mem::take(&mut chunk))
    })?;
    if !chunk.is_empty() {
        push(chunk);
    }
    Ok(())
}

/// Returns the error for a list that cannot be had.
pub(super) fn refusal(error: QueryError) -> RequestError {
    match error {
        QueryError::UnknownField { .. } => {
            RequestError::new(ErrorCode::InvalidRequest, error.to_string())
                .hint("leave `--sort` out to sort by number")
        }
        QueryError::Sqlite(error) => internal(error),
    }
}
