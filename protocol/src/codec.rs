//! Frames: a `u32` length, little endian, then one message in bincode.
//!
//! The only module that knows bincode. A length over [`MAX_FRAME`] is refused before anything is
//! allocated, and what the decoder allocates is in proportion to the bytes that are there, not to the
//! lengths that they claim: a frame full of the smallest jobs takes some twenty times its size.

use std::io;
use std::marker::PhantomData;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

/// The largest payload of a frame, in bytes.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MAX_FRAME>> =
    bincode::config::standard().with_limit::<MAX_FRAME>();

/// What can be wrong with a frame.
#[derive(Debug, Error)]
pub enum CodecError {
    /// The connection failed, or a frame announced more than [`MAX_FRAME`] bytes.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The payload is not a message of the expected type, or has bytes left over.
    #[error("a frame holds no valid message: {0}")]
    Malformed(String),
    /// A message of ours does not fit into a frame.
    #[error("a message does not fit into a frame of {MAX_FRAME} bytes: {0}")]
    TooLarge(String),
}

/// Returns the payload for `message`.
///
/// # Errors
///
/// [`CodecError::TooLarge`] when it does not fit into a frame.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, CodecError> {
    let payload = bincode::serde::encode_to_vec(message, CONFIG)
        .map_err(|error| CodecError::TooLarge(error.to_string()))?;
    if payload.len() > MAX_FRAME {
        return Err(CodecError::TooLarge(format!("{} bytes", payload.len())));
    }
    Ok(payload)
}

/// Returns the message in `payload`.
///
/// # Errors
///
/// [`CodecError::Malformed`] when there is none, or more than one.
pub fn decode<T: DeserializeOwned>(payload: &[u8]) -> Result<T, CodecError> {
    let (message, used) = bincode::serde::decode_from_slice(payload, CONFIG)
        .map_err(|error| CodecError::Malformed(error.to_string()))?;
    if used == payload.len() {
        Ok(message)
    } else {
        Err(CodecError::Malformed(format!("{} bytes left over", payload.len() - used)))
    }
}

/// Reads frames as `In` and writes `Out` as frames, for tokio's `Framed` or by hand.
#[derive(Debug)]
pub struct Codec<In, Out> {
    frames: LengthDelimitedCodec,
    /// A length has been read, and its payload has not.
    owed: bool,
    messages: PhantomData<fn(Out) -> In>,
}

impl<In, Out> Codec<In, Out> {
    /// Returns whether a frame has begun to arrive whose end has not, when what has arrived since
    /// the last message is in `buffer`.
    #[must_use]
    pub fn is_within_frame(&self, buffer: &[u8]) -> bool {
        self.owed || !buffer.is_empty()
    }
}

impl<In, Out> Default for Codec<In, Out> {
    fn default() -> Self {
        let frames =
            LengthDelimitedCodec::builder().little_endian().max_frame_length(MAX_FRAME).new_codec();
        Self { frames, owed: false, messages: PhantomData }
    }
}

impl<In: DeserializeOwned, Out> Decoder for Codec<In, Out> {
    type Item = In;
    type Error = CodecError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<In>, CodecError> {
        let before = source.len();
        match self.frames.decode(source)? {
            Some(payload) => {
                self.owed = false;
                decode(&payload).map(Some)
            }
            None => {
                self.owed |= source.len() < before;
                Ok(None)
            }
        }
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> Result<Option<In>, CodecError> {
        match self.decode(source)? {
            Some(message) => Ok(Some(message)),
            None if self.owed || !source.is_empty() => Err(CodecError::Io(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended within a frame",
            ))),
            None => Ok(None),
        }
    }
}

impl<In, Out: Serialize> Encoder<Out> for Codec<In, Out> {
    type Error = CodecError;

    fn encode(&mut self, message: Out, target: &mut BytesMut) -> Result<(), CodecError> {
        let start = target.len();
        target.put_u32_le(0);
        let written = bincode::serde::encode_into_std_write(&message, &mut target.writer(), CONFIG)
            .map_err(|error| CodecError::TooLarge(error.to_string()))?;
        if written > MAX_FRAME {
            target.truncate(start);
            return Err(CodecError::TooLarge(format!("{written} bytes")));
        }
        target[start..start + 4].copy_from_slice(&(written as u32).to_le_bytes());
        Ok(())
    }
}

/// Returns one whole frame, length included, for `message`.
///
/// # Errors
///
/// [`CodecError::TooLarge`] when it does not fit.
pub fn frame<T: Serialize>(message: T) -> Result<Bytes, CodecError> {
    let mut bytes = BytesMut::new();
    Codec::<(), T>::default().encode(message, &mut bytes)?;
    Ok(bytes.freeze())
}
