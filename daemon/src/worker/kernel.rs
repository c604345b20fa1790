//! The system calls of the worker that have no safe wrapper elsewhere, one function each.

#![expect(unsafe_code, reason = "system calls that neither std nor nix wrap")]

use std::ffi::{CStr, c_int};
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::unistd::{Pid, pipe2};
use torc_protocol::result::{Ending, Usage};
use torc_protocol::time::Span;

/// Returns a pipe that no job inherits: its reading end, then its writing end.
pub(super) fn pipe() -> nix::Result<(File, File)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((File::from(reader), File::from(writer)))
}

/// Waits until one of `fds` is readable or at its end, or `limit` has passed, and returns which are.
/// A missing one never is.
///
/// # Errors
///
/// Those of `poll`, but an interruption is no error.
pub(super) fn wait_readable<const N: usize>(
    fds: [Option<BorrowedFd<'_>>; N],
    limit: Option<Duration>,
) -> io::Result<[bool; N]> {
    let mut polled = fds.map(|fd| libc::pollfd {
        fd: fd.map_or(-1, |fd| fd.as_raw_fd()),
        events: libc::POLLIN,
        revents: 0,
    });
    let milliseconds = limit.map_or(-1, |limit| {
        c_int::try_from(limit.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
    });
    // SAFETY: the pointer and the count are of one live array.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, milliseconds) };
    if result >= 0 {
        return Ok(polled.map(|fd| fd.revents != 0));
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok([false; N]),
        error => Err(error),
    }
}

/// Waits until `fd` takes more bytes.
pub(super) fn wait_writable(fd: BorrowedFd<'_>) {
    let mut polled = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
    // SAFETY: the pointer is to one live element. A failure only makes the caller write again.
    unsafe { libc::poll(&raw mut polled, 1, -1) };
}

/// Returns a descriptor that becomes readable when `process` ends.
///
/// # Errors
///
/// `ESRCH` when there is no such process; `ENOSYS` on Linux before 5.3.
pub(super) fn pidfd_open(process: Pid) -> io::Result<OwnedFd> {
    // SAFETY: takes two integers and returns a new descriptor, which nobody else owns.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, process.as_raw(), 0);
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(fd as c_int)) }
    }
}

/// Sends SIGKILL to the process of `pidfd`, if it is still there.
pub(super) fn kill_pidfd(pidfd: BorrowedFd<'_>) {
    let none: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: the kernel makes the information itself when given a null pointer.
    unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), libc::SIGKILL, none, 0)
    };
}

/// Returns whether two processes use the same memory, as a child does between `vfork` and `exec`;
/// false where the kernel does not tell.
pub(super) fn share_memory(one: Pid, other: Pid) -> bool {
    const KCMP_VM: c_int = 1;
    // SAFETY: compares two processes and changes nothing.
    unsafe { libc::syscall(libc::SYS_kcmp, one.as_raw(), other.as_raw(), KCMP_VM, 0, 0) == 0 }
}

/// Returns whether a file has an extended attribute with just this value.
pub(super) fn has_attribute(file: &CStr, name: &CStr, value: &[u8]) -> bool {
    let mut found = [0_u8; 16];
    // SAFETY: both names end with a NUL, and the kernel writes at most as much as there is room.
    let length = unsafe {
        libc::getxattr(file.as_ptr(), name.as_ptr(), found.as_mut_ptr().cast(), found.len())
    };
    usize::try_from(length).is_ok_and(|length| found[..length] == *value)
}

