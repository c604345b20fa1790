//! The client's end of a session, as handlers see it.

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::time::timeout;
use torc_protocol::codec::CodecError;
use torc_protocol::connection::{Arrived, ConnectionError, ServerSide};
use torc_protocol::request::Request;
use torc_protocol::response::{ErrorCode, RequestError, Response};
use torc_protocol::time::Timestamp;

use crate::seats::{Account, Cut, Seat};

/// What is at most this long, in bytes, is not accounted for: it comes and goes at once.
const SMALL: usize = 64 * 1024;

/// A connected client.
#[derive(Debug)]
pub struct Client {
    connection: ServerSide<UnixStream>,
    seat: Seat,
    /// Since when the snapshots fail of which it knows that they do; none while they do not.
    pub(super) knows_of: Option<Timestamp>,
}

impl Client {
    /// Greets whoever has connected.
    ///
    /// # Errors
    ///
    /// When it does not greet in time, or is of another protocol.
    pub async fn greet(stream: UnixStream, seat: Seat) -> Result<Self, ConnectionError> {
        let connection = ServerSide::open(stream).await?;
        Ok(Self { connection, seat, knows_of: None })
    }

    /// Waits for the next request; none when the client has closed the connection.
    ///
    /// The client may take its time until it begins one, but not to bring it to its end.
    ///
    /// # Errors
    ///
    /// When the connection fails, or what arrives is not a request, or has no end.
    pub async fn request(&mut self) -> Result<Option<Request>, ConnectionError> {
        self.seat.is_idle();
        let arrived = self.connection.arrived(0).await?;
        self.seat.works().map_err(cut_off)?;
        let begun = match arrived {
            Arrived::Message(request) => return Ok(Some(request)),
            Arrived::End => return Ok(None),
            Arrived::Part(bytes) => bytes,
        };
        let limit = self.account().limits().transfer;
        let mut held = 0;
        let request = timeout(limit, self.rest_of_request(begun, &mut held)).await;
        self.account().release(held);
        request.unwrap_or(Err(ConnectionError::Closed))
    }

    /// Takes the rest of a request, and memory for it as it grows.
    async fn rest_of_request(
        &mut self,
        mut bytes: usize,
        held: &mut usize,
    ) -> Result<Option<Request>, ConnectionError> {
        loop {
            if bytes > SMALL {
                self.account().hold(bytes - *held).await.map_err(cut_off)?;
                *held = bytes;
            }
            match self.connection.arrived(bytes).await? {
                Arrived::Message(request) => return Ok(Some(request)),
                Arrived::End => return Ok(None),
                Arrived::Part(more) => bytes = more,
            }
        }
    }

    /// Sends a reply, or a part of one.
    ///
    /// # Errors
    ///
    /// When the client has gone, or does not read.
    pub async fn send(&mut self, response: impl Into<Response>) -> Result<(), ConnectionError> {
        self.connection.feed(response.into()).await?;
        let bytes = self.connection.unsent();
        if bytes <= SMALL {
            return self.flush().await;
        }
        self.account().hold(bytes).await.map_err(cut_off)?;
        let sent = self.flush().await;
        self.account().release(bytes);
        sent
    }

    /// Sends a part of a reply that was made a frame before, and for which memory was taken, which
    /// is given back.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub async fn send_held(&mut self, frame: Bytes) -> Result<(), ConnectionError> {
        self.connection.feed_frame(&frame);
        let bytes = frame.len();
        drop(frame);
        let sent = self.flush().await;
        self.account().release(bytes);
        sent
    }

    async fn flush(&mut self) -> Result<(), ConnectionError> {
        match timeout(self.account().limits().transfer, self.connection.flush()).await {
            Ok(sent) => sent,
            Err(_) => Err(ConnectionError::Closed),
        }
    }

    /// Returns what accounts for the memory of this connection.
    #[must_use]
    pub fn account(&self) -> &Account {
        self.seat.account()
    }

    /// Ends when the client has: by closing, or by sending something while a reply is due.
    pub async fn gone(&mut self) {
        // Whatever it is, the client does not wait for the rest.
        let _ = self.connection.arrived(0).await;
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

fn cut_off(_: Cut) -> ConnectionError {
    ConnectionError::Closed
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

impl From<Cut> for Failure {
    fn from(cut: Cut) -> Self {
        Self::Broken(cut_off(cut))
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
