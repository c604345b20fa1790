//! Lists, sent in chunks while they are read.

use tokio::sync::mpsc;
use torc_protocol::response::{ErrorCode, RequestError, Response};
use torc_protocol::view::{
    EdgeView, FileUseView, FileView, JobView, ResultView, UserDataView, WorkflowView,
};

use crate::dispatcher::input::Input;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, end, internal};
use crate::store::query::QueryError;
use crate::store::sql::Connection;

/// So many rows make a chunk at the most,
const CHUNK: usize = 500;
/// and about so many bytes of text: far less than a frame holds.
const CHUNK_BYTES: usize = 1024 * 1024;
/// So many chunks are read ahead of a client.
const AHEAD: usize = 4;

/// Sends what `query` gives to its argument.
///
/// # Errors
///
/// When it is refused, or the client has gone.
pub(super) async fn send<V: Row + Send + 'static>(
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

/// A row of a list.
pub(super) trait Row {
    /// Returns how long the texts in it are, other than words that are always short.
    fn text_bytes(&self) -> usize;
}

impl Row for WorkflowView {
    fn text_bytes(&self) -> usize {
        let description = self.description.as_ref().map_or(0, String::len);
        let metadata = self.metadata.as_ref().map_or(0, String::len);
        self.name.len() + description + metadata + self.working_dir.len() + self.output_dir.len()
    }
}

impl Row for JobView {
    fn text_bytes(&self) -> usize {
        let labels = self.labels.iter().map(String::len);
        self.name.len() + self.command.len() + labels.sum::<usize>()
    }
}

impl Row for EdgeView {
    fn text_bytes(&self) -> usize {
        0
    }
}

impl Row for FileView {
    fn text_bytes(&self) -> usize {
        self.name.len() + self.path.len() + self.written_by.as_ref().map_or(0, String::len)
    }
}

impl Row for FileUseView {
    fn text_bytes(&self) -> usize {
        self.path.len()
    }
}

impl Row for UserDataView {
    fn text_bytes(&self) -> usize {
        let texts = [&self.data, &self.written_by].into_iter().flatten();
        self.name.len() + texts.map(String::len).sum::<usize>()
    }
}

impl Row for ResultView {
    fn text_bytes(&self) -> usize {
        let paths = [&self.stdout_path, &self.stderr_path].into_iter().flatten();
        let paths: usize = paths.map(String::len).sum();
        self.name.len() + self.command.len() + self.reason.len() + paths
    }
}

fn in_chunks<V: Row>(
    connection: &Connection,
    query: impl FnOnce(&Connection, &mut dyn FnMut(V) -> bool) -> Result<(), QueryError>,
    mut push: impl FnMut(Vec<V>) -> bool,
) -> Result<(), QueryError> {
    let mut chunk = Vec::new();
    let mut bytes = 0;
    query(connection, &mut |row: V| {
        let more = row.text_bytes();
        let full = chunk.len() == CHUNK || (bytes + more > CHUNK_BYTES && !chunk.is_empty());
        if full && !push(std::mem::take(&mut chunk)) {
            return false;
        }
        bytes = if full { more } else { bytes + more };
        chunk.push(row);
        true
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
