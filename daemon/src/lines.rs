//! Standard output, standard error and the log, without ever waiting for them.
//!
//! Each may be a pipe that nobody reads, or a file on a file system that hangs. A thread of its own
//! writes; what it cannot keep up with is dropped.
//!
//! - `rotating`: a file that does not grow without an end.

pub mod rotating;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// So many lines may wait.
const QUEUE: usize = 1_024;

/// Where lines go.
pub trait Target: Write + Send + 'static {
    /// Begins anew with what has the name of this target now; only a file has one.
    fn reopen(&mut self) {}
}

/// A target that has no name.
struct Nameless<W>(W);

impl<W: Write> Write for Nameless<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write + Send + 'static> Target for Nameless<W> {}

/// A way to write lines.
#[derive(Clone, Debug)]
pub struct Lines {
    messages: SyncSender<Message>,
    /// The target is to be opened anew. Beside the messages, for those may be more than there is room for.
    reopen: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Message {
    Line(Vec<u8>),
    Flush(SyncSender<()>),
    /// Says nothing, and lets it look whether there is something to do.
    Wake,
}

impl Lines {
    /// Returns lines that go to `target`.
    ///
    /// # Errors
    ///
    /// When no thread can be made.
    pub fn to(target: impl Write + Send + 'static, name: &str) -> io::Result<Self> {
        Self::to_target(Nameless(target), name)
    }

    /// As [`Lines::to`], for a target that can be opened anew.
    ///
    /// # Errors
    ///
    /// When no thread can be made.
    pub fn to_target(target: impl Target, name: &str) -> io::Result<Self> {
        let (messages, receiver) = sync_channel(QUEUE);
        let reopen = Arc::new(AtomicBool::new(false));
        let wish = reopen.clone();
        std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || write(target, &receiver, &wish))?;
        Ok(Self { messages, reopen })
    }

    /// Returns lines that nobody reads.
    #[must_use]
    pub fn nowhere() -> Self {
        Self { messages: sync_channel(1).0, reopen: Arc::default() }
    }

    /// Writes a line, in time.
    pub fn say(&self, line: String) {
        let mut bytes = line.into_bytes();
        bytes.push(b'\n');
        self.push(bytes);
    }

    /// Writes what ends with a newline, in time.
    pub fn push(&self, bytes: Vec<u8>) {
        match self.messages.try_send(Message::Line(bytes)) {
            // Full: nobody reads. Disconnected: the thread has ended. Either way it is dropped.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Has the target opened anew, before the next line.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Release);
        // Full: there are lines enough to wake it.
        let _ = self.messages.try_send(Message::Wake);
    }

    /// Waits until all is written, but not for longer than `limit`.
    pub fn flush(&self, limit: Duration) {
        let (done, wait) = sync_channel(1);
        if self.messages.try_send(Message::Flush(done)).is_ok() {
            // After the limit the rest is given up.
            let _ = wait.recv_timeout(limit);
        }
    }
}

fn write(mut target: impl Target, messages: &Receiver<Message>, reopen: &AtomicBool) {
    for message in messages {
        if reopen.swap(false, Ordering::Acquire) {
            target.reopen();
        }
        match message {
            // A closed pipe is no reason to end: the daemon is not there for its messages.
            Message::Line(line) => {
                let _ = target.write_all(&line).and_then(|()| target.flush());
            }
            Message::Flush(done) => {
                let _ = done.try_send(());
            }
            Message::Wake => {}
        }
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

    /// Waits for its turn before each line, and counts how often it was opened anew.
    struct Slow(Receiver<()>, std::sync::mpsc::Sender<&'static str>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.1.send("a line");
            let _ = self.0.recv();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for Slow {
        fn reopen(&mut self) {
            let _ = self.1.send("opened anew");
        }
    }

    #[test]
    fn a_target_is_opened_anew_also_when_there_is_no_room_for_more() {
        let ((turn, turns), (told, seen)) =
            (std::sync::mpsc::channel(), std::sync::mpsc::channel());
        let lines = Lines::to_target(Slow(turns, told), "slow").unwrap();
        lines.say("x".to_owned());
        assert_eq!(seen.recv(), Ok("a line"), "it hangs from now on");
        for _ in 0..2 * QUEUE {
            lines.say("x".to_owned());
        }
        lines.reopen();
        turn.send(()).unwrap();
        assert_eq!(seen.recv(), Ok("opened anew"));
        drop(turn);
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
    #[test]
    fn nobody_waits_for_lines_that_go_nowhere() {
        let lines = Lines::nowhere();
        lines.say("one".to_owned());
        lines.reopen();
        lines.flush(Duration::from_secs(3_600));
    }
}
