//! Listens at a socket, and greets whoever comes with what stands on stdin. For tests that need a
//! program at the other end which is no torcd, or not of this protocol.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;

fn main() -> io::Result<()> {
    let socket = env::args_os().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let mut greeting = Vec::new();
    io::stdin().read_to_end(&mut greeting)?;
    for stream in UnixListener::bind(socket)?.incoming() {
        let mut stream = stream?;
        // The other side may not wait for it.
        let _ = stream.write_all(&greeting).and_then(|()| stream.read(&mut [0; 64]));
    }
    Ok(())
}
