//! A log that is a file, and the older ones `NAME.1`, `NAME.2` … that it became when it was full.
//!
//! Which file we are in is known by its number on the disk, so that no line is lost or shown twice
//! when files change their names meanwhile.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::error::{CliError, ErrorKind};

/// The files of a log, and how far we have read them.
#[derive(Debug)]
pub(super) struct LogFiles {
    path: PathBuf,
    /// The one that is written to, as far as we know. None before there is one.
    current: Option<File>,
}

impl LogFiles {
    /// Returns the files of the log at `path`, of which none is read yet.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), current: None }
    }

    /// Writes what there is, or the last `lines` of it. Returns whether there is a file at all.
    pub(super) fn copy(
        &mut self,
        lines: Option<usize>,
        out: &mut impl Write,
    ) -> Result<bool, CliError> {
        let mut last = VecDeque::new();
        let mut any = false;
        for mut file in self.after(None)? {
            any = true;
            match lines {
                Some(limit) => keep_last(&mut file, limit, &mut last)
                    .map_err(|error| failed(&self.path, &error))?,
                None => drop(io::copy(&mut file, out)?),
            }
            self.current = Some(file);
        }
        for line in last {
            out.write_all(&line)?;
        }
        Ok(any)
    }

    /// Writes what has come since the last time.
    pub(super) fn copy_new(&mut self, out: &mut impl Write) -> Result<(), CliError> {
        let begun = match &self.current {
            Some(file) => Some(file.metadata()?.ino()),
            None => None,
        };
        // Found before the rest of the one that we are in is read: what is written to the next one
        // was written after all that is in this one.
        let newer = self.after(begun)?;
        if let Some(file) = &mut self.current {
            if file.metadata()?.len() < file.stream_position()? {
                file.seek(SeekFrom::Start(0))?;
            }
            io::copy(file, out)?;
        }
        for mut file in newer {
            io::copy(&mut file, out)?;
            self.current = Some(file);
        }
        Ok(())
    }

    /// Returns the files that are newer than the one with this number, oldest first; all of them when
    /// it is not there.
    fn after(&self, begun: Option<u64>) -> Result<Vec<File>, CliError> {
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        for path in self.newest_first() {
            let file = match File::open(&path) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(&path, &error)),
            };
            let number = file.metadata()?.ino();
            if Some(number) == begun {
                break;
            }
            // One may get its next name between two looks.
            if seen.insert(number) {
                files.push(file);
            }
        }
        files.reverse();
        Ok(files)
    }

    /// Returns the paths that may have a file, the log itself first.
    fn newest_first(&self) -> impl Iterator<Item = PathBuf> {
        let numbered = |number: u32| {
            let mut path = self.path.clone().into_os_string();
            path.push(format!(".{number}"));
            PathBuf::from(path)
        };
        let older = (1..).map(numbered).take_while(|path| path.exists());
        std::iter::once(self.path.clone()).chain(older)
    }
}

/// Says when something happens in the directory of a log.
#[derive(Debug)]
pub(super) struct Watch {
    path: PathBuf,
    inotify: Inotify,
}

impl Watch {
    /// Begins to watch the files of the log at `path`, before any is read. Users have few of these, so
    /// it is for whoever waits only.
    ///
    /// # Errors
    ///
    /// When its directory is not there, or cannot be watched.
    pub(super) fn new(path: &Path) -> Result<Self, CliError> {
        let watch = || -> io::Result<Inotify> {
            let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
            let events = AddWatchFlags::IN_MODIFY
                | AddWatchFlags::IN_CREATE
                | AddWatchFlags::IN_MOVED_TO
                | AddWatchFlags::IN_ONLYDIR;
            inotify.add_watch(path.parent().unwrap_or(path), events)?;
            Ok(inotify)
        };
        match watch() {
            Ok(inotify) => Ok(Self { path: path.to_owned(), inotify }),
            Err(error) => Err(failed(path, &error)),
        }
    }

    /// Waits until something happens. Blocks the thread.
    pub(super) fn wait(&self) -> Result<(), CliError> {
        match self.inotify.read_events() {
            // After a stop of this process, say; one look too many does no harm.
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(errno) => Err(failed(&self.path, &errno.into())),
        }
    }
}

/// Adds the lines of `file` to `last`, of which no more than `limit` are kept.
fn keep_last(file: &mut File, limit: usize, last: &mut VecDeque<Vec<u8>>) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    loop {
        let mut line = Vec::new();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        last.push_back(line);
        if last.len() > limit {
            last.pop_front();
        }
    }
}

