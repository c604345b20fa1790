//! Whole lines out of pieces.

use bytes::Bytes;

/// A line longer than this, in bytes, is torn after all.
const LONGEST: usize = 64 * 1024;

/// Holds back the line that is not yet complete.
#[derive(Debug, Default)]
pub(super) struct LineBuffer {
    partial: Vec<u8>,
}

impl LineBuffer {
    /// Takes a piece and returns the lines that it completes.
    pub(super) fn take(&mut self, piece: &[u8]) -> Bytes {
        let end = match piece.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if self.partial.len() + piece.len() > LONGEST => piece.len(),
            None => 0,
        };
        let (complete, rest) = piece.split_at(end);
        if complete.is_empty() {
            self.partial.extend_from_slice(rest);
            return Bytes::new();
        }
        let mut lines = std::mem::take(&mut self.partial);
        lines.extend_from_slice(complete);
        self.partial.extend_from_slice(rest);
        lines.into()
    }

    /// Returns what is left when nothing more comes, made a line.
    pub(super) fn rest(&mut self) -> Bytes {
        if !self.partial.is_empty() {
            self.partial.push(b'\n');
        }
        std::mem::take(&mut self.partial).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole() {
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.take(b"on"), "");
        assert_eq!(buffer.take(b"e\ntwo\nthr"), "one\ntwo\n");
        assert_eq!(buffer.take(b"ee"), "");
        assert_eq!(buffer.rest(), "three\n");
        assert_eq!(buffer.rest(), "");
    }

    #[test]
    fn a_line_without_end_is_not_held_back_for_ever() {
        let mut buffer = LineBuffer::default();
        assert_eq!(buffer.take(&[b'x'; 10]), "");
        assert_eq!(buffer.take(&[b'x'; LONGEST]).len(), LONGEST + 10);
    }
}
