//! Standard output and standard error, without ever waiting for them.
//!
//! Either may be a pipe that nobody reads, or a file on a file system that hangs. A thread of its
//! own writes; what it cannot keep up with is dropped.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// So many lines may wait.
const QUEUE: usize = 1_024;

/// A way to write lines.
#[derive(Clone, Debug)]
pub struct Lines(SyncSender<Message>);

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
}

impl Lines {
    /// Returns lines that go to `target`.
    ///
    /// # Errors
    ///
    /// When no thread can be made.
    pub fn to(target: impl Write + Send + 'static, name: &str) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || write(target, &receiver))?;
        Ok(Self(sender))
    }

    /// Writes a line, in time.
    pub fn say(&self, line: String) {
        let mut bytes = line.into_bytes();
        bytes.push(b'\n');
        self.push(bytes);
    }

    /// Waits until all is written, but not for longer than `limit`.
    pub fn flush(&self, limit: Duration) {
        let (done, wait) = sync_channel(1);
        if self.0.try_send(Message::Flush(done)).is_ok() {
            // After the limit the rest is given up.
            let _ = wait.recv_timeout(limit);
        }
    }

    fn push(&self, bytes: Vec<u8>) {
        match self.0.try_send(Message::Line(bytes)) {
            // Full: nobody reads. Disconnected: the thread has ended. Either way it is dropped.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

fn write(mut target: impl Write, messages: &Receiver<Message>) {
    for message in messages {
        match message {
            // A closed pipe is no reason to end: the daemon is not there for its messages.
            Message::Line(line) => {
                let _ = target.write_all(&line).and_then(|()| target.flush());
            }
            Message::Flush(done) => {
                let _ = done.try_send(());
            }
        }
    }
}

/// One message of the log.
#[derive(Debug)]
pub struct LogLine {
    lines: Lines,
    bytes: Vec<u8>,
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        self.lines.push(std::mem::take(&mut self.bytes));
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { lines: self.clone(), bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn lines_arrive_whole_and_in_order() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let lines = Lines::to(ours, "lines").unwrap();
        lines.say("one".to_owned());
        lines.say("two".to_owned());
        drop(lines);
        let mut text = String::new();
        theirs.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let lines = Lines::to(ours, "lines").unwrap();
        for _ in 0..10 * QUEUE {
            lines.say("x".repeat(1_000));
        }
        lines.flush(Duration::from_millis(1));
    }
}