/// Returns the log that was written to last of those that torcds without a name for theirs have: the
/// one at `path`, or `NAME-2` and so on beside it.
pub(super) fn newest(path: &Path) -> Option<PathBuf> {
    let (stem, end) = (path.file_stem()?.to_str()?, path.extension()?.to_str()?);
    let is_log = |name: &str| {
        let number = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(end));
        let number = number.and_then(|rest| rest.strip_suffix('.'));
        number.is_some_and(|number| {
            number.is_empty()
                || number.strip_prefix('-').is_some_and(|digits| digits.parse::<u32>().is_ok())
        })
    };
    let entries = fs::read_dir(path.parent()?).ok()?.flatten();
    let logs = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_log));
    let written = |path: &PathBuf| fs::metadata(path).and_then(|there| there.modified()).ok();
    logs.map(|entry| entry.path())
        .max_by_key(|path| written(path).unwrap_or(SystemTime::UNIX_EPOCH))
}

fn failed(path: &Path, error: &io::Error) -> CliError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => ErrorKind::NotFound,
        _ => ErrorKind::Failed,
    };
    CliError::new(kind, format!("cannot read the log {}: {error}", path.display()))
        .hint("`torcctl daemon status` tells where the torcd that runs has its log")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log in a directory of its own.
    struct Log(tempfile::TempDir);

    impl Log {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn append(&self, name: &str, text: &str) {
            let mut options = File::options();
            let mut file = options.append(true).create(true).open(self.path(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).unwrap();
        }

        fn files(&self) -> LogFiles {
            LogFiles::new(&self.path("log"))
        }

        fn watch(&self) -> Watch {
            Watch::new(&self.path("log")).unwrap()
        }
    }

    fn read(files: &mut LogFiles, lines: Option<usize>) -> String {
        let mut out = Vec::new();
        files.copy(lines, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn read_new(files: &mut LogFiles) -> String {
        let mut out = Vec::new();
        files.copy_new(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn older_files_come_first_and_the_last_lines_are_those_of_all() {
        let log = Log::new();
        log.append("log.2", "one\ntwo\n");
        log.append("log.1", "three\n");
        log.append("log", "four\nfive\n");
        assert_eq!(read(&mut log.files(), None), "one\ntwo\nthree\nfour\nfive\n");
        assert_eq!(read(&mut log.files(), Some(3)), "three\nfour\nfive\n");
        assert_eq!(read(&mut log.files(), Some(0)), "");
    }

    #[test]
    fn no_line_is_lost_or_shown_twice_when_the_log_gets_a_number() {
        let log = Log::new();
        log.append("log", "one\n");
        let (watch, mut files) = (log.watch(), log.files());
        assert_eq!(read(&mut files, None), "one\n");
        log.append("log", "two\n");
        log.rename("log", "log.1");
        log.append("log", "three\n");
        watch.wait().unwrap();
        assert_eq!(read_new(&mut files), "two\nthree\n");
        assert_eq!(read_new(&mut files), "");
        log.append("log", "four\n");
        for (from, to) in [("log.1", "log.2"), ("log", "log.1")] {
            log.rename(from, to);
        }
        log.append("log", "five\n");
        for (from, to) in [("log.2", "log.3"), ("log.1", "log.2"), ("log", "log.1")] {
            log.rename(from, to);
        }
        log.append("log", "six\n");
        watch.wait().unwrap();
        assert_eq!(read_new(&mut files), "four\nfive\nsix\n");
    }

    #[test]
    fn a_log_that_begins_later_is_followed_too() {
        let log = Log::new();
        let (watch, mut files) = (log.watch(), log.files());
        assert!(!files.copy(None, &mut io::sink()).unwrap());
        log.append("log", "one\n");
        watch.wait().unwrap();
        assert_eq!(read_new(&mut files), "one\n");
        fs::write(log.path("log"), "x\n").unwrap();
        fs::write(log.path("log"), "").unwrap();
        assert_eq!(read_new(&mut files), "");
        log.append("log", "two\n");
        assert_eq!(read_new(&mut files), "two\n");
    }

    #[test]
    fn the_log_that_was_written_last_is_found_among_those_of_several_torcds() {
        let log = Log::new();
        assert_eq!(newest(&log.path("torcd.log")), None);
        let long_ago = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
        for name in ["torcd.log", "torcd.log.1", "torcd.log.lock", "torcd-x.log", "torcd-2.log"] {
            log.append(name, "x");
            File::options()
                .append(true)
                .open(log.path(name))
                .unwrap()
                .set_modified(long_ago)
                .unwrap();
        }
        log.append("torcd.log", "x");
        assert_eq!(newest(&log.path("torcd.log")), Some(log.path("torcd.log")));
        fs::remove_file(log.path("torcd.log")).unwrap();
        assert_eq!(newest(&log.path("torcd.log")), Some(log.path("torcd-2.log")));
    }
}
