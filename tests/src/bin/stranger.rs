//! Listens at a socket, and greets whoever comes with what stands on stdin. For tests that need a
//! program at the other end which is no torcd, or not of this protocol.
//!
//! Called as `stranger --socket PATH …`, as a torcd is, it plays one: on SIGUSR2 it makes the file
//! `asked` in its directory, and ends when the file `go` is there.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let mut socket = arguments.next();
    if socket.as_ref().is_some_and(|first| first == "--socket") {
        finish_on_signal()?;
        socket = arguments.next();
    }
    let socket = socket.ok_or(io::ErrorKind::InvalidInput)?;
    let mut greeting = Vec::new();
    io::stdin().read_to_end(&mut greeting)?;
    for stream in UnixListener::bind(socket)?.incoming() {
        let mut stream = stream?;
        // The other side may not wait for it.
        let _ = stream.write_all(&greeting).and_then(|()| stream.read(&mut [0; 64]));
    }
    Ok(())
}

/// Ends the process as a torcd does whose last job has ended.
fn finish_on_signal() -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGUSR2);
    signals.thread_block()?;
    thread::spawn(move || {
        if signals.wait().is_ok() && fs::write("asked", "").is_ok() {
            while !Path::new("go").exists() {
                thread::sleep(Duration::from_millis(10));
            }
        }
        std::process::exit(0);
    });
    Ok(())
}
