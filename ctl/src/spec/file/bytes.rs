//! Gets the text of a file, within limits.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use thiserror::Error;

use crate::spec::complaint::{Complaints, Position, Source};

/// A larger file is refused, and not read to its end.
pub const MAX_BYTES: u64 = 64 << 20;

/// Why there is no text.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The file cannot be opened or read.
    #[error("cannot read {name}: {source}")]
    Io {
        /// The file.
        name: String,
        /// The failure.
        source: io::Error,
    },
    /// It is too large.
    #[error("{0} is larger than 64 MiB, too large for a workflow file")]
    TooLarge(String),
    /// Nobody writes a workflow file at a terminal.
    #[error("`-` reads a workflow file from stdin, and stdin is a terminal")]
    Terminal,
    /// It is not UTF-8, or has a NUL.
    #[error("{0}")]
    NotText(Box<Complaints>),
}

/// Reads `path`, or stdin when it is `-`.
///
/// # Errors
///
/// When it cannot be read, is too large, or is no text.
pub fn read(path: &Path) -> Result<Source, ReadError> {
    if path == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            return Err(ReadError::Terminal);
        }
        return text_of("<stdin>", stdin.lock());
    }
    read_file(path)
}

/// Reads the file at `path`.
///
/// # Errors
///
/// As [`read`].
pub fn read_file(path: &Path) -> Result<Source, ReadError> {
    let name = path.display().to_string();
    let failed = |source| ReadError::Io { name: name.clone(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(failed(io::Error::from(io::ErrorKind::IsADirectory)));
    }
    if metadata.len() > MAX_BYTES {
        return Err(ReadError::TooLarge(name));
    }
    text_of(&name, file)
}

fn text_of(name: &str, reader: impl Read) -> Result<Source, ReadError> {
    let mut bytes = Vec::new();
    reader
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| ReadError::Io { name: name.to_owned(), source })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLarge(name.to_owned()));
    }
    decode(name, bytes)
}

/// Returns the text that `bytes` encode, without a byte order mark.
///
/// # Errors
///
/// [`ReadError::NotText`].
pub fn decode(name: &str, bytes: Vec<u8>) -> Result<Source, ReadError> {
    let not_text = |text: &str, message: String, hint: &str| {
        let mut complaints =
            Complaints::new(Source { name: name.into(), text: Source::whole_lines(text).into() });
        complaints.push_with_hint(end_of(text), message, hint);
        Err(ReadError::NotText(Box::new(complaints)))
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[valid];
            let lossy = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            let message = format!("not valid UTF-8: the byte 0x{byte:02x}");
            return not_text(&lossy, message, "save the file as UTF-8");
        }
    };
    if let Some(at) = text.find('\0') {
        let hint = "a workflow file is text; name one that is";
        return not_text(&text[..at], "a NUL character".to_owned(), hint);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    Ok(Source { name: name.into(), text: text.into() })
}

/// Returns the position after the last character.
fn end_of(text: &str) -> Position {
    let line = text.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position { line: line as u32, column: column as u32 }
}

impl Source {
    /// Returns `text` with the last line closed by a mark, so that a caret has something to stand
    /// below.
    fn whole_lines(text: &str) -> String {
        format!("{text}\u{fffd}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(bytes: &[u8]) -> String {
        decode("flow.yaml", bytes.to_vec()).unwrap_err().to_string()
    }

    #[test]
    fn bytes_that_are_no_text_are_found_where_they_are() {
        insta::assert_snapshot!(refusal(b"name: x\nabc: \xff\xfe\n"), @r"
        error: flow.yaml:2:6: not valid UTF-8: the byte 0xff
         2 | abc: �
           |      ^
        hint: save the file as UTF-8
        ");
        assert!(refusal(b"a\0b").starts_with("error: flow.yaml:1:2: a NUL character"));
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(&*decode("x", b"\xef\xbb\xbfname: x".to_vec()).unwrap().text, "name: x");
    }

    #[test]
    fn a_large_file_is_refused_unread() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large.yaml");
        File::create(&path).unwrap().set_len(200 << 20).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.ends_with("large.yaml is larger than 64 MiB, too large for a workflow file"));
        // A stream tells no length beforehand.
        let endless = text_of("<stdin>", io::repeat(b' ')).unwrap_err();
        assert!(matches!(endless, ReadError::TooLarge(_)));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = read(Path::new("/nonexistent/flow.yaml")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nonexistent/flow.yaml: No such file"));
        assert!(read(Path::new("/")).unwrap_err().to_string().starts_with("cannot read /: "));
    }
}
