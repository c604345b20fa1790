//! Frames that torcd can read, however much an attempt gave.
//!
//! What does not fit is left out, the least important first. Only as much as is needed: torcd hears
//! of every end, and the worker goes on.

use bytes::Bytes;
use torc_protocol::codec::{self, CodecError, MAX_FRAME};
use torc_protocol::result::{AttemptResult, Ending, Output};
use torc_protocol::worker::WorkerEvent;

/// How many times as much as in a frame a number may count to one who decodes it: that has a limit
/// of what it takes in memory, where a length is eight bytes, however short it was written.
const EXPANSION: usize = 8;

/// How much of a text is kept of what must be shortened, in bytes: what a path can have.
const SHORTENED: usize = 4096;

/// What is done to a result that does not fit, one after the other until it does. After the last
/// one, it always does.
const REDUCTIONS: [fn(&mut AttemptResult); 3] = [shorten_texts, drop_files, drop_output];

/// Returns the frame for `event`, or for what of it fits into one.
///
/// # Errors
///
/// It does not fit and is neither a result nor an answer; what is in others is bounded.
pub(super) fn frame(mut event: WorkerEvent) -> Result<Bytes, CodecError> {
    let mut frame = readable(&event);
    for reduce in REDUCTIONS {
        if frame.is_ok() {
            break;
        }
        match &mut event {
            WorkerEvent::Finished { result, .. } => reduce(result),
            // The name of a file that is longer than any can be.
            WorkerEvent::Tailed { parts, .. } => *parts = None,
            WorkerEvent::Ready { .. } | WorkerEvent::Started { .. } | WorkerEvent::Drained => {}
        }
        frame = readable(&event);
    }
    frame
}

/// Returns the frame for `event`, if that can be decoded too.
fn readable(event: &WorkerEvent) -> Result<Bytes, CodecError> {
    let frame = codec::frame(event)?;
    if frame.len() > MAX_FRAME / EXPANSION {
        codec::decode::<WorkerEvent>(&frame[size_of::<u32>()..])?;
    }
    Ok(frame)
}

/// Shortens what is for people to read; there are few, because `files` tells the first of many missing ones only.
fn shorten_texts(result: &mut AttemptResult) {
    result.lost_output.iter_mut().for_each(shorten);
    match &mut result.ending {
        Ending::NotStarted(_, text) | Ending::Lost(text) => shorten(text),
        Ending::Incomplete(paths) => paths.iter_mut().for_each(shorten),
        Ending::Exited(_) | Ending::Signaled(_) | Ending::Withdrawn | Ending::NotRecovered(_) => {}
    }
}

fn drop_files(result: &mut AttemptResult) {
    result.files = None;
}

fn drop_output(result: &mut AttemptResult) {
    for output in [&mut result.stdout, &mut result.stderr] {
        match output {
            Output::None => {}
            Output::Inline(bytes) => {
                let count = bytes.len();
                *bytes = format!("[torc: {count} bytes are too many to be sent]\n").into();
                result.lost_output.get_or_insert_with(|| "it is too much to be sent".to_owned());
            }
            Output::File { path, error, .. } => {
                shorten(path);
                error.iter_mut().for_each(shorten);
            }
        }
    }
}

