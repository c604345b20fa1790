//! With what options a torcd was started, read from its process: to start the next one alike.
//!
//! Only what is known to mean the same today is taken over. A path that is not absolute is one of the
//! directory in which that torcd was started, which nobody knows any more.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use thiserror::Error;

/// How the names of its program begin. An update may have replaced it, of which the system tells at
/// the end of the name.
const PROGRAM: &[u8] = b"torcd";
/// What was for that start only.
const ONCE: [&str; 4] = ["--daemonize", "--detached", "--fresh", "--steal"];
/// The name by which SQLite's own memory goes.
const OWN_MEMORY: &str = ":memory:";

/// Why a torcd cannot be started as another one was.
#[derive(Debug, Error, PartialEq, Eq)]
pub(super) enum CommandLineError {
    /// It is in another container, or gone.
    #[error("cannot see how process {0} was started")]
    Hidden(u32),
    /// It is another program.
    #[error("process {pid} is no torcd, but {program}")]
    NoTorcd {
        /// Its process.
        pid: u32,
        /// Its program.
        program: String,
    },
    /// It has an option that is not known here, or not for a torcd that is started again.
    #[error("it was started with '{0}'")]
    Option(String),
    /// A path in it has lost its meaning.
    #[error("it was started with '{option} {path}', and nobody knows in which directory")]
    Relative {
        /// Of which option.
        option: &'static str,
        /// The path.
        path: String,
    },
}

/// The options of a torcd of the user.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CommandLine {
    pub(super) in_memory: bool,
    pub(super) database: Option<PathBuf>,
    pub(super) snapshot: Option<PathBuf>,
    pub(super) snapshot_keep: Option<u32>,
    pub(super) snapshot_interval_seconds: Option<u64>,
    pub(super) snapshot_timeout: Option<u64>,
    pub(super) spill_dir: Option<PathBuf>,
    pub(super) log: Option<OsString>,
    pub(super) log_file: Option<PathBuf>,
}

impl CommandLine {
    /// Returns that of a process.
    ///
    /// # Errors
    ///
    /// When it is no torcd that can be seen, or was started otherwise than a torcd of the user is.
    pub(super) fn of(pid: u32) -> Result<Self, CommandLineError> {
        check_program(pid)?;
        let hidden = |_| CommandLineError::Hidden(pid);
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).map_err(hidden)?;
        let mut words: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
        // Each word ends with a zero.
        words.pop();
        let words = words.into_iter().skip(1).map(|word| OsString::from_vec(word.to_vec()));
        Self::parse(words)
    }

    fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Self, CommandLineError> {
        let mut options = Self::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let (name, value) = split(&word);
            if value.is_none() && options.take_flag(name) {
                continue;
            }
            let value = match value {
                Some(value) => Some(value.to_owned()),
                None => words.next(),
            };
            if !value.is_some_and(|value| options.take_value(name, value)) {
                return Err(CommandLineError::Option(word.to_string_lossy().into_owned()));
            }
        }
        Ok(options)
    }

    fn take_flag(&mut self, name: &OsStr) -> bool {
        if name == "--in-memory" {
            self.in_memory = true;
            return true;
        }
        ONCE.iter().any(|once| name == *once)
    }

    fn take_value(&mut self, name: &OsStr, value: OsString) -> bool {
        let number = || value.to_str().and_then(|value| value.parse::<u64>().ok());
        let Some(name) = name.to_str() else { return false };
        match name {
            // Where it listens is known, since we have found it there.
            "--socket" => {}
            "--database" if value == OWN_MEMORY => return false,
            "--database" => self.database = Some(value.into()),
            "--snapshot" => self.snapshot = Some(value.into()),
            "--spill-dir" => self.spill_dir = Some(value.into()),
            "--log-file" => self.log_file = Some(value.into()),
            "--log" => self.log = Some(value),
            "--snapshot-interval-seconds" => {
                self.snapshot_interval_seconds = number();
                return self.snapshot_interval_seconds.is_some();
            }
            "--snapshot-timeout" => {
                self.snapshot_timeout = number();
                return self.snapshot_timeout.is_some();
            }
            "--snapshot-keep" => {
                self.snapshot_keep = number().and_then(|number| u32::try_from(number).ok());
                return self.snapshot_keep.is_some();
            }
            _ => return false,
        }
        true
    }

    /// Returns these options if every path among them means something everywhere.
    ///
    /// # Errors
    ///
    /// The first path that does not.
    pub(super) fn absolute(self) -> Result<Self, CommandLineError> {
        let paths = [
            ("--database", &self.database),
            ("--snapshot", &self.snapshot),
            ("--spill-dir", &self.spill_dir),
            ("--log-file", &self.log_file),
        ];
        for (option, path) in paths {
            if let Some(path) = path.as_deref().filter(|path| !path.is_absolute()) {
                let path = path.display().to_string();
                return Err(CommandLineError::Relative { option, path });
            }
        }
        Ok(self)
    }
}

