//! Whether somebody still reads what we write.

use std::fs::File;
use std::future::pending;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use tokio::io::Interest;
use tokio::net::unix::pipe::Sender;

/// Waits until the other end of our stdout is closed, which between two events nothing else would
/// tell. Never ends when stdout is no pipe.
pub(crate) async fn gone() {
    if let Ok(stdout) = stdout_pipe()
        && stdout.ready(Interest::ERROR).await.is_ok_and(|ready| ready.is_error())
    {
        return;
    }
    pending::<()>().await;
}

/// Returns our stdout if it is a pipe.
fn stdout_pipe() -> io::Result<Sender> {
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if !stdout.metadata()?.file_type().is_fifo() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // Unchecked leaves the pipe as it is: what we write to it still waits for room.
    Sender::from_owned_fd_unchecked(stdout.into())
}
