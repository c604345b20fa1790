//! Where the output of a job goes: memory, a file, or memory first and then a file.
//!
//! Used by the slot thread of the job only; a file system that stalls stalls that thread and nobody
//! else. A failed write does not disturb the job: its pipe is read on. But the attempt has failed then,
//! and the result says how many bytes are missing and why. What a file holds is always the beginning of
//! the stream.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use torc_protocol::result::{Output, StreamKind};
use torc_protocol::spec::{CAPTURE_LIMIT, StdioMode};
use torc_protocol::worker::WorkerEvent;

use super::tail::{Kept, Tail};

/// Where the files of an attempt are, but for their extensions.
#[derive(Clone, Debug)]
pub(super) struct FileStem(pub(super) PathBuf);

impl FileStem {
    fn with_extension(&self, extension: &str) -> String {
        format!("{}.{extension}", self.0.display())
    }
}

/// Takes the bytes of one stream.
pub(super) struct Sink {
    kind: StreamKind,
    /// Where its file is, or would be.
    path: String,
    target: Target,
    /// Bytes that could not be written.
    missing: u64,
    /// Why.
    error: Option<String>,
}

enum Target {
    /// The bytes are in the [`Tail`].
    Memory,
    File {
        file: File,
        bytes: u64,
        /// It holds what would have been in the database, and is to be as safe as that.
        sync: bool,
    },
    /// Nothing more can be written; so many bytes were.
    Failed { bytes: u64 },
}

/// Opens the sinks that `mode` asks for; in mode `combined` the first takes both streams.
pub(super) fn open(mode: StdioMode, stem: &FileStem, tail: &Tail) -> [Option<Sink>; 2] {
    use StreamKind::{Stderr, Stdout};
    let file = |kind, extension| Some(Sink::file(kind, stem.with_extension(extension), tail));
    let memory = |kind, extension| Some(Sink::memory(kind, stem.with_extension(extension), tail));
    match mode {
        StdioMode::Capture => [memory(Stdout, "out"), memory(Stderr, "err")],
        StdioMode::Separate => [file(Stdout, "out"), file(Stderr, "err")],
        StdioMode::Combined => [file(Stdout, "log"), None],
        StdioMode::NoStdout => [None, file(Stderr, "err")],
        StdioMode::NoStderr => [file(Stdout, "out"), None],
        StdioMode::None => [None, None],
    }
}

impl Sink {
    fn memory(kind: StreamKind, path: String, tail: &Tail) -> Self {
        // Nobody can wait yet for what has no content.
        tail.update(kind, |kept| *kept = Kept::Memory(Vec::new()));
        Self { kind, path, target: Target::Memory, missing: 0, error: None }
    }

    fn file(kind: StreamKind, path: String, tail: &Tail) -> Self {
        let mut sink = Self { kind, path, target: Target::Memory, missing: 0, error: None };
        sink.target = match create(Path::new(&sink.path)) {
            Ok(file) => Target::File { file, bytes: 0, sync: false },
            Err(error) => {
                sink.error = Some(format!("cannot create it: {error}"));
                Target::Failed { bytes: 0 }
            }
        };
        let path = sink.path.clone();
        tail.update(kind, |kept| *kept = Kept::File { path, bytes: 0 });
        sink
    }

    /// Takes more of the stream, and returns the answers for those who waited for it.
    pub(super) fn write(&mut self, bytes: &[u8], tail: &Tail) -> Vec<WorkerEvent> {
        if matches!(self.target, Target::Memory) {
            let (fits, answers) = tail.update(self.kind, |kept| keep(kept, bytes));
            if fits {
                return answers;
            }
            self.spill(tail);
        }
        self.append(bytes);
        match self.target {
            Target::File { bytes: total, .. } => {
                tail.update(self.kind, |kept| set_length(kept, total)).1
            }
            Target::Memory | Target::Failed { .. } => Vec::new(),
        }
    }