/// Checks that a process is a torcd, by the name of its program.
///
/// # Errors
///
/// When it is another, or cannot be seen.
pub(super) fn check_program(pid: u32) -> Result<(), CommandLineError> {
    let program = fs::read_link(format!("/proc/{pid}/exe"));
    let program = program.map_err(|_| CommandLineError::Hidden(pid))?;
    if program.file_name().is_some_and(|name| name.as_bytes().starts_with(PROGRAM)) {
        return Ok(());
    }
    Err(CommandLineError::NoTorcd { pid, program: program.display().to_string() })
}

/// Splits `--name=value`.
fn split(word: &OsStr) -> (&OsStr, Option<&OsStr>) {
    let bytes = word.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(at) if bytes.starts_with(b"--") => {
            (OsStr::from_bytes(&bytes[..at]), Some(OsStr::from_bytes(&bytes[at + 1..])))
        }
        _ => (word, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<CommandLine, CommandLineError> {
        CommandLine::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn the_options_of_a_torcd_of_the_user_are_known() {
        let line = "--detached --socket /run/torcd.sock --in-memory --snapshot /x.db \
            --snapshot-keep=3 --snapshot-interval-seconds 60 --snapshot-timeout 9 \
            --spill-dir /spill --log=debug --log-file /log --steal";
        let expected = CommandLine {
            in_memory: true,
            snapshot: Some("/x.db".into()),
            snapshot_keep: Some(3),
            snapshot_interval_seconds: Some(60),
            snapshot_timeout: Some(9),
            spill_dir: Some("/spill".into()),
            log: Some("debug".into()),
            log_file: Some("/log".into()),
            ..CommandLine::default()
        };
        assert_eq!(parse(line).unwrap().absolute(), Ok(expected));
        let database = Some("/a b".into());
        let words = ["--database=/a b"].map(OsString::from);
        let expected = CommandLine { database, ..CommandLine::default() };
        assert_eq!(CommandLine::parse(words), Ok(expected));
    }

    #[test]
    fn what_is_not_known_or_not_for_a_torcd_of_the_user_is_named() {
        let unknown = |line: &str| parse(line).unwrap_err();
        let lines = ["--lifeline", "--recover", "--replicate /x", "worker", "--read-only /x"];
        for line in lines {
            let first = line.split(' ').next().unwrap().to_owned();
            assert_eq!(unknown(line), CommandLineError::Option(first), "{line}");
        }
        for line in ["--snapshot-keep many", "--snapshot", "--database :memory:"] {
            assert!(matches!(unknown(line), CommandLineError::Option(_)), "{line}");
        }
    }

    #[test]
    fn a_relative_path_is_named_with_its_option() {
        let relative = parse("--snapshot x.db").unwrap().absolute();
        let path = "x.db".to_owned();
        assert_eq!(relative, Err(CommandLineError::Relative { option: "--snapshot", path }));
    }

    #[test]
    fn another_program_is_no_torcd() {
        let error = CommandLine::of(std::process::id()).unwrap_err();
        assert!(matches!(error, CommandLineError::NoTorcd { .. }), "{error}");
        assert_eq!(check_program(u32::MAX), Err(CommandLineError::Hidden(u32::MAX)));
    }
}
