//! Files with a command a line.
//!
//! Blank lines and lines that begin with `#` are skipped. A file is read as one piece and its lines
//! are cut out as they are needed: a million of them cost no more than the file.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why a file cannot be used.
#[derive(Debug, Error)]
pub enum CommandsFileError {
    /// It cannot be read.
    #[error("cannot read the commands file {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// It is a directory.
    #[error("{} is a directory, not a commands file", .0.display())]
    Directory(PathBuf),
    /// It is stdin, where somebody would have to type.
    #[error("stdin is a terminal, not a commands file")]
    Terminal,
    /// A line is not UTF-8.
    #[error("{path}, line {line}: not valid UTF-8", path = path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A line has a NUL, which no command can have.
    #[error("{path}, line {line}: a NUL character", path = path.display())]
    Nul {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// It has no commands.
    #[error("no commands in {}", .0.display())]
    Empty(PathBuf),
}

/// The text of a file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandsFile {
    text: String,
}

impl CommandsFile {
    /// Reads the file at `path`, or stdin when that is `-`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or a line cannot be a command.
    pub fn read(path: &Path) -> Result<Self, CommandsFileError> {
        if path.as_os_str() == "-" {
            return Self::read_stdin();
        }
        let unreadable = |source| CommandsFileError::Unreadable { path: path.to_owned(), source };
        match fs::read(path) {
            Ok(bytes) => Self::parse(path, bytes),
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(CommandsFileError::Directory(path.to_owned()))
            }
            Err(error) => Err(unreadable(error)),
        }
    }

    fn read_stdin() -> Result<Self, CommandsFileError> {
        let mut stdin = io::stdin().lock();
        if stdin.is_terminal() {
            return Err(CommandsFileError::Terminal);
        }
        let path = PathBuf::from("stdin");
        let mut bytes = Vec::new();
        match stdin.read_to_end(&mut bytes) {
            Ok(_) => Self::parse(&path, bytes),
            Err(source) => Err(CommandsFileError::Unreadable { path, source }),
        }
    }

    /// Returns the text in `bytes`, which are all of the file at `path`.
    ///
    /// # Errors
    ///
    /// When a line cannot be a command, or there is none.
    pub fn parse(path: &Path, bytes: Vec<u8>) -> Result<Self, CommandsFileError> {
        let line_at = |bytes: &[u8], offset: usize| {
            1 + bytes[..offset].iter().filter(|byte| **byte == b'\n').count()
        };
        if let Some(offset) = bytes.iter().position(|byte| *byte == 0) {
            let line = line_at(&bytes, offset);
            return Err(CommandsFileError::Nul { path: path.to_owned(), line });
        }
        let text = String::from_utf8(bytes).map_err(|error| CommandsFileError::NotUtf8 {
            path: path.to_owned(),
            line: line_at(error.as_bytes(), error.utf8_error().valid_up_to()),
        })?;
        let file = Self { text };
        if file.commands().next().is_none() {
            return Err(CommandsFileError::Empty(path.to_owned()));
        }
        Ok(file)
    }

    /// Returns the commands in order.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(&self.text);
        text.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with('#'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Vec<String>, String> {
        CommandsFile::parse(Path::new("cmds"), bytes.to_vec())
            .map(|file| file.commands().map(str::to_owned).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn blank_lines_and_comments_are_skipped() {
        let text = "\u{feff}echo a\r\n\n  # no\n#no\n   \n  echo 'b # c'\n\techo d";
        assert_eq!(parse(text.as_bytes()).unwrap(), ["echo a", "echo 'b # c'", "echo d"]);
    }

    #[test]
    fn a_line_that_cannot_be_a_command_is_named() {
        assert_eq!(parse(b"a\nb\n\xff\n"), Err("cmds, line 3: not valid UTF-8".to_owned()));
        assert_eq!(parse(b"a\nb\0c\n"), Err("cmds, line 2: a NUL character".to_owned()));
    }

    #[test]
    fn a_file_without_commands_is_refused() {
        assert_eq!(parse(b"# only this\n\n"), Err("no commands in cmds".to_owned()));
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let error = CommandsFile::read(dir.path()).unwrap_err();
        assert!(matches!(error, CommandsFileError::Directory(_)), "{error}");
        let error = CommandsFile::read(&dir.path().join("none")).unwrap_err();
        assert!(error.to_string().ends_with("none: No such file or directory (os error 2)"));
    }
}
