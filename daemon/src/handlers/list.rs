//! Lists, sent in chunks while they are read.
//!
//! Reading never waits for a client: as long as it lasts, SQLite keeps what was changed meanwhile in
//! its log, and other readers wait for the connection. What is read faster than the client takes it
//! waits in memory, as frames.

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use torc_protocol::codec;
use torc_protocol::response::{ErrorCode, RequestError, Response};
use torc_protocol::view::{
    EdgeView, FileUseView, FileView, JobView, ResultView, UserDataView, WorkflowView,
};

use crate::dispatcher::input::Input;
use crate::handlers::client::{Client, Failure};
use crate::handlers::{Handlers, end, internal};
use crate::seats::{Account, Cut};
use crate::store::query::QueryError;
use crate::store::sql::Connection;

/// So many rows make a chunk at the most,
const CHUNK: usize = 500;
/// and about so many bytes of text: far less than a frame holds.
const CHUNK_BYTES: usize = 1024 * 1024;

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
    let (frames, receiver) = mpsc::unbounded_channel();
    let list = List { account: client.account().clone(), frames };
    let (read, sent) = match handlers.residence.reader() {
        Some(reader) => {
            let runtime = Handle::current();
            let reading = reader.read(move |connection| {
                let take =
                    |account: &Account, bytes| runtime.block_on(account.hold(bytes)).map(|()| true);
                Ok(list.read(connection, query, take))
            });
            let (read, sent) = tokio::join!(reading, forward(receiver, client));
            (read.map_err(internal)?, sent)
        }
        None => {
            let (done, outcome) = oneshot::channel();
            handlers.writing()?.dispatcher.send(Input::Read(Box::new(move |connection| {
                // Whoever asked may have gone. The dispatcher waits for nobody.
                let _ = done.send(list.read(connection, query, Account::try_hold));
            })));
            let sent = forward(receiver, client).await;
            let ending = |_| RequestError::new(ErrorCode::Unavailable, "torcd is ending");
            (outcome.await.map_err(ending)?, sent)
        }
    };
    sent?;
    read?;
    end(client).await
}

/// Sends what is read until all of it is, or the client has gone; that ends the reading.
async fn forward(
    mut frames: mpsc::UnboundedReceiver<Bytes>,
    client: &mut Client,
) -> Result<(), Failure> {
    while let Some(frame) = frames.recv().await {
        client.send_held(frame).await?;
    }
    Ok(())
}

/// Where a list goes while it is read.
struct List {
    account: Account,
    frames: mpsc::UnboundedSender<Bytes>,
}

impl List {
    /// Reads what `query` gives. `take` takes memory for it; false when there is none.
    fn read<V: Row>(
        self,
        connection: &Connection,
        query: impl FnOnce(&Connection, &mut dyn FnMut(V) -> bool) -> Result<(), QueryError>,
        take: impl Fn(&Account, usize) -> Result<bool, Cut>,
    ) -> Result<(), RequestError>
    where
        Response: From<Vec<V>>,
    {
        let mut refused = None;
        let push = |rows: Vec<V>| match self.push(rows.into(), &take) {
            Ok(()) => true,
            Err(error) => {
                refused = Some(error);
                false
            }
        };
        in_chunks(connection, query, push).map_err(refusal)?;
        refused.map_or(Ok(()), Err)
    }

    fn push(
        &self,
        chunk: Response,
        take: impl Fn(&Account, usize) -> Result<bool, Cut>,
    ) -> Result<(), RequestError> {
        let frame = codec::frame(chunk)
            .map_err(|error| RequestError::new(ErrorCode::Internal, error.to_string()))?;
        let gone = || RequestError::new(ErrorCode::Unavailable, "the client has gone");
        match take(&self.account, frame.len()) {
            // The buffer that it grew in is larger than it is.
            Ok(true) => self.frames.send(Bytes::copy_from_slice(&frame)).map_err(|_| gone()),
            Ok(false) => Err(RequestError::new(
                ErrorCode::Unavailable,
                "too much of what was asked for waits to be read",
            )
            .hint("ask for less with `--limit N`, or try again in a moment")),
            Err(Cut) => Err(gone()),
        }
    }
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
