//! A supervisor that a test owns: for torcd it is systemd, as far as torcd can tell.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::outcome::Outcome;
use crate::torc::Torc;
use crate::wait::LIMIT;

/// Gives torcd what systemd does: a socket as descriptor 3, and who it is. As there, no terminal
/// goes away from it, also where the tests have one.
const SCRIPT: &str = "\
    trap '' HUP\n\
    if [ -n \"$LISTEN_FDS\" ]; then exec 3<&0 </dev/null; export LISTEN_PID=$$; fi\n\
    if [ -n \"$WATCHDOG_USEC\" ]; then export WATCHDOG_PID=$$; fi\n\
    if [ -n \"$AS_JOURNAL\" ]; then\n\
        export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); unset AS_JOURNAL\n\
    fi\n\
    exec \"$0\" \"$@\"";

/// A supervisor.
#[derive(Debug)]
pub struct Supervisor {
    path: PathBuf,
    notify: UnixDatagram,
    listener: Option<(UnixListener, PathBuf)>,
    environment: Vec<(&'static str, OsString)>,
    heard: RefCell<Vec<String>>,
}

impl Supervisor {
    /// Returns one that listens to what torcd tells.
    #[must_use]
    pub fn new(torc: &Torc) -> Self {
        let path = torc.root().join("notify");
        let notify = UnixDatagram::bind(&path).expect("a socket can be made");
        let environment = vec![("NOTIFY_SOCKET", path.clone().into_os_string())];
        Self { path, notify, listener: None, environment, heard: RefCell::default() }
    }

    /// Has it listen where the torcd of the user does.
    #[must_use]
    pub fn listening(mut self, torc: &Torc) -> Self {
        let dir = torc.runtime().join("torc");
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.expect("a directory can be made");
        let path = dir.join("torcd.sock");
        let listener = UnixListener::bind(&path).expect("a socket can be made");
        self.listener = Some((listener, path));
        self
    }

    /// Has it expect a sign of life within this time.
    #[must_use]
    pub fn watching(mut self, limit: Duration) -> Self {
        self.environment.push(("WATCHDOG_USEC", limit.as_micros().to_string().into()));
        self
    }

    /// Has it tell torcd that the journal reads its standard error.
    #[must_use]
    pub fn with_journal(mut self) -> Self {
        self.environment.push(("AS_JOURNAL", "1".into()));
        self
    }

    /// Starts a torcd and waits for its READY line.
    #[track_caller]
    pub fn start<S: AsRef<str>>(&self, torc: &Torc, args: impl IntoIterator<Item = S>) -> Daemon {
        let mut environment = self.environment.clone();
        let stdin = match &self.listener {
            Some((listener, _)) => {
                environment.push(("LISTEN_FDS", "1".into()));
                let socket = listener.try_clone().expect("a socket has many descriptors");
                Stdio::from(OwnedFd::from(socket))
            }
            None => Stdio::piped(),
        };
        torc.daemon_by(SCRIPT, stdin, &environment, args)
    }

    /// Starts a torcd that ends by itself, with what it has said.
    #[track_caller]
    pub fn refused(&self, torc: &Torc, args: &[&str]) -> Outcome {
        let mut call = torc.program(Path::new("sh")).args(["-c", SCRIPT]).args([torc.torcd_path()]);
        for (name, value) in &self.environment {
            call = call.env(name, value);
        }
        if let Some((listener, _)) = &self.listener {
            let socket = listener.try_clone().expect("a socket has many descriptors");
            call = call.env("LISTEN_FDS", "1").stdin_from(OwnedFd::from(socket));
        }
        call.args(args.iter().copied()).run()
    }

    /// Returns where it listens for connections.
    #[must_use]
    pub fn socket(&self) -> &Path {
        let (_, path) = self.listener.as_ref().expect("it listens");
        path
    }

    /// Returns where it listens to what torcd tells.
    #[must_use]
    pub fn notify_path(&self) -> &Path {
        &self.path
    }

    /// Waits for the next message that has this in it, and returns it.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let end = Instant::now() + LIMIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.next(left) {
                Some(message) if message.contains(text) => return message,
                Some(_) => {}
                None => panic!("torcd does not tell '{text}', but: {:?}", self.heard.borrow()),
            }
        }
    }

    /// Returns the next message; none when there is none for so long.
    #[track_caller]
    pub fn next(&self, patience: Duration) -> Option<String> {
        let patience = patience.max(Duration::from_millis(1));
        self.notify.set_read_timeout(Some(patience)).expect("a socket has a timeout");
        let mut bytes = [0; 4_096];
        match self.notify.recv(&mut bytes) {
            Ok(length) => {
                let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
                self.heard.borrow_mut().push(message.clone());
                Some(message)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => panic!("nothing can be heard of torcd: {error}"),
        }
    }
}
