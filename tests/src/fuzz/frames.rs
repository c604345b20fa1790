//! What comes over a socket or a pipe: the greeting, and frames.

use std::fmt::Debug;
use std::io::Write;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::codec::Decoder;
use torc_protocol::codec::{self, Codec};
use torc_protocol::hello::Hello;
use torc_protocol::request::Request;
use torc_protocol::response::Response;
use torc_protocol::worker::{WorkerEvent, WorkerRequest};
use torcd::snapshot_writer::event::WriterEvent;

/// The longest hello: its head, and the text.
const LONGEST_HELLO: usize = 16 + 64;

/// The greeting of a stranger.
pub fn hello(bytes: &[u8]) {
    let mut rest = bytes;
    let outcome = {
        let mut reading = pin!(Hello::read(&mut rest));
        match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => panic!("a slice is always ready"),
        }
    };
    assert!(bytes.len() - rest.len() <= LONGEST_HELLO, "a stranger was listened to for too long");
    match outcome {
        Ok(hello) => assert_eq!(hello.encode(), bytes[..bytes.len() - rest.len()]),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// What a client sends to torcd.
pub fn request(bytes: &[u8]) {
    frames::<Request>(bytes);
}

/// What torcd sends to a client.
pub fn response(bytes: &[u8]) {
    frames::<Response>(bytes);
}

/// What torcd sends to a worker.
pub fn worker_request(bytes: &[u8]) {
    frames::<WorkerRequest>(bytes);
}

/// What a worker sends to torcd.
pub fn worker_event(bytes: &[u8]) {
    frames::<WorkerEvent>(bytes);
}

/// What a snapshot writer sends to torcd.
pub fn writer_event(bytes: &[u8]) {
    frames::<WriterEvent>(bytes);
}

/// Takes the bytes for a stream of frames, whole and in pieces, and for the payload of one.
fn frames<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8]) {
    if let Ok(message) = codec::decode::<T>(bytes) {
        survives(&message);
    }
    let whole = stream::<T>(bytes, bytes.len());
    let pieces = stream::<T>(bytes, 1 + bytes.first().map_or(0, |byte| usize::from(byte % 7)));
    assert_eq!(whole, pieces, "how the bytes arrive makes a difference");
}

/// Returns how many messages a stream gives that arrives in pieces, and whether it ends well.
fn stream<T: Serialize + DeserializeOwned + Debug>(bytes: &[u8], piece: usize) -> (usize, bool) {
    let mut codec = Codec::<T, T>::default();
    let mut buffer = BytesMut::new();
    let mut messages = 0;
    for piece in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(message)) => {
                    survives(&message);
                    messages += 1;
                }
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    return (messages, false);
                }
            }
        }
        assert!(buffer.capacity() <= bytes.len() + codec::MAX_FRAME + 4, "room for too much");
    }
    match codec.decode_eof(&mut buffer) {
        Ok(message) => (messages, message.is_none()),
        Err(_) => (messages, false),
    }
}

/// What was understood can be shown and sent on, and is then understood in the same way.
fn survives<T: Serialize + DeserializeOwned + Debug>(message: &T) {
    write!(std::io::sink(), "{message:?}").expect("a sink takes all");
    // Not `==`: what is not a number is not equal to itself.
    let sent = codec::encode(message).expect("what came in a frame goes into one");
    let again: T = codec::decode(&sent).expect("what we send is understood");
    assert_eq!(codec::encode(&again).expect("it did once"), sent);
}