/// Takes the status and the usage of a child of this thread, and waits until it ends.
///
/// # Errors
///
/// `ECHILD` when it is not a child of this thread.
pub(super) fn reap(process: Pid) -> io::Result<(Ending, Usage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to live values that the kernel fills; a zeroed rusage is valid.
        let result = unsafe {
            libc::wait4(process.as_raw(), &raw mut status, libc::__WALL, usage.as_mut_ptr())
        };
        if result >= 0 {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    // SAFETY: all bits zero is a valid rusage, and the kernel has filled it since.
    let usage = unsafe { usage.assume_init() };
    Ok((
        ending(status),
        Usage {
            wall: Span(0),
            user_cpu: span(usage.ru_utime),
            system_cpu: span(usage.ru_stime),
            peak_memory: u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024,
        },
    ))
}

/// Takes the status of any child of this thread that has ended; returns whether there was one.
pub(super) fn reap_any() -> bool {
    let flags = libc::WNOHANG | libc::__WNOTHREAD | libc::__WALL;
    // SAFETY: no status and no usage are asked for.
    unsafe { libc::wait4(-1, std::ptr::null_mut(), flags, std::ptr::null_mut()) > 0 }
}

fn ending(status: c_int) -> Ending {
    if libc::WIFSIGNALED(status) {
        Ending::Signaled(libc::WTERMSIG(status))
    } else {
        Ending::Exited(libc::WEXITSTATUS(status))
    }
}

fn span(time: libc::timeval) -> Span {
    Span(u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).unwrap_or(0))
}

/// Gives every signal its default disposition. Jobs inherit that, so none has to be reset for them.
///
/// By the bare system call, because libc keeps some signals to itself and would refuse them, but
/// they can be inherited as ignored like all others.
pub(super) fn reset_dispositions() {
    const LAST_SIGNAL: c_int = 64;
    const SET_SIZE: usize = 8;
    // The kernel's `sigaction` is smaller; all its bits zero say: default, no flags, empty mask.
    let default = [0_u64; 8];
    for signal in 1..=LAST_SIGNAL {
        let none: *mut u64 = std::ptr::null_mut();
        // SAFETY: the default disposition runs no code of ours. It fails for KILL and STOP only,
        // which have it always.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), none, SET_SIZE) };
    }
}

/// Marks all descriptors from `first` on so that no job inherits them.
pub(super) fn close_on_exec_from(first: c_int) {
    // SAFETY: changes flags of descriptors only.
    let done = unsafe {
        libc::syscall(libc::SYS_close_range, first, c_int::MAX, libc::CLOSE_RANGE_CLOEXEC) == 0
    };
    let entries = if done { None } else { std::fs::read_dir("/proc/self/fd").ok() };
    for entry in entries.into_iter().flatten().flatten() {
        if let Some(fd) = entry.file_name().to_str().and_then(|name| name.parse::<c_int>().ok())
            && fd >= first
        {
            // SAFETY: changes a flag of a descriptor only.
            unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::process::Command;
    use std::time::Duration;

    use nix::unistd::Pid;
    use torc_protocol::result::Ending;

    use super::{kill_pidfd, pidfd_open, pipe, reap, share_memory, wait_readable};

    #[test]
    fn only_what_has_something_is_readable() {
        let (empty, _kept) = pipe().unwrap();
        let (full, mut writer) = pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let fds = [Some(empty.as_fd()), None, Some(full.as_fd())];
        assert_eq!(wait_readable(fds, None).unwrap(), [false, false, true]);
        let nothing = wait_readable([Some(empty.as_fd())], Some(Duration::from_millis(1)));
        assert_eq!(nothing.unwrap(), [false]);
    }

    #[test]
    fn only_a_process_itself_has_its_memory() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let (own, pid) = (Pid::this(), Pid::from_raw(child.id().cast_signed()));
        assert!(share_memory(own, own) && !share_memory(own, pid));
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_killed_child_says_so() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let pidfd = pidfd_open(pid).unwrap();
        kill_pidfd(pidfd.as_fd());
        assert_eq!(wait_readable([Some(pidfd.as_fd())], None).unwrap(), [true]);
        assert_eq!(reap(pid).unwrap().0, Ending::Signaled(9));
        assert!(reap(pid).is_err());
        assert!(child.wait().is_err());
    }
}
