//! Which machine this is, and which of its processes live.

use std::fs;
use std::io;

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Pid, gethostname};

/// Returns the name of this host.
///
/// # Errors
///
/// When the kernel does not tell.
pub fn host_name() -> io::Result<String> {
    Ok(gethostname()?.to_string_lossy().into_owned())
}

/// Returns the random id that this boot of the host was given.
///
/// # Errors
///
/// When `/proc` is not mounted.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Returns whether a process of this host has that id, be it another user's.
#[must_use]
pub fn process_exists(pid: u32) -> bool {
    match i32::try_from(pid) {
        Ok(pid) if pid > 0 => kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, id};

    use super::*;

    #[test]
    fn a_process_exists_until_it_is_reaped() {
        assert!(process_exists(id()));
        let mut child = Command::new("true").spawn().unwrap();
        assert!(process_exists(child.id()));
        child.wait().unwrap();
        assert!(!process_exists(child.id()));
        assert!(!process_exists(0));
        assert!(!process_exists(u32::MAX));
    }

    #[test]
    fn the_boot_id_is_a_uuid() {
        assert_eq!(boot_id().unwrap().len(), 36);
        assert!(!host_name().unwrap().is_empty());
    }
}