fn shorten(text: &mut String) {
    if text.len() > SHORTENED {
        text.truncate(text.floor_char_boundary(SHORTENED));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use torc_protocol::codec::{self, MAX_FRAME};
    use torc_protocol::id::{AttemptId, AttemptNumber, JobId};
    use torc_protocol::result::{
        AttemptResult, Ending, FileStamp, FileStamps, LogPart, Output, StopCause,
    };
    use torc_protocol::time::Timestamp;
    use torc_protocol::worker::WorkerEvent;

    use super::frame;

    fn received(event: WorkerEvent) -> WorkerEvent {
        codec::decode(&frame(event).unwrap()[4..]).unwrap()
    }

    fn received_result(result: &AttemptResult) -> AttemptResult {
        let attempt = AttemptId { job: JobId(1), number: AttemptNumber(1) };
        match received(WorkerEvent::Finished { attempt, result: result.clone() }) {
            WorkerEvent::Finished { attempt: of, result } if of == attempt => result,
            other => panic!("{other:?}"),
        }
    }

    fn stamps(count: usize) -> Option<Box<FileStamps>> {
        let stamp = Some(FileStamp { modified: 1, bytes: 1 });
        Some(Box::new(FileStamps { inputs: vec![stamp; count], outputs: Vec::new() }))
    }

    fn result(ending: Ending) -> AttemptResult {
        AttemptResult::bare(ending, Timestamp(5))
    }

    #[test]
    fn what_fits_is_sent_as_it_is() {
        let full = Output::Inline(vec![b'x'; MAX_FRAME / 8].into());
        let fits = AttemptResult {
            stdout: full.clone(),
            stderr: full,
            files: stamps(100_000),
            stopped: Some(StopCause::Canceled),
            ..result(Ending::Incomplete(vec!["a".repeat(100_000)]))
        };
        assert_eq!(received_result(&fits), fits);
    }

    #[test]
    fn files_that_are_too_many_to_be_decoded_are_left_out_and_nothing_else() {
        let said = Output::Inline("said".into());
        let without = AttemptResult { stdout: said, ..result(Ending::Exited(3)) };
        let with = AttemptResult { files: stamps(1_000_000), ..without.clone() };
        // It would fit, but not be decoded.
        let attempt = AttemptId { job: JobId(1), number: AttemptNumber(1) };
        let event = WorkerEvent::Finished { attempt, result: with.clone() };
        let short = codec::frame(&event).unwrap();
        assert!(codec::decode::<WorkerEvent>(&short[4..]).is_err());
        assert_eq!(received_result(&with), without);
    }

    #[test]
    fn texts_are_shortened_before_anything_is_left_out() {
        for ending in [
            Ending::Lost("ü".repeat(MAX_FRAME)),
            Ending::NotStarted(125, "ü".repeat(MAX_FRAME)),
            Ending::Incomplete(vec!["ü".repeat(MAX_FRAME), "b".to_owned()]),
        ] {
            let long = AttemptResult { files: stamps(3), ..result(ending) };
            let sent = received_result(&long);
            let (text, wanted) = (sent.reason(), long.reason());
            assert!(wanted.starts_with(&text[..4000]) && text.len() < 5000);
            assert_eq!((sent.return_code(), sent.files), (long.return_code(), long.files));
        }
    }

    #[test]
    fn output_is_left_out_last_and_with_a_note() {
        let path = "p".repeat(MAX_FRAME);
        let error = Some("e".repeat(MAX_FRAME));
        let huge = AttemptResult {
            stdout: Output::Inline(vec![0; MAX_FRAME].into()),
            stderr: Output::File { path, bytes: 7, error },
            lost_output: Some("l".repeat(MAX_FRAME)),
            files: stamps(2_000_000),
            ..result(Ending::Incomplete(vec!["x".repeat(MAX_FRAME); 3]))
        };
        let sent = received_result(&huge);
        let note = Bytes::from("[torc: 16777216 bytes are too many to be sent]\n");
        assert_eq!(sent.stdout, Output::Inline(note));
        assert!(matches!(sent.stderr, Output::File { bytes: 7, error: Some(_), .. }));
        assert!(sent.lost_output.is_some_and(|lost| lost.starts_with("lll")));
        let whole = AttemptResult { lost_output: None, ..huge };
        assert!(received_result(&whole).lost_output.is_some());
    }

    #[test]
    fn an_answer_that_does_not_fit_is_none() {
        let part = LogPart::File { path: "p".repeat(MAX_FRAME), bytes: 1 };
        let answer = WorkerEvent::Tailed { id: 4, parts: Some((part.clone(), part)) };
        assert_eq!(received(answer), WorkerEvent::Tailed { id: 4, parts: None });
    }
}
