//! How the files of a workflow are now.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;
use torc_protocol::result::FileStamp;

use crate::error::{CliError, ErrorKind};
use crate::stderr;
use crate::style::count;

/// So many files are looked at at a time: on a slow file system each look is a wait, and these
/// waits are one.
const AT_A_TIME: usize = 64;
/// After so long the user is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at `paths`, which begin at `directory`; a file that is not there, or that cannot be looked
/// at, has no stamp.
pub(super) async fn stamps(
    directory: &str,
    paths: &[String],
) -> Result<Vec<Option<FileStamp>>, CliError> {
    tokio::pin! {
        let looking = look(directory, paths);
    }
    tokio::select! {
        stamps = &mut looking => return stamps,
        () = sleep(PATIENCE) => {}
    }
    stderr::say(&format!("looking at {} …", count(paths.len() as u64, "file")));
    looking.await
}

async fn look(directory: &str, paths: &[String]) -> Result<Vec<Option<FileStamp>>, CliError> {
    let directory: Arc<Path> = Path::new(directory).into();
    let share = paths.len().div_ceil(AT_A_TIME).max(1);
    let looks: Vec<_> = paths
        .chunks(share)
        .map(|paths| {
            let (directory, paths) = (Arc::clone(&directory), paths.to_vec());
            spawn_blocking(move || {
                paths.iter().map(|path| stamp(&directory.join(path))).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut stamps = Vec::with_capacity(paths.len());
    for look in looks {
        let share = look.await.map_err(|error| {
            CliError::new(ErrorKind::Failed, format!("cannot look at the files: {error}"))
        })?;
        stamps.extend(share);
    }
    Ok(stamps)
}

/// As the worker takes it.
fn stamp(path: &Path) -> Option<FileStamp> {
    let found = fs::metadata(path).ok()?;
    let modified = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
    Some(FileStamp { modified, bytes: found.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_file_has_its_own_stamp_however_many_there_are() {
        let dir = tempfile::tempdir().unwrap();
        let paths: Vec<_> = (0..150).map(|number| format!("f{number}")).collect();
        for (number, path) in paths.iter().enumerate().filter(|(number, _)| number % 3 > 0) {
            fs::write(dir.path().join(path), "x".repeat(number)).unwrap();
        }
        let found = stamps(dir.path().to_str().unwrap(), &paths).await.unwrap();
        let sizes: Vec<_> = found.iter().map(|stamp| stamp.map(|stamp| stamp.bytes)).collect();
        let expected: Vec<_> = (0..150).map(|number| (number % 3 > 0).then_some(number)).collect();
        assert_eq!(sizes, expected);
        assert!(stamps("/", &[]).await.unwrap().is_empty());
    }
}
