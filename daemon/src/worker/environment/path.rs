//! Where programs are looked for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::unistd::{AccessFlags, access};

/// Where programs are looked for when the environment has no `PATH`.
const DEFAULT: &[u8] = b"/usr/bin:/bin";

/// A `PATH`, and the shell that it leads to. All environments with the same one share it, so that
/// a slow file system is asked once.
pub(super) struct SearchPath {
    text: Vec<u8>,
    /// Each ended by a slash, or empty for the working directory.
    directories: Vec<Vec<u8>>,
    shell: OnceLock<PathBuf>,
}

impl SearchPath {
    /// Returns what the value of `PATH` says, if there is one.
    pub(super) fn new(value: Option<&[u8]>) -> Self {
        let text = value.unwrap_or(DEFAULT).to_vec();
        let directories = text.split(|byte| *byte == b':').map(|directory| {
            let mut prefix = directory.to_vec();
            if !matches!(prefix.last(), None | Some(b'/')) {
                prefix.push(b'/');
            }
            prefix
        });
        Self { directories: directories.collect(), text, shell: OnceLock::new() }
    }

    /// Returns whether this is of the same value.
    pub(super) fn is_of(&self, value: Option<&[u8]>) -> bool {
        self.text == value.unwrap_or(DEFAULT)
    }

    /// Returns the files that `program` may be, in the order in which they are to be tried: itself
    /// when it has a slash, else one for each directory.
    pub(super) fn candidates(&self, program: &[u8]) -> Vec<Vec<u8>> {
        if program.contains(&b'/') {
            return vec![program.to_vec()];
        }
        self.directories.iter().map(|directory| [directory, program].concat()).collect()
    }

    /// Returns the first bash, else `/bin/bash`, else `/bin/sh`. It is looked for once; relative
    /// directories do not count.
    pub(super) fn shell(&self) -> &Path {
        self.shell.get_or_init(|| {
            let absolute =
                self.directories.iter().filter(|directory| directory.first() == Some(&b'/'));
            let mut places = absolute
                .map(|directory| Path::new(OsStr::from_bytes(directory)).join("bash"))
                .chain([PathBuf::from("/bin/bash")]);
            let found = places
                .find(|file| file.is_file() && access(file.as_path(), AccessFlags::X_OK).is_ok());
            found.unwrap_or_else(|| PathBuf::from("/bin/sh"))
        })
    }
}
