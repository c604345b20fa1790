//! The lines of the input, bounded: whoever writes to us does not decide how much memory we take.

use std::io::{self, BufRead};
use std::thread;

use tokio::sync::mpsc;

/// The longest line, in bytes. More would not fit into a frame.
pub(super) const LONGEST: usize = torc_protocol::codec::MAX_FRAME;

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Which, from 1.
    pub(super) number: u64,
    /// What it is, without its end; none when it is longer than [`LONGEST`].
    pub(super) text: Option<Vec<u8>>,
}

/// Reads the lines of stdin on a thread of its own, one ahead of what is taken: a read of stdin cannot
/// be interrupted.
pub(super) fn of_stdin() -> mpsc::Receiver<io::Result<Line>> {
    let (sender, receiver) = mpsc::channel(1);
    thread::spawn(move || {
        let mut lines = Lines { input: io::stdin().lock(), number: 0 };
        while let Some(line) = lines.next().transpose() {
            let is_last = line.is_err();
            if sender.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    });
    receiver
}

#[derive(Debug)]
struct Lines<R> {
    input: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Returns the next line; none at the end. The last one need not have an end.
    fn next(&mut self) -> io::Result<Option<Line>> {
        let mut text = Some(Vec::new());
        let mut has_begun = false;
        loop {
            let read = self.input.fill_buf()?;
            if read.is_empty() && !has_begun {
                return Ok(None);
            }
            has_begun = true;
            let end = read.iter().position(|byte| *byte == b'\n');
            let part = &read[..end.unwrap_or(read.len())];
            if let Some(line) = &mut text {
                line.extend_from_slice(part);
            }
            text = text.filter(|line| line.len() <= LONGEST);
            let is_last = end.is_some() || read.is_empty();
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if is_last {
                self.number += 1;
                return Ok(Some(Line { number: self.number, text }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<Option<usize>> {
        let mut lines = Lines { input, number: 0 };
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            assert_eq!(line.number, found.len() as u64 + 1);
            found.push(line.text.map(|text| text.len()));
        }
        found
    }

    #[test]
    fn the_last_line_need_not_have_an_end() {
        assert_eq!(read(b""), []);
        assert_eq!(read(b"ab"), [Some(2)]);
        assert_eq!(read(b"ab\n"), [Some(2)]);
        assert_eq!(read(b"\nab\n\nc"), [Some(0), Some(2), Some(0), Some(1)]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_the_next_is_read() {
        let mut input = vec![b'x'; LONGEST];
        input.extend(b"\n");
        input.extend(vec![b'y'; LONGEST + 1]);
        input.extend(b"\nz\n");
        assert_eq!(read(&input), [Some(LONGEST), None, Some(1)]);
    }
}
