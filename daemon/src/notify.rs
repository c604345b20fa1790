//! What a supervisor, systemd or one that does as it does, gives a daemon and is told by it.
//!
//! It is told on a datagram socket, by a thread of its own: a supervisor that does not read holds
//! nobody up. Without one nothing is sent, and nothing wakes up for it.
//!
//! - `activation`: the socket that it has opened for us.
//! - `status`: how we are, in a line for people; `pulse`: that line, and that we are alive, for as
//!   long as we serve.

pub mod activation;
pub mod pulse;
mod status;

use std::env;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::lines::Lines;

/// Where the supervisor says that it listens.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";
/// Which process systemd has started.
const STARTED_VARIABLE: &str = "SYSTEMD_EXEC_PID";

/// How much more time is asked for at a time, while something takes long.
const EXTENSION: Duration = Duration::from_secs(30);
/// How often that is asked for.
const EXTEND_EVERY: Duration = Duration::from_secs(5);

/// Returns whether the supervisor that the environment speaks of is ours: whoever is started from a
/// shell within a service has its environment, too.
fn is_supervised() -> bool {
    match env::var(STARTED_VARIABLE).ok().and_then(|pid| pid.parse::<u32>().ok()) {
        Some(pid) => pid == std::process::id(),
        // Before systemd 248, and other supervisors.
        None => env::var_os(SOCKET_VARIABLE).is_some(),
    }
}

/// A way to tell the supervisor.
#[derive(Clone, Debug)]
pub struct Notifier(Option<Told>);

#[derive(Clone, Debug)]
struct Told {
    messages: Lines,
    /// It ends us when it hears nothing for so long.
    watchdog: Option<Duration>,
}

/// The messages, each a datagram.
struct Datagrams(UnixDatagram);

impl Write for Datagrams {
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        self.0.send(message)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Notifier {
    /// Returns a notifier that tells nobody.
    #[must_use]
    pub fn nobody() -> Self {
        Self(None)
    }

    /// Returns one that tells the supervisor which the environment names, if it does and is ours.
    ///
    /// # Errors
    ///
    /// When the supervisor cannot be reached.
    pub fn from_environment() -> io::Result<Self> {
        match env::var_os(SOCKET_VARIABLE).filter(|name| !name.is_empty()) {
            Some(name) if is_supervised() => Self::to(&name, sd_notify::watchdog_enabled()),
            _ => Ok(Self::nobody()),
        }
    }

    fn to(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            _ => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        let messages = Lines::to(Datagrams(socket), "notify")?;
        let watchdog = watchdog.filter(|interval| !interval.is_zero());
        Ok(Self(Some(Told { messages, watchdog })))
    }

    /// Returns whether somebody is told.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Tells how we are.
    pub fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status))]);
    }

    /// Tells that we serve: after the start, and after a reload.
    pub fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// Tells that the configuration is read anew, which [`Notifier::ready`] has to end.
    pub fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.send(&[NotifyState::Reloading, now]);
        }
    }

    /// Tells that we are ready again after [`Notifier::reloading`]; how we are is told as before.
    pub fn reloaded(&self) {
        self.send(&[NotifyState::Ready]);
    }

    /// Tells that we end.
    pub fn stopping(&self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
    }

    /// Asks again and again for more time than the supervisor gives by itself to what begins or ends
    /// us, until what is returned is dropped, or for `longest` in all.
    ///
    /// A thread of its own asks: what takes long may hold up the event loop.
    #[must_use]
    pub fn extend(&self, longest: Duration) -> Extension {
        let Some(told) = self.0.clone() else { return Extension(None) };
        let (alive, dropped) = channel();
        let ask = move || {
            let end = Instant::now() + longest;
            loop {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                let more = left.min(EXTENSION).as_micros();
                let more = NotifyState::ExtendTimeoutUsec(u32::try_from(more).unwrap_or(u32::MAX));
                told.messages.push(text(&[more]));
                if dropped.recv_timeout(EXTEND_EVERY) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        // Without a thread the time that there is must do.
        let asking = std::thread::Builder::new().name("extend".to_owned()).spawn(ask);
        Extension(asking.is_ok().then_some(alive))
    }

    /// Waits until the supervisor has been told all, but not for longer than `limit`.
    pub fn flush(&self, limit: Duration) {
        if let Some(told) = &self.0 {
            told.messages.flush(limit);
        }
    }

    fn watchdog(&self) -> Option<Duration> {
        self.0.as_ref()?.watchdog
    }

    fn alive(&self) {
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        if let Some(told) = &self.0 {
            told.messages.push(text(states));
        }
    }
}

/// More time is asked for as long as it lives.
#[derive(Debug)]
pub struct Extension(#[expect(dead_code, reason = "its drop ends the asking")] Option<Sender<()>>);

fn text(states: &[NotifyState<'_>]) -> Vec<u8> {
    states.iter().map(|state| format!("{state}\n")).collect::<String>().into_bytes()
}

/// A line break would begin another message.
fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A supervisor, and what it has read.
    pub(super) fn supervisor(watchdog: Option<Duration>) -> (UnixDatagram, Notifier) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let ours = UnixDatagram::bind(&path).unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let notifier = Notifier::to(path.as_os_str(), watchdog).unwrap();
        (ours, notifier)
    }

    pub(super) fn next(supervisor: &UnixDatagram) -> String {
        let mut message = [0; 4_096];
        let length = supervisor.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).into_owned()
    }

    #[test]
    fn each_word_is_a_datagram() {
        let (supervisor, notifier) = supervisor(None);
        notifier.status("loading a\nb");
        notifier.ready("no job runs");
        notifier.reloading();
        notifier.reloaded();
        notifier.stopping("stopping 3 jobs");
        assert_eq!(next(&supervisor), "STATUS=loading a b\n");
        assert_eq!(next(&supervisor), "READY=1\nSTATUS=no job runs\n");
        let reloading = next(&supervisor);
        let now = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(now.trim_end().parse::<u64>().unwrap() > 0);
        assert_eq!(next(&supervisor), "READY=1\n");
        assert_eq!(next(&supervisor), "STOPPING=1\nSTATUS=stopping 3 jobs\n");
    }

    #[test]
    fn more_time_is_asked_for_until_it_is_over() {
        let (supervisor, notifier) = supervisor(None);
        let extension = notifier.extend(Duration::from_secs(3_600));
        assert_eq!(next(&supervisor), "EXTEND_TIMEOUT_USEC=30000000\n");
        drop(extension);
        let extension = notifier.extend(Duration::from_secs(7));
        let next = next(&supervisor);
        let asked: u64 = next.trim_start_matches("EXTEND_TIMEOUT_USEC=").trim().parse().unwrap();
        assert!((1..=7_000_000).contains(&asked), "{asked}");
        drop(extension);
    }

    #[test]
    fn a_supervisor_without_a_file_is_told_too() {
        let name = format!("torc-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let supervisor = UnixDatagram::bind_addr(&address).unwrap();
        let notifier = Notifier::to(OsStr::new(&format!("@{name}")), None).unwrap();
        notifier.ready("x");
        assert_eq!(next(&supervisor), "READY=1\nSTATUS=x\n");
    }

    #[test]
    fn nobody_is_told_nothing() {
        let notifier = Notifier::nobody();
        assert!(!notifier.is_heard());
        notifier.ready("x");
        drop(notifier.extend(Duration::from_secs(1)));
        notifier.flush(Duration::from_secs(3_600));
    }
}
