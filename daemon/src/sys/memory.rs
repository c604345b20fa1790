//! Files in memory that have no name, and memory that the allocator has kept.

use std::ffi::CString;
use std::fs::File;
use std::io;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// Makes a file in memory, which goes when its last descriptor does.
///
/// # Errors
///
/// When the kernel refuses.
pub fn anonymous_file(name: &str) -> io::Result<File> {
    let name = CString::new(name).map_err(io::Error::other)?;
    Ok(File::from(memfd_create(name.as_c_str(), MFdFlags::MFD_CLOEXEC)?))
}

/// Gives memory back to the system that was freed and that the allocator has kept for later.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "the allocator is the C library's")]
pub fn give_back() {
    // SAFETY: it takes the allocator's own locks, and touches nothing that is in use.
    unsafe { nix::libc::malloc_trim(0) };
}

/// Does nothing: other C libraries keep little.
#[cfg(not(target_env = "gnu"))]
pub fn give_back() {}
