//! Files in memory that have no name.

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
