//! A connection, typed by direction.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::codec::Framed;

use crate::codec::{Codec, CodecError};
use crate::hello::{self, HelloError};
use crate::request::Request;
use crate::response::Response;

/// How long the other side has to say hello.
pub const HELLO_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a connection could not be opened or has failed.
#[derive(Debug, Error)]
pub enum ConnectionError {
    /// The two sides do not come to talk.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// The other side did not greet within [`HELLO_TIMEOUT`].
    #[error("the other side did not say hello within {} s", HELLO_TIMEOUT.as_secs())]
    HelloTimeout,
    /// A frame could not be read or written.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The other side closed the connection where a message was due.
    #[error("the other side closed the connection")]
    Closed,
}

/// Receives `In` and sends `Out` over `S`.
#[derive(Debug)]
pub struct Connection<S, In, Out> {
    frames: Framed<S, Codec<In, Out>>,
}

/// torcctl's end.
pub type ClientSide<S> = Connection<S, Response, Request>;
/// torcd's end.
pub type ServerSide<S> = Connection<S, Request, Response>;

impl<S, In, Out> Connection<S, In, Out>
where
    S: AsyncRead + AsyncWrite + Unpin,
    In: DeserializeOwned,
    Out: Serialize,
{
    /// Greets the other side and returns the connection.
    ///
    /// # Errors
    ///
    /// When it does not greet in time, or is of another protocol.
    pub async fn open(mut stream: S) -> Result<Self, ConnectionError> {
        timeout(HELLO_TIMEOUT, hello::exchange(&mut stream))
            .await
            .map_err(|_| ConnectionError::HelloTimeout)??;
        Ok(Self { frames: Framed::new(stream, Codec::default()) })
    }

    /// Sends a message and waits until it is handed to the kernel.
    ///
    /// # Errors
    ///
    /// When the connection fails, or the message does not fit into a frame.
    pub async fn send(&mut self, message: Out) -> Result<(), ConnectionError> {
        Ok(self.frames.send(message).await?)
    }

    /// Receives the next message; none when the other side has closed the connection.
    ///
    /// Safe to drop and call again: nothing is lost.
    ///
    /// # Errors
    ///
    /// When the connection fails, or what arrives is not a message.
    pub async fn receive(&mut self) -> Result<Option<In>, ConnectionError> {
        Ok(self.frames.next().await.transpose()?)
    }
}
