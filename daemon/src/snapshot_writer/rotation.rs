//! The names of older snapshots: `<base>.1` is the one before the newest, `<base>.2` the one before
//! that.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::config::MAX_KEEP;
use crate::snapshot_writer::disk::{Disk, RealDisk};
use crate::snapshot_writer::operations;

/// Returns the name of the `number`th older snapshot of `target`.
#[must_use]
pub fn numbered(target: &Path, number: u32) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// Returns what has the name of an older snapshot of `target`, by number; nothing when there is no
/// such directory.
///
/// # Errors
///
/// When the directory cannot be listed.
pub fn older(target: &Path) -> io::Result<BTreeMap<u32, PathBuf>> {
    older_on(&RealDisk, target)
}

/// As [`older`], on that disk.
pub(super) fn older_on(disk: &impl Disk, target: &Path) -> io::Result<BTreeMap<u32, PathBuf>> {
    let (Some(dir), Some(base)) = (target.parent(), target.file_name()) else {
        return Ok(BTreeMap::new());
    };
    let paths = match operations::list(disk, dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        paths => paths?,
    };
    let number = |path: &Path| number_of(base, path.file_name()?);
    Ok(paths.into_iter().filter_map(|path| Some((number(&path)?, path))).collect())
}

fn number_of(base: &OsStr, name: &OsStr) -> Option<u32> {
    let digits = name.as_bytes().strip_prefix(base.as_bytes())?.strip_prefix(b".")?;
    let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let plain = digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0';
    (plain && number < MAX_KEEP).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_small_numbers_name_older_snapshots() {
        let number = |name: &str| number_of(OsStr::new("torc.db"), OsStr::new(name));
        assert_eq!(number("torc.db.1"), Some(1));
        assert_eq!(number("torc.db.999"), Some(999));
        for other in [
            "torc.db",
            "torc.db.",
            "torc.db.0",
            "torc.db.01",
            "torc.db.+1",
            "torc.db.1.corrupt-20260131T000000Z",
            "torc.db.2026",
            "torc.db.20260131",
            "torc.dbx.1",
            "other.1",
        ] {
            assert_eq!(number(other), None, "{other}");
        }
        assert_eq!(numbered(Path::new("/a/torc.db"), 12), Path::new("/a/torc.db.12"));
    }
}
