//! A connection to a torcd, with one method a kind of call.

use std::io;
use std::path::{Path, PathBuf};

use tokio::net::UnixStream;
use torc_protocol::connection::{ClientSide, ConnectionError};
use torc_protocol::request::{Call, Many, One};
use torc_protocol::response::Response;

use crate::error::{CliError, ErrorKind};

/// An open connection.
#[derive(Debug)]
pub struct Client {
    connection: ClientSide<UnixStream>,
    socket: PathBuf,
}

impl Client {
    /// Connects to the torcd at `socket`; none when nobody listens there.
    ///
    /// # Errors
    ///
    /// When somebody listens but does not speak our protocol, or the socket cannot be used.
    pub async fn try_connect(socket: &Path) -> Result<Option<Self>, CliError> {
        let stream = match UnixStream::connect(socket).await {
            Ok(stream) => stream,
            Err(error) if is_nobody(&error) => return Ok(None),
            Err(error) => {
                let message = format!("cannot connect to {}: {error}", socket.display());
                return Err(CliError::new(ErrorKind::NoDaemon, message)
                    .hint("check who owns the socket, or name another with `--socket PATH`"));
            }
        };
        let connection = ClientSide::open(stream).await.map_err(|error| {
            let message = format!("no torcd that we can talk to at {}: {error}", socket.display());
            CliError::new(ErrorKind::NoDaemon, message)
                .hint("`torcctl daemon restart` replaces a daemon of another version")
        })?;
        Ok(Some(Self { connection, socket: socket.to_owned() }))
    }

    /// Connects to the torcd at `socket`.
    ///
    /// # Errors
    ///
    /// As [`Self::try_connect`], and when nobody listens there.
    pub async fn connect(socket: &Path) -> Result<Self, CliError> {
        match Self::try_connect(socket).await? {
            Some(client) => Ok(client),
            None => {
                let message = format!("no torcd is running at {}", socket.display());
                Err(CliError::new(ErrorKind::NoDaemon, message)
                    .hint("start one with `torcctl daemon start`, or read a file with `--db FILE`"))
            }
        }
    }

    /// Returns where this is connected to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks for something that has one reply.
    ///
    /// # Errors
    ///
    /// When the daemon refuses, or the connection fails.
    pub async fn call<C: Call<Count = One>>(&mut self, call: C) -> Result<C::Reply, CliError> {
        self.connection.send(call.into()).await?;
        self.reply().await
    }

    /// Asks for something that has many replies; [`Self::next`] gets them.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn stream<C: Call<Count = Many>>(&mut self, call: C) -> Result<(), CliError> {
        Ok(self.connection.send(call.into()).await?)
    }

    /// Returns the next of many replies to `C`; none after the last.
    ///
    /// Safe to drop and call again.
    ///
    /// # Errors
    ///
    /// When the daemon refuses, or the connection fails.
    pub async fn next<C: Call>(&mut self) -> Result<Option<C::Reply>, CliError> {
        match self.receive().await? {
            Response::End => Ok(None),
            response => reply_of(response).map(Some),
        }
    }

    async fn reply<R: TryFrom<Response, Error = Box<Response>>>(&mut self) -> Result<R, CliError> {
        reply_of(self.receive().await?)
    }

    async fn receive(&mut self) -> Result<Response, CliError> {
        match self.connection.receive().await? {
            Some(response) => Ok(response),
            None => Err(ConnectionError::Closed.into()),
        }
    }
}

fn reply_of<R: TryFrom<Response, Error = Box<Response>>>(
    response: Response,
) -> Result<R, CliError> {
    R::try_from(response).map_err(|other| match *other {
        Response::Error(error) => error.into(),
        other => {
            CliError::new(ErrorKind::Failed, format!("torcd gave an unexpected reply: {other:?}"))
        }
    })
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
