//! The directories in memory where a torcd keeps its database. One that was killed leaves them, for
//! whoever brings its database home.

use std::fs;
use std::path::PathBuf;

use torc_protocol::paths;

/// Returns the directories of a torcd that are there.
#[must_use]
pub fn of(pid: u32) -> Vec<PathBuf> {
    let parent = paths::memory_dir().expect("there is a tmpfs, as on every Linux machine");
    let entries = fs::read_dir(parent).expect("the directory can be read").flatten();
    let is_its = |name: &str| name.starts_with(&format!("{pid}-"));
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_its))
        .map(|entry| entry.path())
        .collect()
}

/// Removes what a torcd that was killed has left.
pub fn clear(pid: u32) {
    for dir in of(pid) {
        fs::remove_dir_all(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
    }
}
