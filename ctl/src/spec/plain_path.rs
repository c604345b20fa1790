//! Whether two paths of files are the same as they are written.

use std::path::{Component, Path, PathBuf};

/// Returns `path` without what means nothing in it: `./`, `//`, `/.` and a `/` at the end. Nothing is
/// looked up on the disk, so that links and `..` stay what they are.
#[must_use]
pub fn plain(path: &str) -> PathBuf {
    Path::new(path).components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_nothing_in_a_path_does_not_count() {
        for path in ["a/b", "./a/b", "a//b", "a/./b", "a/b/", "a/b/.", ".//a/b"] {
            assert_eq!(plain(path).to_str(), Some("a/b"), "{path}");
        }
        for path in ["/a/b", "a/c/../b", "../a/b", "a/B"] {
            assert_ne!(plain(path), Path::new("a/b"), "{path}");
        }
    }
}
