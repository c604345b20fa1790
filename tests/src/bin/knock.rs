//! Connects to a socket, sends what stands on stdin, and tells what comes back. For tests that need
//! a client which is no torcctl, such as one of another user.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

fn main() -> ExitCode {
    match knock() {
        Ok(length) => {
            println!("{length} bytes");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn knock() -> io::Result<usize> {
    let socket = env::args_os().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let mut message = Vec::new();
    io::stdin().read_to_end(&mut message)?;
    let mut stream = UnixStream::connect(socket)?;
    // The other side may have closed already.
    let _ = stream.write_all(&message);
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)
}
