//! The first bytes on every connection. Their layout never changes.
//!
//! ```text
//! offset  size  what
//!      0     8  magic, `TORCwire`
//!      8     4  protocol number, little endian
//!     12     4  length N of the version text, little endian, at most 64
//!     16     N  package version, UTF-8, for messages only
//! ```
//!
//! Each side sends its own hello at once and then reads the other's, so neither waits for the other
//! to be the first. Everything after it is frames (see [`crate::codec`]).

use std::io;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Grows with every change of what travels; not tied to the package version.
pub const PROTOCOL_VERSION: u32 = 1;

/// The version of this package, for messages.
pub const PACKAGE_VERSION: &str = env!("CARGO_PKG_VERSION");

const MAGIC: [u8; 8] = *b"TORCwire";
const MAX_VERSION_TEXT: usize = 64;

/// What one side says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The protocol that this side speaks.
    pub protocol: u32,
    /// The version of its package, for messages.
    pub version: String,
}

/// Why two sides do not come to talk.
#[derive(Debug, Error)]
pub enum HelloError {
    /// What arrived is not the start of a torc connection.
    #[error("the other side does not speak torc's protocol")]
    NotTorc,
    /// The other side is of another protocol.
    #[error("the other side speaks protocol {} (torc {}), this one {PROTOCOL_VERSION} (torc {PACKAGE_VERSION})", .0.protocol, .0.version)]
    Mismatch(Hello),
    /// The connection ended or failed.
    #[error("the connection broke during the greeting: {0}")]
    Io(#[from] io::Error),
}

impl Hello {
    /// Returns the hello of this build.
    #[must_use]
    pub fn ours() -> Self {
        Self { protocol: PROTOCOL_VERSION, version: PACKAGE_VERSION.to_owned() }
    }

    /// Returns the bytes of this hello.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let text = &self.version.as_bytes()[..self.version.len().min(MAX_VERSION_TEXT)];
        let mut bytes = Vec::with_capacity(16 + text.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&self.protocol.to_le_bytes());
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text);
        bytes
    }

    /// Reads the other side's hello.
    ///
    /// # Errors
    ///
    /// [`HelloError::NotTorc`] at the first byte that is wrong, so that a chatty stranger is not
    /// listened to; [`HelloError::Io`] when the connection ends.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, HelloError> {
        let mut head = [0; 16];
        stream.read_exact(&mut head).await?;
        let (magic, rest) = head.split_at(8);
        if magic != MAGIC {
            return Err(HelloError::NotTorc);
        }
        let word =
            |at: usize| u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
        let length = word(4) as usize;
        if length > MAX_VERSION_TEXT {
            return Err(HelloError::NotTorc);
        }
        let mut text = vec![0; length];
        stream.read_exact(&mut text).await?;
        let version = String::from_utf8(text).map_err(|_| HelloError::NotTorc)?;
        Ok(Self { protocol: word(0), version })
    }
}

/// Says hello and hears the other side's, and returns it when both speak the same protocol.
///
/// The caller bounds the time.
///
/// # Errors
///
/// As [`Hello::read`], and [`HelloError::Mismatch`] when the protocols differ.
pub async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Result<Hello, HelloError> {
    stream.write_all(&Hello::ours().encode()).await?;
    let theirs = Hello::read(stream).await?;
    if theirs.protocol == PROTOCOL_VERSION { Ok(theirs) } else { Err(HelloError::Mismatch(theirs)) }
}
