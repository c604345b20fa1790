//! A client of torcd that blocks, for tests that say on the wire what torcctl does not.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{bail, ensure};
use bytes::BytesMut;
use tokio_util::codec::Decoder;
use torc_protocol::call::{Call, Many, One};
use torc_protocol::codec::{Codec, frame};
use torc_protocol::hello::Hello;
use torc_protocol::request::Request;
use torc_protocol::response::Response;

use crate::wait::LIMIT;

/// One connection.
pub struct Client {
    stream: UnixStream,
    codec: Codec<Response, ()>,
    buffer: BytesMut,
}

impl Client {
    /// Connects, and greets.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or does not greet within [`LIMIT`].
    pub fn connect(socket: &Path) -> anyhow::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let hello = Hello::ours().encode();
        stream.write_all(&hello)?;
        stream.read_exact(&mut vec![0; hello.len()])?;
        Ok(Self { stream, codec: Codec::default(), buffer: BytesMut::new() })
    }

    /// Sends a request.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub fn send(&mut self, request: impl Into<Request>) -> anyhow::Result<()> {
        Ok(self.stream.write_all(&frame(request.into())?)?)
    }

    /// Receives the next reply. That snapshots fail is passed over.
    ///
    /// # Errors
    ///
    /// A [`torc_protocol::response::RequestError`] when the request was refused; any other when the
    /// connection fails, or says nothing for [`LIMIT`].
    pub fn receive(&mut self) -> anyhow::Result<Response> {
        let mut bytes = [0; 64 * 1024];
        loop {
            match self.codec.decode(&mut self.buffer)? {
                Some(Response::Error(error)) => return Err(error.into()),
                Some(Response::Degraded(_)) => continue,
                Some(response) => return Ok(response),
                None => {}
            }
            let length = self.stream.read(&mut bytes)?;
            ensure!(length > 0, "torcd has closed the connection");
            self.buffer.extend_from_slice(&bytes[..length]);
        }
    }

    /// Sends a request that has one reply, and waits for it.
    ///
    /// # Errors
    ///
    /// As [`Self::receive`].
    pub fn call<C: Call<Count = One>>(&mut self, call: C) -> anyhow::Result<C::Reply> {
        self.send(call)?;
        let response = self.receive()?;
        C::Reply::try_from(response).or_else(|other| bail!("an odd reply: {other:?}"))
    }

    /// Receives the next part of the reply to a request that has many; none at the end.
    ///
    /// # Errors
    ///
    /// As [`Self::receive`].
    pub fn part<C: Call<Count = Many>>(&mut self) -> anyhow::Result<Option<C::Reply>> {
        match self.receive()? {
            Response::End => Ok(None),
            part => C::Reply::try_from(part)
                .map(Some)
                .or_else(|other| bail!("an odd part of a reply: {other:?}")),
        }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("stream", &self.stream).finish_non_exhaustive()
    }
}