    /// Moves what is in memory to a file, because it becomes too much. When that fails, what is in
    /// memory stays there, and the rest is missing.
    fn spill(&mut self, tail: &Tail) {
        let file = match create(Path::new(&self.path)) {
            Ok(file) => file,
            Err(error) => {
                self.error = Some(format!("cannot create it: {error}"));
                self.target = Target::Failed { bytes: 0 };
                return;
            }
        };
        let in_file = Kept::File { path: self.path.clone(), bytes: 0 };
        let (kept, _) = tail.update(self.kind, |kept| std::mem::replace(kept, in_file));
        self.target = Target::File { file, bytes: 0, sync: true };
        if let Kept::Memory(beginning) = kept {
            self.append(&beginning);
            if matches!(self.target, Target::Failed { .. }) {
                self.missing = 0;
                tail.update(self.kind, |kept| *kept = Kept::Memory(beginning));
            }
        }
    }

    /// Writes to the file as far as that is possible.
    fn append(&mut self, mut rest: &[u8]) {
        let Target::File { file, bytes, .. } = &mut self.target else {
            self.missing += rest.len() as u64;
            return;
        };
        while !rest.is_empty() {
            match file.write(rest) {
                Ok(written) if written > 0 => {
                    *bytes += written as u64;
                    rest = &rest[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                failed => {
                    let error = failed.err().unwrap_or_else(|| io::ErrorKind::WriteZero.into());
                    self.error = Some(format!("cannot write to it: {error}"));
                    self.missing += rest.len() as u64;
                    self.target = Target::Failed { bytes: *bytes };
                    return;
                }
            }
        }
    }

    /// Ends the stream and returns where it is, given what was kept of it, and why that is not all.
    pub(super) fn finish(mut self, kept: Kept) -> (Output, Option<String>) {
        let bytes = match &self.target {
            Target::Memory => 0,
            Target::Failed { bytes } => *bytes,
            Target::File { file, bytes, sync } => {
                if *sync && let Err(error) = file.sync_all() {
                    self.error = Some(format!("cannot make it durable: {error}"));
                }
                *bytes
            }
        };
        let error = self.error.map(|error| match self.missing {
            0 => error,
            missing => format!("{error}; {missing} bytes are missing"),
        });
        let lost = error.as_ref().map(|error| format!("{}: {error}", self.path));
        let output = match (kept, error) {
            (Kept::Memory(bytes), None) if bytes.is_empty() => Output::None,
            (Kept::Memory(bytes), None) => Output::Inline(Bytes::from(bytes)),
            (Kept::Memory(mut bytes), Some(error)) => {
                // Whoever reads the bytes alone must not take a part for the whole.
                bytes.extend_from_slice(format!("\n[torc: {}: {error}]\n", self.path).as_bytes());
                Output::Inline(Bytes::from(bytes))
            }
            (Kept::Nothing | Kept::File { .. }, error) => {
                Output::File { path: self.path, bytes, error }
            }
        };
        (output, lost)
    }

    /// Ends the stream, and removes its file if it has one.
    pub(super) fn discard(self) {
        if matches!(self.target, Target::File { .. }) {
            // What cannot be removed is left; nothing names it any more.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Adds `bytes` to what is in memory, if that stays within the limit.
fn keep(kept: &mut Kept, bytes: &[u8]) -> bool {
    match kept {
        Kept::Memory(memory) if memory.len() + bytes.len() <= CAPTURE_LIMIT => {
            memory.extend_from_slice(bytes);
            true
        }
        Kept::Memory(_) | Kept::Nothing | Kept::File { .. } => false,
    }
}

fn set_length(kept: &mut Kept, length: u64) {
    if let Kept::File { bytes, .. } = kept {
        *bytes = length;
    }
}

/// Creates a file, and the directories that it needs.
fn create(path: &Path) -> io::Result<File> {
    match File::create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(path.parent().unwrap_or(path))?;
            File::create(path)
        }
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use torc_protocol::result::Output;
    use torc_protocol::spec::{CAPTURE_LIMIT, StdioMode};

    use super::{FileStem, open};
    use crate::worker::tail::Tail;

    /// Runs `chunks` through the first sink that `mode` opens.
    fn run(mode: StdioMode, stem: &Path, chunks: &[&[u8]]) -> Output {
        let tail = Tail::default();
        let [stdout, stderr] = open(mode, &FileStem(stem.to_owned()), &tail);
        let is_stdout = stdout.is_some();
        let mut sink = stdout.or(stderr).unwrap();
        for chunk in chunks {
            sink.write(chunk, &tail);
        }
        let [stdout, stderr] = tail.close();
        let (output, lost) = sink.finish(if is_stdout { stdout } else { stderr });
        let has_error = matches!(&output, Output::File { error: Some(_), .. })
            || matches!(&output, Output::Inline(bytes) if bytes.ends_with(b"missing]\n"));
        assert_eq!(lost.is_some(), has_error, "{output:?}");
        output
    }

    #[test]
    fn little_output_stays_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let stem = directory.path().join("a/1.1");
        assert_eq!(run(StdioMode::Capture, &stem, &[b"ab", b"c"]), Output::Inline("abc".into()));
        assert_eq!(run(StdioMode::Capture, &stem, &[]), Output::None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn output_beyond_the_limit_is_in_a_file_from_its_first_byte() {
        let directory = tempfile::tempdir().unwrap();
        let stem = directory.path().join("a/1.1");
        let full = vec![b'x'; CAPTURE_LIMIT];
        assert_eq!(run(StdioMode::Capture, &stem, &[&full]), Output::Inline(full.clone().into()));
        let path = directory.path().join("a/1.1.out").to_str().unwrap().to_owned();
        let bytes = CAPTURE_LIMIT as u64 + 3;
        let output = run(StdioMode::Capture, &stem, &[&full, b"y", b"z!"]);
        assert_eq!(output, Output::File { path: path.clone(), bytes, error: None });
        assert_eq!(fs::read(path).unwrap(), [full, b"yz!".to_vec()].concat());
    }

    #[test]
    fn a_mode_with_files_makes_them_even_when_empty() {
        let directory = tempfile::tempdir().unwrap();
        let stem = directory.path().join("a/1.1");
        for (mode, name) in [
            (StdioMode::Separate, "1.1.out"),
            (StdioMode::Combined, "1.1.log"),
            (StdioMode::NoStderr, "1.1.out"),
            (StdioMode::NoStdout, "1.1.err"),
        ] {
            let path = directory.path().join("a").join(name);
            let output = run(mode, &stem, &[]);
            let path = path.to_str().unwrap().to_owned();
            assert_eq!(output, Output::File { path: path.clone(), bytes: 0, error: None });
            assert_eq!(fs::read(path).unwrap(), b"");
        }
    }

    #[test]
    fn a_file_that_cannot_be_made_is_told_with_what_is_missing() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "not a directory").unwrap();
        let output = run(StdioMode::Separate, &directory.path().join("a/1.1"), &[b"abc"]);
        let Output::File { bytes: 0, error: Some(error), .. } = output else {
            panic!("{output:?}")
        };
        assert!(error.starts_with("cannot create it: ") && error.ends_with("3 bytes are missing"));
    }

    #[test]
    fn what_is_in_memory_survives_a_spill_that_fails() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a"), "not a directory").unwrap();
        let full = vec![b'x'; CAPTURE_LIMIT];
        let output = run(StdioMode::Capture, &directory.path().join("a/1.1"), &[&full, b"abc"]);
        let Output::Inline(bytes) = output else { panic!("{output:?}") };
        assert_eq!(bytes[..CAPTURE_LIMIT], full);
        let note = std::str::from_utf8(&bytes[CAPTURE_LIMIT..]).unwrap();
        assert!(
            note.contains("1.1.out: cannot create it: ")
                && note.ends_with("3 bytes are missing]\n")
        );
    }

    #[test]
    fn what_is_thrown_away_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let stem = FileStem(directory.path().join("1.1"));
        for (mode, bytes) in [(StdioMode::Separate, 3), (StdioMode::Capture, CAPTURE_LIMIT + 1)] {
            let tail = Tail::default();
            let [stdout, _] = open(mode, &stem, &tail);
            let mut sink = stdout.unwrap();
            sink.write(&vec![b'x'; bytes], &tail);
            assert!(directory.path().join("1.1.out").exists());
            sink.discard();
            assert!(!directory.path().join("1.1.out").exists());
        }
    }

    #[test]
    fn a_full_device_costs_bytes_but_no_error_of_the_job() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/full", directory.path().join("1.1.out")).unwrap();
        let output = run(StdioMode::Separate, &directory.path().join("1.1"), &[b"abc", b"de"]);
        let Output::File { bytes: 0, error: Some(error), .. } = output else {
            panic!("{output:?}")
        };
        assert!(error.ends_with("5 bytes are missing"), "{error}");
    }
}
