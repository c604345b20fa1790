//! A connection, typed by direction.
//!
//! It holds no memory for what has come to its end: a buffer that had to grow for a large message is
//! given back, because a thousand connections that are idle would keep a thousand of them.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
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

/// The largest buffer that a connection keeps when there is nothing in it, in bytes.
const KEPT_BUFFER: usize = 64 * 1024;

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

/// What has arrived.
#[derive(Debug)]
pub enum Arrived<In> {
    /// A whole message.
    Message(In),
    /// A part of one, which takes so many bytes of memory so far; at least 1.
    Part(usize),
    /// The end: the other side has closed the connection.
    End,
}

/// Receives `In` and sends `Out` over `S`.
#[derive(Debug)]
pub struct Connection<S, In, Out> {
    frames: Framed<S, Codec<In, Out>>,
    version: String,
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
        let theirs = timeout(HELLO_TIMEOUT, hello::exchange(&mut stream))
            .await
            .map_err(|_| ConnectionError::HelloTimeout)??;
        Ok(Self { frames: Framed::new(stream, Codec::default()), version: theirs.version })
    }

    /// Returns the package version of the other side, which is for messages only.
    #[must_use]
    pub fn peer_version(&self) -> &str {
        &self.version
    }

    /// Sends a message and waits until it is handed to the kernel.
    ///
    /// # Errors
    ///
    /// When the connection fails, or the message does not fit into a frame.
    pub async fn send(&mut self, message: Out) -> Result<(), ConnectionError> {
        self.feed(message).await?;
        self.flush().await
    }

    /// Encodes a message, which [`Self::flush`] then sends.
    ///
    /// # Errors
    ///
    /// When the message does not fit into a frame: nothing of it is sent then. When the connection
    /// fails.
    pub async fn feed(&mut self, message: Out) -> Result<(), ConnectionError> {
        Ok(self.frames.feed(message).await?)
    }

    /// As [`Self::feed`], for a message that was made a frame before, by [`crate::codec::frame`].
    pub fn feed_frame(&mut self, frame: &[u8]) {
        self.frames.write_buffer_mut().extend_from_slice(frame);
    }

    /// Returns how many bytes wait to be sent.
    #[must_use]
    pub fn unsent(&self) -> usize {
        self.frames.write_buffer().len()
    }

    /// Waits until all that was fed is handed to the kernel.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn flush(&mut self) -> Result<(), ConnectionError> {
        SinkExt::<Out>::flush(&mut self.frames).await?;
        give_back(self.frames.write_buffer_mut());
        Ok(())
    }

    /// Receives the next message; none when the other side has closed the connection.
    ///
    /// Safe to drop and call again: nothing is lost.
    ///
    /// # Errors
    ///
    /// When the connection fails, or what arrives is not a message.
    pub async fn receive(&mut self) -> Result<Option<In>, ConnectionError> {
        let message = self.frames.next().await.transpose()?;
        give_back(self.frames.read_buffer_mut());
        Ok(message)
    }

    /// Waits until a message has arrived, or more of one than `known` bytes, or the end.
    ///
    /// For a side that must know how much a message takes before all of it is there. Safe to drop
    /// and call again.
    ///
    /// # Errors
    ///
    /// As [`Self::receive`].
    pub async fn arrived(&mut self, known: usize) -> Result<Arrived<In>, ConnectionError> {
        let arrived = poll_fn(|context| match self.frames.poll_next_unpin(context) {
            Poll::Ready(Some(message)) => Poll::Ready(message.map(Arrived::Message)),
            Poll::Ready(None) => Poll::Ready(Ok(Arrived::End)),
            Poll::Pending => {
                let buffer = self.frames.read_buffer();
                let held = if self.frames.codec().is_within_frame(buffer) {
                    buffer.len().max(1)
                } else {
                    0
                };
                if held > known { Poll::Ready(Ok(Arrived::Part(held))) } else { Poll::Pending }
            }
        })
        .await?;
        give_back(self.frames.read_buffer_mut());
        Ok(arrived)
    }
}

/// Frees a buffer that has grown and is empty now.
fn give_back(buffer: &mut BytesMut) {
    if buffer.is_empty() && buffer.capacity() > KEPT_BUFFER {
        *buffer = BytesMut::new();
    }
}
