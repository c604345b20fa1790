//! Which machine this is.

use std::fs;
use std::io;

use nix::unistd::gethostname;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_id_is_a_uuid() {
        assert_eq!(boot_id().unwrap().len(), 36);
        assert!(!host_name().unwrap().is_empty());
    }
}
