//! Makes a process that begins in another cgroup.
//!
//! `clone3` puts it there, so that nothing of it is ever counted elsewhere, and without the wait that
//! moving a process between cgroups costs. To give it a stack would take assembly, so this child has
//! a copy of our memory, as by `fork`, and says through a pipe what failed.

use std::ffi::c_int;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use nix::unistd::Pid;

use super::{Orders, Process, Step, begin};
use crate::worker::kernel;

/// Makes a process that begins in a cgroup, and takes its report if it failed.
///
/// # Errors
///
/// The kernel cannot do it (Linux before 5.7), or no process could be made.
pub(super) fn clone_process(cgroup: BorrowedFd<'_>, orders: &mut Orders) -> io::Result<Process> {
    // The writing end stays open until this returns, so that reading never meets the end.
    let (mut reader, writer) = kernel::pipe()?;
    orders.report = writer.as_raw_fd();
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VFORK | libc::CLONE_PIDFD;
    let arguments = CloneArguments {
        // The one bit that does not fit into the type of the others.
        flags: u64::from(flags.cast_unsigned()) | CLONE_INTO_CGROUP,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        cgroup: u64::from(cgroup.as_raw_fd().cast_unsigned()),
        ..CloneArguments::default()
    };
    // SAFETY: without CLONE_VM, the child runs on in a copy of our memory and stack, where `orders`
    // and all that it points to live; it goes nowhere but into `begin`, which does not return.
    let pid = unsafe {
        let size = size_of::<CloneArguments>();
        let pid = libc::syscall(libc::SYS_clone3, &raw const arguments, size);
        if pid == 0 {
            begin(ptr::from_mut(orders).cast());
        }
        pid
    };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    orders.failure = read_failure(&mut reader);
    // SAFETY: the kernel has just made this descriptor for us.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = c_int::try_from(pid).map_err(io::Error::other)?;
    Ok(Process { pid: Pid::from_raw(pid), pidfd })
}

/// `struct clone_args` of the kernel.
#[repr(C)]
#[derive(Default)]
struct CloneArguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// A step and an error number.
const REPORT_SIZE: usize = 2 * size_of::<c_int>();

/// Reads what the child wrote, if it did before it exited or executed its program.
///
/// Does not wait for the end of the pipe: a child that another thread is making may hold it open.
fn read_failure(reader: &mut File) -> Option<(Step, c_int)> {
    let [has_report] = kernel::wait_readable([Some(reader.as_fd())], Some(Duration::ZERO)).ok()?;
    let mut report = [0; REPORT_SIZE];
    has_report.then(|| reader.read_exact(&mut report))?.ok()?;
    let (step, errno) = report.split_at(size_of::<c_int>());
    let steps = [Step::Clone, Step::Prepare, Step::Directory, Step::Execute];
    let step = steps.into_iter().find(|known| (*known as c_int).to_ne_bytes() == *step)?;
    Some((step, c_int::from_ne_bytes(errno.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    use torc_protocol::result::Ending;

    use crate::worker::kernel::{pipe, reap};
    use crate::worker::program::Program;
    use crate::worker::spawn::{Beginning, Spawner, Step};

    /// Where a kernel with both versions of cgroups, or only with version 2, has the latter.
    const MOUNTS: [&str; 2] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];

    fn program(path: &str) -> Program {
        let name = std::ffi::CString::new(path).unwrap();
        Program { candidates: vec![name.clone()], arguments: vec![name] }
    }

    /// Makes a process in the cgroup of this directory.
    fn spawn(path: &str, cgroup: &File) -> Result<Ending, (Step, Option<i32>)> {
        let (_reader, writer) = pipe().unwrap();
        let beginning = Beginning {
            environment: &[std::ptr::null()],
            directory: c"/",
            stdout: writer.as_fd(),
            stderr: writer.as_fd(),
            open_files: None,
            cgroup: Some(cgroup.as_fd()),
        };
        let process = Spawner::new().spawn(&program(path), &beginning);
        let process = process.map_err(|error| (error.step, error.error.raw_os_error()))?;
        Ok(reap(process.pid).unwrap().0)
    }

    #[test]
    fn a_process_begins_in_its_cgroup_or_says_why_not() {
        let name = format!("torc-test-{}", std::process::id());
        let made = MOUNTS
            .iter()
            .filter(|mount| fs::exists(format!("{mount}/cgroup.procs")).unwrap())
            .map(|mount| format!("{mount}/{name}"))
            .find(|path| fs::create_dir(path).is_ok());
        let Some(path) = made else {
            // Nobody lets us make one. What is left to see is that nothing else is taken for one.
            let directory = File::open("/").unwrap();
            assert_eq!(spawn("/bin/true", &directory).unwrap_err().0, Step::Clone);
            return;
        };
        let cgroup = File::open(&path).unwrap();
        assert_eq!(spawn("/bin/true", &cgroup), Ok(Ending::Exited(0)));
        assert_eq!(spawn("/nowhere", &cgroup), Err((Step::Execute, Some(libc::ENOENT))));
        assert_eq!(spawn("/etc/passwd", &cgroup), Err((Step::Execute, Some(libc::EACCES))));
        fs::remove_dir(path).unwrap();
    }
}
