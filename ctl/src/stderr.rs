//! Messages to the user.
//!
//! Something may be drawn on the screen, as a bar is. It then makes room for a message, and is drawn
//! again below it: nothing writes to stderr but through [`say`].

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes what is drawn off the screen, calls its argument, and draws it again.
type MakeRoom = Box<dyn Fn(&dyn Fn()) + Send>;

static SCREEN: Mutex<Option<MakeRoom>> = Mutex::new(None);

/// Something that is drawn on the screen, as long as this lives.
pub struct Drawn(());

impl Drawn {
    /// Says how room is made for a message while it is drawn.
    #[must_use]
    pub fn new(make_room: impl Fn(&dyn Fn()) + Send + 'static) -> Self {
        *screen() = Some(Box::new(make_room));
        Self(())
    }
}

impl Drop for Drawn {
    fn drop(&mut self) {
        *screen() = None;
    }
}

impl fmt::Debug for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drawn")
    }
}

fn screen() -> MutexGuard<'static, Option<MakeRoom>> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes `text` and a newline to stderr.
///
/// Whether that works must not matter: the terminal may be gone (SIGHUP), a pipe closed. `eprintln!`
/// would panic then, in the midst of bringing a run to its end.
pub fn say(text: &str) {
    let mut line = String::with_capacity(text.len() + 1);
    line.push_str(text);
    line.push('\n');
    // In one piece, so that lines of several programs do not mix.
    let write = || drop(io::stderr().write_all(line.as_bytes()));
    match &*screen() {
        Some(make_room) => make_room(&write),
        None => write(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn what_is_drawn_makes_room_for_a_message_as_long_as_it_is() {
        let asked = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&asked);
        let drawn = Drawn::new(move |write| {
            counter.fetch_add(1, Ordering::Relaxed);
            write();
        });
        say("above");
        let times = asked.load(Ordering::Relaxed);
        assert!(times > 0);
        drop(drawn);
        say("alone");
        assert_eq!(asked.load(Ordering::Relaxed), times);
    }
}
