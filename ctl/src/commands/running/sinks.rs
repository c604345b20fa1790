//! Our stdout and stderr as places for bytes of others.
//!
//! Writing is done on another thread: when nobody reads, events and signals are still heard.

use std::io::{self, Write};

use tokio::task::spawn_blocking;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sink {
    /// Ours, too.
    Stdout,
    /// Ours, too.
    Stderr,
}

/// Writes all of `bytes` in one piece.
pub(crate) async fn write_all(
    sink: Sink,
    bytes: impl AsRef<[u8]> + Send + 'static,
) -> io::Result<()> {
    if bytes.as_ref().is_empty() {
        return Ok(());
    }
    let write = move || match sink {
        Sink::Stdout => {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes.as_ref())?;
            stdout.flush()
        }
        Sink::Stderr => io::stderr().lock().write_all(bytes.as_ref()),
    };
    spawn_blocking(write).await.map_err(io::Error::other)?
}
