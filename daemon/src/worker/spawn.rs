//! Makes processes.
//!
//! `clone` with `CLONE_VM | CLONE_VFORK`: the child borrows our memory until it executes the
//! program, so its cost does not grow with our heap, and only the calling thread waits meanwhile.
//! A child that begins in another cgroup is made otherwise, see `into_cgroup`.
//!
//! Invariants:
//! - All that the child needs is made before; the child makes async-signal-safe calls only.
//! - The calling thread has all signals blocked, so no handler runs in borrowed memory, and no
//!   signal has a disposition other than the default (see `kernel::reset_dispositions`), so the
//!   child has none to reset.
//! - Descriptor 0 is `/dev/null`; every descriptor over 2 is closed by executing.
//! - The child dies with the thread that made it, which lives as long as the worker.

#![expect(unsafe_code, reason = "clone and what may be done in a child of it")]

mod into_cgroup;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::{io, ptr};

use nix::unistd::Pid;

use super::kernel;
use super::program::Program;

/// Enough for the few calls of the child, none of which has large locals.
const STACK_SIZE: usize = 64 * 1024;

/// What `execvp` runs a file with that is executable but in no format that the kernel knows.
const SCRIPT_SHELL: &CStr = c"/bin/sh";

/// How a process begins.
pub(super) struct Beginning<'a> {
    /// Ended by a null pointer; see `environment`.
    pub(super) environment: &'a [*const c_char],
    pub(super) directory: &'a CStr,
    pub(super) stdout: BorrowedFd<'a>,
    pub(super) stderr: BorrowedFd<'a>,
    /// The limit of open files that the worker was started with, if it has raised it since.
    pub(super) open_files: Option<libc::rlimit>,
    /// The directory of the cgroup in which it begins, if that is not the one of the worker.
    pub(super) cgroup: Option<BorrowedFd<'a>>,
}

/// A process that was made, the leader of a process group of its own.
pub(super) struct Process {
    pub(super) pid: Pid,
    /// Becomes readable when it ends.
    pub(super) pidfd: OwnedFd,
}

/// At which step making a process failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Step {
    /// No process could be made.
    Clone,
    /// Its group, its limits or its descriptors could not be set.
    Prepare,
    /// Its directory could not be entered.
    Directory,
    /// The program could not be executed.
    Execute,
}

/// Why a process was not made.
#[derive(Debug)]
pub(super) struct SpawnError {
    pub(super) step: Step,
    pub(super) error: io::Error,
}

/// Makes processes for one thread; keeps the stack on which they begin.
pub(super) struct Spawner {
    stack: Vec<u128>,
}

/// What the child reads, and where it says what failed.
struct Orders {
    worker: c_int,
    candidates: Vec<*const c_char>,
    /// A place for the shell, one for the file that it runs, then the arguments and a null pointer.
    arguments: Vec<*const c_char>,
    environment: *const *const c_char,
    directory: *const c_char,
    stdout: RawFd,
    stderr: RawFd,
    open_files: *const libc::rlimit,
    failure: Option<(Step, c_int)>,
    /// Where a child that has a copy of this writes its failure; -1 for one that shares it.
    report: RawFd,
}

impl Spawner {
    pub(super) fn new() -> Self {
        Self { stack: vec![0; STACK_SIZE / size_of::<u128>()] }
    }

    /// Makes a process that executes `program`. Returns when it does.
    ///
    /// # Errors
    ///
    /// The step that failed, and why; then no process is left.
    pub(super) fn spawn(
        &mut self,
        program: &Program,
        beginning: &Beginning<'_>,
    ) -> Result<Process, SpawnError> {
        let pointers = |strings: &[CString]| strings.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let mut arguments = vec![SCRIPT_SHELL.as_ptr()];
        arguments.extend(pointers(&program.arguments));
        arguments.push(ptr::null());
        let mut orders = Orders {
            worker: std::process::id().cast_signed(),
            candidates: pointers(&program.candidates),
            arguments,
            environment: beginning.environment.as_ptr(),
            directory: beginning.directory.as_ptr(),
            stdout: beginning.stdout.as_raw_fd(),
            stderr: beginning.stderr.as_raw_fd(),
            open_files: beginning.open_files.as_ref().map_or(ptr::null(), ptr::from_ref),
            failure: None,
            report: -1,
        };
        let process = match beginning.cgroup {
            None => self.clone_process(&mut orders),
            Some(cgroup) => into_cgroup::clone_process(cgroup, &mut orders),
        };
        let process = process.map_err(|error| SpawnError { step: Step::Clone, error })?;
        match orders.failure {
            None => Ok(process),
            Some((step, errno)) => {
                // It has exited already; what it would report is in the orders.
                let _ = kernel::reap(process.pid);
                Err(SpawnError { step, error: io::Error::from_raw_os_error(errno) })
            }
        }
    }

