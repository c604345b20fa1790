//! A torcd that says what a test wants it to say.

use std::io::ErrorKind;
use std::os::unix::net::UnixListener as StdListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::net::{UnixListener, UnixStream};
use torc_protocol::codec::CodecError;
use torc_protocol::connection::{ConnectionError, ServerSide};
use torc_protocol::request::Request;
use torc_protocol::response::Response;

/// A torcd for some connections, mostly one: gives each request of a connection the next of its
/// answers, and hangs up after the last.
pub(crate) struct Script {
    dir: TempDir,
    server: JoinHandle<Vec<Request>>,
}

impl Script {
    pub(crate) fn new(answers: Vec<Vec<Response>>) -> Self {
        Self::of_connections(vec![answers])
    }

    /// Returns a torcd that has answers for each of these connections, which may be open together.
    pub(crate) fn of_connections(answers: Vec<Vec<Vec<Response>>>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let listener = StdListener::bind(dir.path().join("s")).unwrap();
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(accept(listener, answers))
        });
        Self { dir, server }
    }

    /// Returns where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("s")
    }

    /// Returns the path of a file in the directory in which torcctl runs.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_torcctl"));
        command.args(arguments).arg("--socket").arg(self.socket());
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    /// Runs torcctl to its end; returns what it gave and what it asked.
    pub(crate) fn run(self, arguments: &[&str]) -> (Output, Vec<Request>) {
        let output = self.command(arguments).output().unwrap();
        (output, self.finish())
    }

    /// Waits until the connections have ended; returns what torcctl asked, connection by connection.
    pub(crate) fn finish(self) -> Vec<Request> {
        self.server.join().unwrap()
    }
}

async fn accept(listener: StdListener, answers: Vec<Vec<Vec<Response>>>) -> Vec<Request> {
    listener.set_nonblocking(true).unwrap();
    let listener = UnixListener::from_std(listener).unwrap();
    let mut sessions = Vec::new();
    for answers in answers {
        let (stream, _) = listener.accept().await.unwrap();
        sessions.push(tokio::spawn(serve(stream, answers)));
    }
    let mut requests = Vec::new();
    for session in sessions {
        requests.extend(session.await.unwrap());
    }
    requests
}

async fn serve(stream: UnixStream, answers: Vec<Vec<Response>>) -> Vec<Request> {
    let mut connection = ServerSide::open(stream).await.unwrap();
    let mut requests = Vec::new();
    for answer in answers {
        let request = match connection.receive().await {
            Ok(Some(request)) => request,
            Ok(None) => break,
            // What it hangs up with when it has not read all.
            Err(ConnectionError::Codec(CodecError::Io(error)))
                if error.kind() == ErrorKind::ConnectionReset =>
            {
                break;
            }
            Err(error) => panic!("torcctl sends what is no request: {error}"),
        };
        requests.push(request);
        for response in answer {
            if connection.send(response).await.is_err() {
                return requests;
            }
        }
    }
    requests
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}
