//! What others may see of the output of an attempt while it runs.
//!
//! The slot thread adds to it, the main thread answers `Tail` requests from it. Nobody touches a
//! file while holding its lock, so a frozen file system never stops the main thread.

use std::sync::Mutex;

use bytes::Bytes;
use torc_protocol::result::{LogPart, StreamKind};
use torc_protocol::spec::CAPTURE_LIMIT;
use torc_protocol::worker::WorkerEvent;

use super::lock::lock;

/// What is there of a stream so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Kept {
    /// The stream is not kept.
    #[default]
    Nothing,
    /// All of it, in memory.
    Memory(Vec<u8>),
    /// So many bytes, in a file.
    File { path: String, bytes: u64 },
}

/// A `Tail` request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) id: u64,
    /// From which byte on, of stdout and of stderr.
    pub(super) offsets: [u64; 2],
    pub(super) limit: u32,
    /// Answered only when there is something new.
    pub(super) wait: bool,
}

/// The output of one attempt, as others see it.
#[derive(Default)]
pub(super) struct Tail {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    streams: [Kept; 2],
    waiting: Vec<Question>,
    stage: Stage,
}

#[derive(Default, PartialEq, Eq)]
enum Stage {
    /// More may come.
    #[default]
    Open,
    /// The result is being sent; questions wait for that.
    Closing,
    /// The result was sent.
    Ended,
}

impl Tail {
    /// Returns the answer, or keeps the question until there is one.
    pub(super) fn ask(&self, question: Question) -> Option<WorkerEvent> {
        let mut inner = lock(&self.inner);
        let answer = match inner.stage {
            Stage::Open => inner.answer(&question),
            Stage::Closing => None,
            Stage::Ended => Some(no_answer(question.id)),
        };
        if answer.is_none() {
            inner.waiting.push(question);
        }
        answer
    }

    /// Changes what is there of a stream, and returns the answers that this gives.
    pub(super) fn update<T>(
        &self,
        kind: StreamKind,
        change: impl FnOnce(&mut Kept) -> T,
    ) -> (T, Vec<WorkerEvent>) {
        let mut inner = lock(&self.inner);
        let result = change(&mut inner.streams[kind as usize]);
        let mut answers = Vec::new();
        if !inner.waiting.is_empty() {
            let waiting = std::mem::take(&mut inner.waiting);
            for question in waiting {
                match inner.answer(&question) {
                    Some(answer) => answers.push(answer),
                    None => inner.waiting.push(question),
                }
            }
        }
        (result, answers)
    }

    /// Takes what was kept, because the result is about to be sent.
    pub(super) fn close(&self) -> [Kept; 2] {
        let mut inner = lock(&self.inner);
        inner.stage = Stage::Closing;
        std::mem::take(&mut inner.streams)
    }

    /// Notes that the result was sent, and returns the answers to all that still wait.
    pub(super) fn end(&self) -> Vec<WorkerEvent> {
        let mut inner = lock(&self.inner);
        inner.stage = Stage::Ended;
        std::mem::take(&mut inner.waiting).iter().map(|question| no_answer(question.id)).collect()
    }
}

/// Returns the answer for an attempt that does not run here.
pub(super) fn no_answer(id: u64) -> WorkerEvent {
    WorkerEvent::Tailed { id, parts: None }
}

impl Inner {
    /// Returns the answer, unless the question waits for more than there is.
    fn answer(&self, question: &Question) -> Option<WorkerEvent> {
        let [stdout, stderr] = &self.streams;
        let [from_stdout, from_stderr] = question.offsets;
        let news = stdout.length() > from_stdout || stderr.length() > from_stderr;
        if question.wait && !news {
            return None;
        }
        let limit = question.limit as usize;
        let parts = (stdout.part(from_stdout, limit), stderr.part(from_stderr, limit));
        Some(WorkerEvent::Tailed { id: question.id, parts: Some(parts) })
    }
}

impl Kept {
    fn length(&self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File { bytes, .. } => *bytes,
        }
    }

    fn part(&self, from: u64, limit: usize) -> LogPart {
        match self {
            Self::Nothing => LogPart::Bytes(Bytes::new()),
            Self::Memory(bytes) => {
                let from = usize::try_from(from).map_or(bytes.len(), |from| from.min(bytes.len()));
                let length = (bytes.len() - from).min(limit).min(CAPTURE_LIMIT);
                LogPart::Bytes(Bytes::copy_from_slice(&bytes[from..from + length]))
            }
            Self::File { path, bytes } => LogPart::File { path: path.clone(), bytes: *bytes },
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use torc_protocol::result::{LogPart, StreamKind};
    use torc_protocol::worker::WorkerEvent;

    use super::{Kept, Question, Tail, no_answer};

    fn question(id: u64, offsets: [u64; 2], wait: bool) -> Question {
        Question { id, offsets, limit: 4, wait }
    }

    fn bytes(id: u64, stdout: &'static str, stderr: &'static str) -> WorkerEvent {
        let part = |text: &'static str| LogPart::Bytes(Bytes::from_static(text.as_bytes()));
        WorkerEvent::Tailed { id, parts: Some((part(stdout), part(stderr))) }
    }

    fn with_stdout(text: &str) -> Tail {
        let tail = Tail::default();
        let (_, answers) =
            tail.update(StreamKind::Stdout, |kept| *kept = Kept::Memory(text.as_bytes().to_vec()));
        assert!(answers.is_empty());
        tail
    }

    #[test]
    fn what_is_beyond_the_offset_is_returned_up_to_the_limit() {
        let tail = with_stdout("0123456789");
        assert_eq!(tail.ask(question(1, [3, 0], false)), Some(bytes(1, "3456", "")));
        assert_eq!(tail.ask(question(2, [8, 0], true)), Some(bytes(2, "89", "")));
        assert_eq!(tail.ask(question(3, [99, 9], false)), Some(bytes(3, "", "")));
    }

    #[test]
    fn a_question_that_waits_is_answered_by_news_of_either_stream() {
        let tail = with_stdout("ab");
        assert_eq!(tail.ask(question(1, [2, 0], true)), None);
        let (_, answers) =
            tail.update(StreamKind::Stderr, |kept| *kept = Kept::Memory(b"e".to_vec()));
        assert_eq!(answers, [bytes(1, "", "e")]);
    }

    #[test]
    fn files_are_named() {
        let tail = Tail::default();
        let file = || Kept::File { path: "/f".to_owned(), bytes: 7 };
        tail.update(StreamKind::Stdout, |kept| *kept = file());
        let part = LogPart::File { path: "/f".to_owned(), bytes: 7 };
        let parts = Some((part, LogPart::Bytes(Bytes::new())));
        let answer = tail.ask(question(1, [0, 0], true));
        assert_eq!(answer, Some(WorkerEvent::Tailed { id: 1, parts }));
    }

    #[test]
    fn questions_during_the_end_are_answered_after_it() {
        let tail = with_stdout("ab");
        assert_eq!(tail.ask(question(1, [2, 0], true)), None);
        assert_eq!(tail.close(), [Kept::Memory(b"ab".to_vec()), Kept::Nothing]);
        assert_eq!(tail.ask(question(2, [0, 0], false)), None);
        assert_eq!(tail.end(), [no_answer(1), no_answer(2)]);
        assert_eq!(tail.ask(question(3, [0, 0], true)), Some(no_answer(3)));
    }
}
