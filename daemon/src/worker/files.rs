//! The files that a job reads and writes, as they are.
//!
//! Used by the slot thread of the job only, because a file system may stall.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use torc_protocol::result::FileStamp;

/// How many missing files are told by their names, for someone to read.
const TOLD: usize = 20;

/// Looks at files, whose paths begin at `directory`.
pub(super) fn stamps(directory: &Path, paths: &[String]) -> Vec<Option<FileStamp>> {
    paths.iter().map(|path| stamp(&directory.join(path))).collect()
}

/// Returns which of the files were not there: the first of them, and how many more.
pub(super) fn missing(paths: &[String], stamps: &[Option<FileStamp>]) -> Vec<String> {
    let mut absent = paths.iter().zip(stamps).filter(|(_, stamp)| stamp.is_none());
    let mut told: Vec<_> = absent.by_ref().take(TOLD).map(|(path, _)| path.clone()).collect();
    match absent.count() {
        0 => {}
        more => told.push(format!("and {more} more")),
    }
    told
}

fn stamp(path: &Path) -> Option<FileStamp> {
    let found = fs::metadata(path).ok()?;
    let modified = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
    Some(FileStamp { modified, bytes: found.len() })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use torc_protocol::result::FileStamp;

    use super::{missing, stamps};

    #[test]
    fn a_file_is_told_by_its_time_and_its_length() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "abc").unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::new(5, 7);
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        let absolute = path.to_str().unwrap().to_owned();
        let paths = ["a".to_owned(), "b".to_owned(), absolute];
        let found = stamps(directory.path(), &paths);
        let stamp = Some(FileStamp { modified: 5_000_000_007, bytes: 3 });
        assert_eq!(found, [stamp, None, stamp]);
        assert_eq!(missing(&paths, &found), ["b"]);
    }

    #[test]
    fn of_many_missing_files_the_first_are_told() {
        let paths: Vec<_> = (0..23).map(|n| n.to_string()).collect();
        let told = |count| missing(&paths[..count], &vec![None; count]);
        assert_eq!(told(20), paths[..20]);
        let more = ["and 3 more".to_owned()];
        assert_eq!(told(23), [&paths[..20], &more].concat());
    }
}
