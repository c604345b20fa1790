//! The last lines that a failed job wrote to stderr.

use std::fs::File;
use std::os::unix::fs::FileExt;

use torc_protocol::request::{JobSelector, Logs};
use torc_protocol::result::LogPart;
use torc_protocol::view::ResultView;

use crate::client::Client;
use crate::error::CliError;
use crate::style;

/// How many lines are shown.
const LINES: usize = 5;
/// How far from the end they are looked for, in bytes.
const TAIL: u64 = 4096;

/// Returns the last lines of stderr of an attempt; of stdout, if both went there.
pub(crate) async fn of(client: &mut Client, result: &ResultView) -> Result<Vec<String>, CliError> {
    let from = |bytes: u64| bytes.saturating_sub(TAIL);
    let chunk = client
        .call(Logs {
            job: JobSelector::Id(result.job_id),
            attempt: Some(result.attempt),
            stdout_offset: from(result.stdout_bytes),
            stderr_offset: from(result.stderr_bytes),
            limit: TAIL as u32,
            wait: false,
        })
        .await?;
    let both_in_stdout = result.stderr_bytes == 0 && result.stdout_path.is_some();
    let (part, bytes) = if both_in_stdout {
        (chunk.stdout, result.stdout_bytes)
    } else {
        (chunk.stderr, result.stderr_bytes)
    };
    Ok(last_lines(&tail(part, from(bytes)), from(bytes) > 0))
}

/// A file that cannot be read has no last lines: they are a courtesy, not the record.
fn tail(part: LogPart, from: u64) -> Vec<u8> {
    match part {
        LogPart::Bytes(bytes) => bytes.to_vec(),
        LogPart::File { path, .. } => {
            let mut tail = vec![0; TAIL as usize];
            let read = File::open(path).and_then(|file| file.read_at(&mut tail, from));
            tail.truncate(read.unwrap_or(0));
            tail
        }
    }
}

fn last_lines(tail: &[u8], cut: bool) -> Vec<String> {
    let text = String::from_utf8_lossy(tail);
    let mut lines: Vec<&str> = text.lines().collect();
    if cut && lines.len() > 1 {
        lines.remove(0);
    }
    let written = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |last| last + 1);
    lines[..written]
        .iter()
        .skip(written.saturating_sub(LINES))
        .map(|line| style::one_line(line))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_shown() {
        assert_eq!(last_lines(b"1\n2\n3\n4\n5\n6\n\n \n", false), ["2", "3", "4", "5", "6"]);
        assert_eq!(last_lines(b"a\r\nb\x1b[31m", false), ["a", "b\\u{1b}[31m"]);
        assert_eq!(last_lines(b"", false), [""; 0]);
        assert_eq!(last_lines(b"\xff\n", false), ["\u{fffd}"]);
    }

    #[test]
    fn a_line_whose_beginning_was_cut_off_is_left_out() {
        assert_eq!(last_lines(b"rt of it\nwhole\n", true), ["whole"]);
        assert_eq!(last_lines(b"one long line", true), ["one long line"]);
    }
}
