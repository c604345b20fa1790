//! Messages to the user.

use std::io::{self, Write};

/// Writes `text` and a newline to stderr.
///
/// Whether that works must not matter: the terminal may be gone (SIGHUP), a pipe closed. `eprintln!`
/// would panic then, in the midst of bringing a run to its end.
pub fn say(text: &str) {
    let mut line = String::with_capacity(text.len() + 1);
    line.push_str(text);
    line.push('\n');
    // In one piece, so that lines of several programs do not mix.
    drop(io::stderr().write_all(line.as_bytes()));
}
