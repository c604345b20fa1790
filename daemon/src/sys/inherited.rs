//! What this process was given by whoever started it: descriptors, a session, a place among the
//! units of systemd.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockType, SockaddrLike, SockaddrStorage, getsockname, getsockopt, sockopt,
};
use nix::unistd::{close, setsid};

/// What only the process that a supervisor has started is told in its environment. None of it is for
/// a process that we start.
pub const OF_A_SUPERVISOR: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];

/// Leaves the session of whoever started us: neither the end of a terminal nor a Ctrl-C in it reaches
/// us any more.
///
/// # Errors
///
/// When this process leads a process group.
pub fn new_session() -> io::Result<()> {
    setsid()?;
    Ok(())
}

/// Returns whether this process is told when a terminal goes away: its session has one.
#[must_use]
pub fn has_terminal() -> bool {
    terminal_of(&fs::read_to_string("/proc/self/stat").unwrap_or_default())
        .is_some_and(|it| it != 0)
}

/// Returns the number of the terminal in a line of `/proc/PID/stat`; 0 is none.
fn terminal_of(stat: &str) -> Option<i32> {
    // The name in parentheses may hold anything; field 7 counts from after the last one.
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// Closes all that whoever started us has left open by mistake: all but the standard streams.
///
/// It is for the very beginning, when this process has opened nothing of its own.
///
/// # Errors
///
/// When `/proc` is not mounted.
pub fn close_what_was_left_open() -> io::Result<()> {
    let mut left = Vec::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        left.extend(entry?.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    for fd in left.into_iter().filter(|fd| *fd > 2) {
        // The directory that was read is among them, and closed already.
        let _ = close(fd);
    }
    Ok(())
}

/// Returns a standard stream as a file of ours that is closed on exec, and puts `/dev/null` in its
/// place.
fn take(
    stream: impl AsFd,
    replace: fn(File) -> nix::Result<()>,
    null: io::Result<File>,
) -> io::Result<File> {
    let taken = stream.as_fd().try_clone_to_owned()?;
    replace(null?)?;
    Ok(File::from(taken))
}

/// Returns the standard input as a file of ours that is closed on exec, and `/dev/null` in its place.
///
/// # Errors
///
/// When the descriptors cannot be had.
pub fn take_stdin() -> io::Result<File> {
    take(io::stdin(), nix::unistd::dup2_stdin, File::open("/dev/null"))
}

/// Returns the standard output as a file of ours that is closed on exec, and `/dev/null` in its place.
///
/// # Errors
///
/// When the descriptors cannot be had.
pub fn take_stdout() -> io::Result<File> {
    take(io::stdout(), nix::unistd::dup2_stdout, File::options().write(true).open("/dev/null"))
}

/// Returns the standard error as a file of ours that is closed on exec, and `/dev/null` in its place.
///
/// # Errors
///
/// When the descriptors cannot be had.
pub fn take_stderr() -> io::Result<File> {
    take(io::stderr(), nix::unistd::dup2_stderr, File::options().write(true).open("/dev/null"))
}

/// Returns the device and the number of what `stream` is; none when it is closed.
#[must_use]
pub fn identity(stream: impl AsFd) -> Option<(u64, u64)> {
    let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Takes the descriptor `fd` as ours, if it is a Unix stream socket that listens.
///
/// It must be called once for a descriptor at the most, and only for one that was passed to us: from
/// then on it is closed when the listener is dropped.
///
/// # Errors
///
/// When it is something else, or closed.
#[expect(unsafe_code, reason = "neither std nor nix takes a descriptor by its number safely")]
pub fn listener(fd: RawFd) -> io::Result<UnixListener> {
    let other =
        || io::Error::new(io::ErrorKind::InvalidInput, "it is no Unix stream socket that listens");
    let address = match getsockname::<SockaddrStorage>(fd) {
        Err(Errno::ENOTSOCK) => return Err(other()),
        address => address?,
    };
    // SAFETY: it is open, or it would have no address. That nobody else in this process has it is
    // what the caller has to see to, by calling this first and once.
    let owned = unsafe { OwnedFd::from_raw_fd(fd) };
    let is_wanted = address.family() == Some(AddressFamily::Unix)
        && getsockopt(&owned, sockopt::SockType)? == SockType::Stream
        && getsockopt(&owned, sockopt::AcceptConn)?;
    if is_wanted { Ok(UnixListener::from(owned)) } else { Err(other()) }
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::{UnixDatagram, UnixStream};

    use super::*;

    #[test]
    fn only_a_unix_socket_that_listens_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let ours = UnixListener::bind(&path).unwrap();
        let taken = listener(ours.into_raw_fd()).unwrap();
        assert_eq!(taken.local_addr().unwrap().as_pathname(), Some(&*path));
        let not_ours: [RawFd; 4] = [
            UnixStream::pair().unwrap().0.into_raw_fd(),
            UnixDatagram::unbound().unwrap().into_raw_fd(),
            std::net::TcpListener::bind("127.0.0.1:0").unwrap().into_raw_fd(),
            File::open("/dev/null").unwrap().into_raw_fd(),
        ];
        for fd in not_ours {
            assert_eq!(listener(fd).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        assert_eq!(listener(RawFd::MAX).unwrap_err().raw_os_error(), Some(Errno::EBADF as i32));
    }

    #[test]
    fn a_terminal_is_known_by_its_number() {
        assert_eq!(terminal_of("12 (a) b) S 1 12 12 34816 12 4194304"), Some(34_816));
        assert_eq!(terminal_of("12 (torcd) S 1 12 12 0 -1 4194304"), Some(0));
        assert_eq!(terminal_of(""), None);
    }

    #[test]
    fn a_stream_is_known_by_what_it_is() {
        let (one, other) = UnixStream::pair().unwrap();
        assert_eq!(identity(&one), identity(one.try_clone().unwrap()));
        assert_ne!(identity(&one), identity(&other));
    }
}
