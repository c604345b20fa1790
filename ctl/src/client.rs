//! A connection to a torcd, with one method a kind of call.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use torc_protocol::call::{Call, Many, One};
use torc_protocol::connection::{ClientSide, ConnectionError, HELLO_TIMEOUT};
use torc_protocol::hello::HelloError;
use torc_protocol::paths;
use torc_protocol::request::Request;
use torc_protocol::response::Response;

use crate::degraded;
use crate::error::{CliError, ErrorKind};

/// How often a socket is tried whose owner hangs up without a word: a torcd that is ending does so,
/// until its socket is gone.
const TRIES: u32 = 20;
/// The time between two tries. What ends the other side sends us no event.
const TRY_AGAIN: Duration = Duration::from_millis(50);

/// Who is at a socket.
#[derive(Debug)]
pub enum Peer {
    /// A torcd that speaks our protocol.
    Ours(Box<Client>),
    /// A torcd that speaks another one; the error says which.
    Foreign(CliError),
    /// Nobody.
    Nobody,
}

/// An open connection.
#[derive(Debug)]
pub struct Client {
    connection: ClientSide<UnixStream>,
    socket: PathBuf,
    process: Option<u32>,
}

impl Client {
    /// Connects to the torcd at `socket`; none when nobody listens there.
    ///
    /// # Errors
    ///
    /// When somebody listens but does not speak our protocol, or the socket cannot be used.
    pub async fn try_connect(socket: &Path) -> Result<Option<Self>, CliError> {
        match Self::knock(socket).await? {
            Peer::Ours(client) => Ok(Some(*client)),
            Peer::Foreign(error) => Err(error),
            Peer::Nobody => Ok(None),
        }
    }

    /// Finds out who is at `socket`.
    ///
    /// # Errors
    ///
    /// When the socket cannot be used, or who listens there is no torcd.
    pub async fn knock(socket: &Path) -> Result<Peer, CliError> {
        let mut tries = 1;
        loop {
            let stream = match UnixStream::connect(socket).await {
                Ok(stream) => stream,
                // So many wait to be let in that there is no room to wait.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    wait_in_line(socket).await?
                }
                Err(error) if is_nobody(&error) => return Ok(Peer::Nobody),
                Err(error) => {
                    let message = format!("cannot connect to {}: {error}", socket.display());
                    return Err(CliError::new(ErrorKind::NoDaemon, message)
                        .hint("check who owns the socket, or name another with `--socket PATH`"));
                }
            };
            check_owner(&stream, socket)?;
            let process = process_of(&stream);
            match ClientSide::open(stream).await {
                Ok(connection) => {
                    let socket = socket.to_owned();
                    return Ok(Peer::Ours(Box::new(Self { connection, socket, process })));
                }
                Err(ConnectionError::Hello(HelloError::Io(_))) if tries < TRIES => {
                    tries += 1;
                    sleep(TRY_AGAIN).await;
                }
                Err(error @ ConnectionError::Hello(HelloError::Mismatch(_))) => {
                    return Ok(Peer::Foreign(not_ours(socket, &error).hint(
                        "`torcctl daemon restart` starts this version in its place when its jobs have ended",
                    )));
                }
                Err(error) => {
                    return Err(not_ours(socket, &error)
                        .hint("see who listens there, or name another with `--socket PATH`"));
                }
            }
        }
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

    /// Returns the package version of the torcd that listens there, which is for messages only.
    #[must_use]
    pub fn version(&self) -> &str {
        self.connection.peer_version()
    }

    /// Returns the process that listens there, as the system says; none when it is not among those
    /// that we can see.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.process
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

    /// Sends any request, whose replies [`Self::answer`] takes as they come.
    ///
    /// # Errors
    ///
    /// When the connection fails, or the request does not fit into a frame: nothing of it is sent
    /// then.
    pub async fn ask(&mut self, request: Request) -> Result<(), ConnectionError> {
        self.connection.send(request).await
    }

    /// Returns what comes next, whatever it is: what torcd says beside the replies, too.
    ///
    /// # Errors
    ///
    /// When the connection fails.
    pub async fn answer(&mut self) -> Result<Response, CliError> {
        Ok(self.connection.receive().await?.ok_or(ConnectionError::Closed)?)
    }

    /// Waits until the connection ends, while nothing is asked, and returns why.
    ///
    /// Safe to drop and call again.
    pub async fn gone(&mut self) -> CliError {
        match self.connection.receive().await {
            Ok(None) => ConnectionError::Closed.into(),
            Ok(Some(other)) => unexpected(&other),
            Err(error) => error.into(),
        }
    }

    async fn reply<R: TryFrom<Response, Error = Box<Response>>>(&mut self) -> Result<R, CliError> {
        reply_of(self.receive().await?)
    }

    /// Takes the next reply. What torcd says beside them of its snapshots is passed on at once.
    async fn receive(&mut self) -> Result<Response, CliError> {
        loop {
            match self.connection.receive().await? {
                Some(Response::Degraded(status)) => degraded::warn(&status),
                Some(response) => return Ok(response),
                None => return Err(ConnectionError::Closed.into()),
            }
        }
    }
}

fn process_of(stream: &UnixStream) -> Option<u32> {
    let process = stream.peer_cred().ok()?.pid()?;
    // The system says 0 of a process in another container.
    u32::try_from(process).ok().filter(|process| *process > 0)
}

fn reply_of<R: TryFrom<Response, Error = Box<Response>>>(
    response: Response,
) -> Result<R, CliError> {
    R::try_from(response).map_err(|other| match *other {
        Response::Error(error) => error.into(),
        other => unexpected(&other),
    })
}

fn unexpected(reply: &Response) -> CliError {
    CliError::new(ErrorKind::Failed, format!("torcd gave an unexpected reply: {reply:?}"))
}

fn not_ours(socket: &Path, error: &ConnectionError) -> CliError {
    let message = format!("no torcd that we can talk to at {}: {error}", socket.display());
    CliError::new(ErrorKind::NoDaemon, message)
}

/// Connects where no room to wait is left. Only a call that blocks is served in turn; whoever tries
/// again and again can be overtaken for ever.
async fn wait_in_line(socket: &Path) -> Result<UnixStream, CliError> {
    let (sender, connected) = tokio::sync::oneshot::channel();
    let path = socket.to_owned();
    // A thread that nobody waits for: a torcd that is stopped lets nobody in.
    std::thread::spawn(move || {
        let stream = std::os::unix::net::UnixStream::connect(path)
            .and_then(|stream| stream.set_nonblocking(true).map(|()| stream));
        // The other end has gone when it took too long.
        let _ = sender.send(stream);
    });
    let late = || {
        let message = format!("torcd lets nobody in at {}", socket.display());
        CliError::new(ErrorKind::NoDaemon, message)
            .hint("it has too many clients, or is stopped; see `ps`")
    };
    match timeout(HELLO_TIMEOUT, connected).await {
        Ok(Ok(stream)) => Ok(UnixStream::from_std(stream?)?),
        Ok(Err(_)) | Err(_) => Err(late()),
    }
}

/// Checks that it is our own torcd which listens: it is about to be told commands and environments.
fn check_owner(stream: &UnixStream, socket: &Path) -> Result<(), CliError> {
    let (owner, ours) = (stream.peer_cred()?.uid(), paths::own_uid());
    if owner == ours {
        return Ok(());
    }
    let message =
        format!("whoever listens at {} is of uid {owner}, we are {ours}", socket.display());
    Err(CliError::new(ErrorKind::NoDaemon, message)
        .hint("have a torcd of your own, or name its socket with `--socket PATH`"))
}

fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}
