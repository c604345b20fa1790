//! The client's end of a session, as handlers see it.

use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;
use torc_protocol::codec::CodecError;
use torc_protocol::connection::{ConnectionError, ServerSide};
use torc_protocol::request::Request;
use torc_protocol::response::{ErrorCode, RequestError, Response};

/// How long a client may leave a reply unread before it is cut off.
const SEND_TIMEOUT: Duration = Duration::from_secs(60);

/// A connected client.
#[derive(Debug)]
pub struct Client {
    connection: ServerSide<UnixStream>,
}

impl Client {
    /// Greets whoever has connected.
    ///
    /// # Errors
    ///
    /// When it does not greet in time, or is of another protocol.
    pub async fn greet(stream: UnixStream) -> Result<Self, ConnectionError> {
        Ok(Self { connection: ServerSide::open(stream).await? })
    }

    /// Waits for the next request; none when the client has closed the connection.
    ///
    /// # Errors
    ///
    /// When the connection fails, or what arrives is not a request.
    pub async fn request(&mut self) -> Result<Option<Request>, ConnectionError> {
        self.connection.receive().await
    }

    /// Sends a reply, or a part of one.
    ///
    /// # Errors
    ///
    /// When the client has gone, or does not read.
    pub async fn send(&mut self, response: impl Into<Response>) -> Result<(), ConnectionError> {
        match timeout(SEND_TIMEOUT, self.connection.send(response.into())).await {
            Ok(sent) => sent,
            Err(_) => Err(ConnectionError::Closed),
        }
    }

    /// Ends when the client has: by closing, or by sending something while a reply is due.
    pub async fn gone(&mut self) {
        // Whatever it is, the client does not wait for the rest.
        let _ = self.connection.receive().await;
    }

    /// Waits for what a reply needs, unless the client goes before it is there.
    ///
    /// # Errors
    ///
    /// When the client has gone.
    pub async fn unless_gone<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            it = wait => Ok(it),
            () = self.gone() => Err(Failure::Broken(ConnectionError::Closed)),
        }
    }
}

/// Why a request has no good end.
#[derive(Debug)]
pub enum Failure {
    /// It is refused; the session goes on.
    Refused(RequestError),
    /// The client is gone; so is the session.
    Broken(ConnectionError),
}

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self::Refused(error)
    }
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        match error {
            // Nothing of it was sent, so the client can be told.
            ConnectionError::Codec(CodecError::TooLarge(_)) => {
                Self::Refused(RequestError::new(ErrorCode::Internal, error.to_string()))
            }
            error => Self::Broken(error),
        }
    }
}
