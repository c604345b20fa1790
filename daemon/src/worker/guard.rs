//! The guard: the parent of the worker, which outlives it and ends what its jobs have left.
//!
//! When torcd and the worker are killed at once, the leaders of jobs die with the worker, but what
//! they have started has nobody who would look for it. All of it becomes the guard's children: it
//! kills and reaps until there is none. It does nothing else, so nothing else can bring it down. When
//! it is the one that is killed, the worker ends all itself.
//!
//! Invariants:
//! - It has one thread and never makes another: what it has as children are the worker and, when
//!   that has ended, orphans of jobs.
//! - It holds nothing open that torcd or a job could wait for the end of.
//! - It has another name and other arguments than torcd, and blocks all signals, so whoever ends
//!   torcd by its name, or all processes of a terminal, does not end the guard with them.

#![expect(unsafe_code, reason = "fork, and the memory in which the kernel has put the arguments")]

use std::fs::{self, File};
use std::{process, ptr, slice};

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, getppid};

use super::strays::Strays;

/// What a process list shows the guard as.
const NAME: &[u8] = b"torc-guard";

/// Makes the worker a child of this process, which becomes its guard. Returns in the worker only,
/// with the process id of the guard; the guard exits with the code of the worker, or with 128 and
/// the number of the signal that has ended it.
///
/// To be called while there is one thread, with all signals blocked and of default disposition. Until
/// [`take_over`] the worker dies when the guard does.
///
/// # Errors
///
/// The kernel makes no process.
pub(super) fn divide() -> anyhow::Result<Pid> {
    let null = File::options().read(true).write(true).open("/dev/null");
    let null = null.context("opening /dev/null")?;
    prctl::set_child_subreaper(true).context("adopting orphans of jobs")?;
    prctl::set_name(c"torc-guard").context("taking a name")?;
    let arguments = Arguments::find();
    // Before there are two, so that nobody who looks for the worker finds both.
    arguments.iter().for_each(|arguments| arguments.show(NAME));
    let guard = Pid::this();
    // SAFETY: this process has one thread, so the child may do whatever the parent may.
    match unsafe { fork() }.context("making the process that runs jobs")? {
        ForkResult::Parent { child } => process::exit(keep_watch(child, &null)),
        ForkResult::Child => {
            prctl::set_pdeathsig(Signal::SIGKILL).context("binding the worker to its guard")?;
            ensure!(getppid() == guard, "the guard of the worker was killed");
            arguments.iter().for_each(Arguments::restore);
            Ok(guard)
        }
    }
}

/// Lets the worker live on when the guard dies, to end all jobs first.
///
/// # Errors
///
/// The kernel refuses.
pub(super) fn take_over() -> nix::Result<()> {
    prctl::set_pdeathsig(None)
}

/// Waits for the end of the worker, ends what is left of its jobs, and returns with which code.
///
/// Only a process that cannot be killed for now, in an uninterruptible wait say, keeps it longer than
/// a moment: then until that is gone too.
fn keep_watch(worker: Pid, null: &File) -> i32 {
    // Dropped or not, they close with this process; an error leaves that for later.
    let _ = dup2_stdin(null).and(dup2_stdout(null)).and(dup2_stderr(null));
    let code = loop {
        match waitpid(worker, None) {
            Ok(WaitStatus::Exited(_, code)) => break code,
            Ok(WaitStatus::Signaled(_, signal, _)) => break 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break 1,
        }
    };
    let strays = Strays::new();
    while !strays.end_all() {}
    code
}

/// The command line of this process, as others see it.
struct Arguments {
    place: *mut u8,
    bytes: Vec<u8>,
}

impl Arguments {
    /// Returns where the kernel has put it, if it tells.
    fn find() -> Option<Self> {
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        let (start, end) = arguments_of(&stat)?;
        let place: *mut u8 = ptr::with_exposed_provenance_mut(start);
        // SAFETY: between these addresses is what this process was started with, which is mapped,
        // writable, and ours as long as we live; there is no other thread that could change it.
        let bytes = unsafe { slice::from_raw_parts(place, end - start) }.to_vec();
        Some(Self { place, bytes })
    }

    /// Shows others this instead, or as much of it as there is room for.
    fn show(&self, name: &[u8]) {
        let mut shown = name.to_vec();
        // It ends with a zero, or the kernel would go on with the environment.
        shown.truncate(self.bytes.len().saturating_sub(1));
        shown.resize(self.bytes.len(), 0);
        self.write(&shown);
    }

    /// Shows them what this process was started with.
    fn restore(&self) {
        self.write(&self.bytes);
    }

    fn write(&self, bytes: &[u8]) {
        // SAFETY: as in `find`, and there is room for as many bytes as were found there.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), self.place, self.bytes.len()) };
    }
}

/// Returns from which address to which the arguments are: fields 48 and 49 of `stat`, counted from
/// behind the name in parentheses, which may hold anything.
fn arguments_of(stat: &str) -> Option<(usize, usize)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(45);
    let mut address = || fields.next()?.parse::<usize>().ok();
    let (start, end) = (address()?, address()?);
    // Zeros where the kernel does not tell.
    (0 < start && start < end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Arguments, arguments_of};

    #[test]
    fn the_arguments_are_found_where_the_kernel_has_them() {
        let seen = fs::read("/proc/self/cmdline").unwrap();
        assert_eq!(Arguments::find().unwrap().bytes, seen);
    }

    #[test]
    fn a_kernel_that_hides_the_addresses_is_believed() {
        let fields = |start: u64, end: u64| format!("1 (a) b) {}{start} {end} 9", "7 ".repeat(45));
        assert_eq!(arguments_of(&fields(4096, 4100)), Some((4096, 4100)));
        assert_eq!(arguments_of(&fields(0, 0)), None);
        assert_eq!(arguments_of("1 (a) S 1"), None);
    }
}