    fn clone_process(&mut self, orders: &mut Orders) -> io::Result<Process> {
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let mut pidfd: c_int = -1;
        let top = self.stack.as_mut_ptr_range().end.cast::<c_void>();
        // SAFETY: the stack is ours alone and aligned to 16 bytes; `orders` and all that it points
        // to outlives the child's use of it, because CLONE_VFORK keeps this thread here until the
        // child has executed the program or exited; the kernel stores the descriptor in `pidfd`.
        let pid =
            unsafe { libc::clone(begin, top, flags, ptr::from_mut(orders).cast(), &raw mut pidfd) };
        if pid < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Process { pid: Pid::from_raw(pid), pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
    }
}

/// The life of the child before the program: prepares, executes, or says what failed.
extern "C" fn begin(orders: *mut c_void) -> c_int {
    // SAFETY: `clone_process` passes a live `Orders`, which its thread does not touch meanwhile.
    let orders = unsafe { &mut *orders.cast::<Orders>() };
    // SAFETY: runs in the child that was made for it.
    let step = unsafe {
        if !prepare(orders) {
            Step::Prepare
        } else if libc::chdir(orders.directory) != 0 {
            Step::Directory
        } else {
            execute(orders);
            Step::Execute
        }
    };
    let errno = io::Error::last_os_error().raw_os_error().unwrap_or(0);
    orders.failure = Some((step, errno));
    let report = [step as c_int, errno];
    // SAFETY: writes to a pipe of ours or to -1, and ends the child without running anything that
    // belongs to the worker.
    unsafe {
        libc::write(orders.report, report.as_ptr().cast(), size_of_val(&report));
        libc::_exit(127)
    }
}

/// Makes the child a process group of its own that dies with the worker, and gives it its stdio,
/// limits and signal mask. Returns whether all of it worked.
///
/// # Safety
///
/// Only in the child; all descriptors in `orders` are open.
unsafe fn prepare(orders: &Orders) -> bool {
    // SAFETY: system calls that change this process only; the pointers are live or null.
    unsafe {
        if libc::setpgid(0, 0) != 0 || libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return false;
        }
        if libc::getppid() != orders.worker {
            // The worker died before the line above, so the signal will never come.
            libc::_exit(127);
        }
        if !orders.open_files.is_null()
            && libc::setrlimit(libc::RLIMIT_NOFILE, orders.open_files) != 0
        {
            return false;
        }
        if libc::dup2(orders.stdout, 1) < 0 || libc::dup2(orders.stderr, 2) < 0 {
            return false;
        }
        let mut none = std::mem::MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigemptyset(none.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut()) == 0
    }
}

/// Executes the first candidate that can be, as `execvp` does. Returns only when none can be, with
/// the reason in `errno`.
///
/// # Safety
///
/// Only in the child; all pointers in `orders` are live.
unsafe fn execute(orders: &mut Orders) {
    let mut denied = false;
    // SAFETY: the arrays end with null pointers, and there are at least two arguments before it.
    unsafe {
        *libc::__errno_location() = libc::ENOENT;
        for candidate in &orders.candidates {
            libc::execve(*candidate, orders.arguments.as_ptr().add(1), orders.environment);
            if *libc::__errno_location() == libc::ENOEXEC {
                orders.arguments[1] = *candidate;
                libc::execve(SCRIPT_SHELL.as_ptr(), orders.arguments.as_ptr(), orders.environment);
            }
            match *libc::__errno_location() {
                libc::EACCES => denied = true,
                libc::ENOENT | libc::ENOTDIR | libc::ESTALE | libc::ENODEV | libc::ETIMEDOUT => {}
                _ => return,
            }
        }
        if denied {
            *libc::__errno_location() = libc::EACCES;
        }
    }
}
