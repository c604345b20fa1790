//! Which files are read: regular ones, of ours or root's, that nobody else can write to. A setting can
//! name a program to run and a file to write to, so whoever writes it acts as us.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;

use super::{ConfigError, Layer};
use crate::paths;

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;

/// What is at the place of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// A file of somebody else in a directory in which others can make one, as `/tmp` is. It is not for
    /// us, and must not be in our way either.
    Strange,
    /// A file, and what is in it.
    File(Vec<u8>),
}

/// Reads the file of a layer.
///
/// # Errors
///
/// When there is something that cannot be read, or must not be.
pub(super) fn read(layer: Layer, path: &Path) -> Result<Found, ConfigError> {
    let unreadable = |error: &io::Error| {
        ConfigError::of_file(
            path,
            format!("cannot be read: {error}"),
            "make it readable for you, or move it away",
        )
    };
    // What is no file at all, a pipe say, must not keep us waiting.
    let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if is_nothing(layer, path, &error) => return Ok(Found::Nothing),
        Err(error) => return Err(unreadable(&error)),
    };
    let about = file.metadata().map_err(|error| unreadable(&error))?;
    if layer == Layer::Project && !is_ours(&about) && is_among_others(path) {
        return Ok(Found::Strange);
    }
    check(path, &about)?;
    contents(&mut file).map_err(|error| unreadable(&error)).map(Found::File)
}

/// Returns whether a failure to open says that there is no file. Above the working directory there
/// may be directories that we cannot look into.
fn is_nothing(layer: Layer, path: &Path, error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => true,
        io::ErrorKind::PermissionDenied => layer == Layer::Project && path.metadata().is_err(),
        _ => false,
    }
}

fn is_ours(about: &Metadata) -> bool {
    paths::is_trusted_owner(about.uid())
}

/// Returns whether others can make files beside this one.
fn is_among_others(path: &Path) -> bool {
    let dir = path.parent().and_then(|dir| dir.metadata().ok());
    dir.is_some_and(|dir| dir.mode() & 0o022 != 0)
}

/// Returns whether a directory belongs to us.
pub(super) fn is_own_directory(dir: &Path) -> bool {
    dir.metadata().is_ok_and(|about| about.uid() == paths::own_uid())
}

fn check(path: &Path, about: &Metadata) -> Result<(), ConfigError> {
    let refuse = |message: String, hint: String| Err(ConfigError::of_file(path, message, hint));
    let named = path.display();
    if !about.is_file() {
        return refuse("is not a file".to_owned(), "move it away".to_owned());
    }
    if !is_ours(about) {
        return refuse(
            format!("belongs to uid {}, who could have your programs run", about.uid()),
            "make a copy of your own in a directory of yours, and work there".to_owned(),
        );
    }
    if about.mode() & 0o022 != 0 {
        return refuse(
            format!("others can write to it (its mode is {:04o})", about.mode() & 0o7777),
            format!("`chmod go-w {named}`"),
        );
    }
    if about.len() > MAX_BYTES {
        let message =
            format!("has {} bytes, and {MAX_BYTES} is the most that is read", about.len());
        return refuse(message, "is that the right file?".to_owned());
    }
    Ok(())
}

fn contents(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // It may have grown since.
    file.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
